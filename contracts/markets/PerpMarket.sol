// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IOracle} from "../interfaces/IOracle.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Accrual} from "../libraries/Accrual.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {MarketState, MarketView, Price, PriceStatus} from "../types/Market.sol";
import {MarketNow, MarketNowLib} from "../types/MarketNow.sol";
import {MarketWords, MarketWordsLib} from "../types/MarketWords.sol";
import {RiskParams} from "../types/RiskParams.sol";
import {PerpParams} from "./PerpParams.sol";

/// @title PerpMarket: the index, funding, side indices and open interest of one perpetual market.
/// @custom:stop guardian: `reduceOnly`; then RISK after its delay: `beginSettlement`; anyone: `shutdown`.
contract PerpMarket is PerpParams {
    using MarketWordsLib for MarketWords;

    /// @notice Passed to `book` to leave the standing premium as it is.
    int256 internal constant KEEP_PREMIUM = type(int256).max;
    /// @notice A side whose ratio O / N falls below 1 / FLOOR_INVERSE (0.1 %) begins a new epoch.
    uint256 internal constant FLOOR_INVERSE = 1000;
    /// @notice A market whose primary feed has been silent for so long beyond its heartbeat may be settled by anyone.
    uint256 public constant SHUTDOWN_SILENCE = 24 hours;
    uint256 internal constant MAX_UNITS = 1 << 79;
    int256 internal constant MAX_PREMIUM = type(int32).max;
    uint256 internal constant SEEN_BIT = 1 << 255;

    address public immutable oracle;
    uint256 internal immutable STRICT_WINDOW;
    uint256 internal immutable PREMIUM_WINDOW;
    uint256 internal immutable SHORT_WINDOW;
    uint256 internal immutable INTERRUPTION;
    int256 internal immutable FULL_PREMIUM;
    uint256 internal immutable SETTLEMENT_WINDOW;
    bool internal immutable ISOLATED;

    struct EpochEnd {
        int128 k;
        uint128 ratio;
    }

    uint256 internal prices;
    uint256 internal rates;
    uint256 internal indices;
    uint256 internal sides;
    mapping(uint256 side => mapping(uint256 epoch => EpochEnd)) internal epochs;
    /// @dev In a transaction that accrued: updatedAt and whether live of its price, as in MarketNow, and SEEN_BIT.
    uint256 internal transient seenPrice;

    constructor(address authority_, address clearing_, Listing memory l, RiskParams memory p)
        PerpParams(authority_, clearing_)
    {
        _bound("strictWindow", l.strictWindow, 1 minutes, 1 days);
        _bound("premiumWindow", l.premiumWindow, 1 minutes, 1 days);
        _bound("shortWindow", l.shortWindow, 1 minutes, 1 days);
        _bound("interruption", l.interruption, 0, 10 minutes);
        _bound("fullPremium", l.fullPremium, 0.001e18, 1e18);
        _bound("settlementWindow", l.settlementWindow, 1 hours, 30 days);
        _bound("oracle.maximum", IOracle(l.oracle).maximum(), 1, type(uint80).max);
        oracle = l.oracle;
        STRICT_WINDOW = l.strictWindow;
        PREMIUM_WINDOW = l.premiumWindow;
        SHORT_WINDOW = l.shortWindow;
        INTERRUPTION = l.interruption;
        FULL_PREMIUM = int256(uint256(l.fullPremium));
        SETTLEMENT_WINDOW = l.settlementWindow;
        ISOLATED = l.isolated;

        Price memory price = IOracle(l.oracle).peek();
        if (price.status != PriceStatus.Ok) revert MarketNoPrice(uint256(price.status));
        MarketWords memory s;
        s.index = s.strict = s.short = price.value;
        s.accruedAt = block.timestamp;
        s.validUntil = price.validUntil;
        (prices, rates) = (s.prices(), s.rates());
        emit MarketSet(prices, rates, 0, 0);
        _firstParams(p);
    }

    // The clearing house's calls

    /// @inheritdoc IPerpMarket
    function accrue() external onlyClearing returns (MarketNow memory w) {
        _accrue(w, true);
    }

    /// @inheritdoc IPerpMarket
    function accrueToBook() external onlyClearing returns (MarketNow memory w) {
        _accrue(w, false);
    }

    /// @dev Fills `w`: what is passed down is allocated once.
    function _accrue(MarketNow memory w, bool tell) internal {
        _load(w);
        uint256 seen = seenPrice;
        if (w.state() >= MarketState.Settling) {
            _closeWhenDue(w);
            seen = _seen(_fixedPrice(w.index()));
        } else if (seen == 0) {
            // The oracle repeats its price for the rest of the transaction: a second accrual would change nothing.
            Price memory price = IOracle(oracle).read();
            seen = _seen(price);
            seenPrice = seen | SEEN_BIT;
            if (_advance(w, price)) {
                (prices, rates, indices, sides) = (w.prices, w.rates, w.indices, w.sides);
                if (tell) emit MarketSet(w.prices, w.rates, w.indices, w.sides);
            }
        }
        w.seen = _complete(w.risk, seen & ~SEEN_BIT);
    }

    /// @dev Ends the settlement window: positions have size 0 from then on.
    function _closeWhenDue(MarketNow memory w) internal {
        if (w.state() == MarketState.Closed || block.timestamp < _settledFrom()) return;
        risk.state = MarketState.Closed;
        MarketWords memory s = MarketWordsLib.unpack(w.prices, w.rates, w.indices, w.sides);
        _rollBoth(s);
        _pack(w, s);
        w.risk = risk.word();
        (rates, sides) = (w.rates, w.sides);
        emit MarketSet(w.prices, w.rates, w.indices, w.sides);
        emit StateSet(MarketState.Closed);
    }

    /// @dev When the settlement window is over.
    function _settledFrom() internal view returns (uint256) {
        return limits.settlementAt + SETTLEMENT_WINDOW;
    }

    /// @inheritdoc IPerpMarket
    function peek() external view returns (MarketView memory m) {
        MarketNow memory w;
        _load(w);
        Price memory price;
        if (w.state() >= MarketState.Settling) {
            if (block.timestamp >= _settledFrom()) w.rates &= ~(uint256(type(uint80).max) << 80);
            price = _fixedPrice(w.index());
        } else {
            price = IOracle(oracle).peek();
            _advance(w, price);
        }
        w.seen = _complete(w.risk, _seen(price));
        w.unpackInto(m);
    }

    /// @inheritdoc IPerpMarket
    function book(uint256 openInterest, uint256 unitsLong, uint256 unitsShort, int256 premium) external onlyClearing {
        uint256 r = rates;
        if (premium != KEEP_PREMIUM) {
            r = MarketWordsLib.withPremium(r, Fixed.clamp(premium / Accrual.PREMIUM_UNIT, MAX_PREMIUM));
        }
        bool empty = openInterest < Sides.DUST || unitsLong == 0 || unitsShort == 0;
        if (empty || _mustRoll(openInterest, unitsLong) || _mustRoll(openInterest, unitsShort)) {
            _rollAt(r, openInterest, unitsLong, unitsShort, empty);
        } else {
            rates = r = MarketWordsLib.withOpenInterest(r, openInterest);
            uint256 both = MarketWordsLib.withUnits(sides, unitsLong, unitsShort);
            sides = both;
            emit MarketSet(prices, r, indices, both);
        }
    }

    /// @dev Whether a side is below its least ratio, or has outgrown its field.
    function _mustRoll(uint256 openInterest, uint256 n) internal pure returns (bool) {
        // An open interest has 80 bits.
        unchecked {
            return openInterest * FLOOR_INVERSE < n || n > MAX_UNITS;
        }
    }

    /// @dev Books legs after which a side begins a new epoch: both in an empty market, else the sides that must.
    function _rollAt(uint256 rates_, uint256 openInterest, uint256 unitsLong, uint256 unitsShort, bool empty) internal {
        MarketWords memory s = MarketWordsLib.unpack(prices, rates_, indices, sides);
        s.openInterest = openInterest;
        s.units = [unitsLong, unitsShort];
        if (empty) {
            _rollBoth(s);
        } else {
            for (uint256 side; side < 2; ++side) {
                uint256 n = s.units[side];
                if (!_mustRoll(openInterest, n)) continue;
                _roll(s, side, openInterest * Sides.RATIO_SCALE / n);
                s.units[side] = openInterest;
            }
        }
        rates = s.rates();
        sides = s.sides();
        emit MarketSet(prices, rates, indices, sides);
    }

    /// @inheritdoc IPerpMarket
    function charge(uint256 side, uint256 amount) external onlyClearing returns (bool charged, int256 k) {
        MarketWords memory s = MarketWordsLib.unpack(prices, rates, indices, sides);
        k = s.k[side];
        if (s.units[side] == 0) return (false, k);
        // Amounts have 96 bits.
        int256 to = k - int256(Fixed.divUp(amount * uint256(Sides.K_SCALE), s.units[side]));
        if (to < type(int128).min) return (false, k);
        s.k[side] = to;
        indices = s.indices();
        emit MarketSet(prices, rates, indices, sides);
        return (true, to);
    }

    /// @inheritdoc IPerpMarket
    function setDepth(uint256 depth) external onlyClearing {
        caps.depth = uint80(Fixed.min(depth, type(uint80).max));
        emit DepthSet(caps.depth);
    }

    // Accrual

    /// @dev Brings `w` to now. Whether anything changed.
    function _advance(MarketNow memory w, Price memory price) internal view returns (bool) {
        // Times have 40 bits, prices 80.
        unchecked {
            bool live = price.status == PriceStatus.Ok;
            MarketWords memory s;
            MarketWordsLib.unpackInto(s, w.prices, w.rates, w.indices, w.sides);
            if (block.timestamp == s.accruedAt && (!live || price.value == s.index)) return false;
            uint256 dt = _liveSeconds(s, price, live);
            int256 g = dt > 0 ? Accrual.elapse(s, _terms(w), dt) : int256(0);
            int256 dP = live ? int256(price.value) - int256(s.index) : int256(0);
            Accrual.move(s, dP, g);
            // A new price has stood since its round, whoever brings it in and whenever.
            uint256 stood = dP != 0 && price.updatedAt > s.accruedAt ? block.timestamp - price.updatedAt : 0;
            Accrual.follow(s, dt - stood, SHORT_WINDOW);
            uint256 elapsed = block.timestamp - s.accruedAt;
            s.interruption = s.interruption > elapsed ? s.interruption - elapsed : 0;
            s.accruedAt = block.timestamp;
            if (live) {
                if (price.validUntil > s.validUntil) {
                    Accrual.observe(s, dP, price.validUntil - s.validUntil);
                    s.validUntil = price.validUntil;
                }
                if (dP != 0) {
                    s.index = price.value;
                    _interrupt(s, w.risk, stood);
                    Accrual.follow(s, stood, SHORT_WINDOW);
                }
            }
            _pack(w, s);
            return true;
        }
    }

    function _terms(MarketNow memory w) internal view returns (Accrual.Terms memory) {
        (int256 cap, int256 velocity) = (w.fundingCap(), w.velocityRate());
        return Accrual.Terms(STRICT_WINDOW, PREMIUM_WINDOW, FULL_PREMIUM, cap, velocity, w.depth());
    }

    /// @dev Seconds since the last accrual in which the feed was alive: none between the old round's end and the new round.
    function _liveSeconds(MarketWords memory s, Price memory price, bool live) internal view returns (uint256 dt) {
        // Times have 40 bits.
        unchecked {
            uint256 end =
                live && price.updatedAt <= s.validUntil ? block.timestamp : Fixed.min(block.timestamp, s.validUntil);
            dt = end > s.accruedAt ? end - s.accruedAt : 0;
            if (live && price.updatedAt > s.validUntil) {
                dt += block.timestamp - (price.updatedAt > s.accruedAt ? price.updatedAt : s.accruedAt);
            }
        }
    }

    /// @dev Shuts fills while |index / short - 1| > mmr / 2 and INTERRUPTION seconds after.
    /// @param stood Seconds since the round of the new index: that part is over, even if nobody could touch the market.
    function _interrupt(MarketWords memory s, uint256 riskWord, uint256 stood) internal view {
        uint256 gap = Accrual.gapSeconds(s.index, s.short, _mmr(riskWord) / 2, SHORT_WINDOW);
        if (gap == 0) return;
        uint256 until = gap + INTERRUPTION;
        until = until > stood ? Fixed.min(until - stood, type(uint16).max) : 0;
        if (until > s.interruption) s.interruption = until;
    }

    function _rollBoth(MarketWords memory s) internal {
        _roll(s, 0, 0);
        _roll(s, 1, 0);
        s.openInterest = s.units[0] = s.units[1] = 0;
    }

    /// @dev A side without units has no position of this epoch; it need not roll.
    function _roll(MarketWords memory s, uint256 side, uint256 ratio) internal {
        if (s.units[side] == 0) return;
        uint256 epoch = s.epoch[side]++;
        epochs[side][epoch] = EpochEnd(int128(s.k[side]), uint128(ratio));
        emit EpochRolled(side, epoch, s.k[side], ratio);
    }

    // Words and views

    function _load(MarketNow memory w) internal view {
        (w.prices, w.rates, w.indices, w.sides) = (prices, rates, indices, sides);
        (w.risk, w.caps) = (risk.word(), caps.word());
    }

    function _pack(MarketNow memory w, MarketWords memory s) internal pure {
        (w.prices, w.rates, w.indices, w.sides) = (s.prices(), s.rates(), s.indices(), s.sides());
    }

    function _fixedPrice(uint256 index) internal view returns (Price memory) {
        return Price(index, block.timestamp, type(uint40).max, PriceStatus.Ok);
    }

    /// @dev updatedAt and whether live, as in MarketNow.
    function _seen(Price memory price) internal pure returns (uint256) {
        return price.updatedAt | (price.status == PriceStatus.Ok ? MarketNowLib.LIVE : 0);
    }

    /// @dev Adds to `seen` the maintenance rate now and whether the market stands alone.
    function _complete(uint256 riskWord, uint256 seen) internal view returns (uint256) {
        return seen | _mmr(riskWord) << 64 | (ISOLATED ? MarketNowLib.ISOLATED : 0);
    }

    /// @inheritdoc IPerpMarket
    function words() external view returns (MarketWords memory) {
        return MarketWordsLib.unpack(prices, rates, indices, sides);
    }

    /// @inheritdoc IPerpMarket
    function epochEnd(uint256 side, uint256 epoch) external view returns (int256, uint256) {
        EpochEnd memory e = epochs[side][epoch];
        return (e.k, e.ratio);
    }

    /// @inheritdoc IPerpMarket
    function requirePrice() external view {
        IOracle(oracle).required();
    }

    /// @inheritdoc IPerpMarket
    function state() external view returns (MarketState) {
        return risk.state;
    }

    // Parameters and life

    /// @inheritdoc IPerpMarket
    function setParams(RiskParams calldata p) external restricted {
        MarketNow memory w;
        _accrue(w, true);
        _setParams(p);
    }

    /// @inheritdoc IPerpMarket
    function reduceOnly() external restricted {
        _setState(MarketState.Active, MarketState.ReduceOnly);
    }

    /// @inheritdoc IPerpMarket
    function activate() external restricted {
        _setState(MarketState.ReduceOnly, MarketState.Active);
    }

    /// @inheritdoc IPerpMarket
    function beginSettlement() external restricted {
        _settle();
    }

    /// @inheritdoc IPerpMarket
    function shutdown() external {
        uint256 silent = IOracle(oracle).silentFor();
        if (silent < SHUTDOWN_SILENCE) revert MarketOracleAlive(silent, SHUTDOWN_SILENCE);
        _settle();
    }

    /// @dev Fixes the price at the index of now, which is the last good one while the feed is dead.
    function _settle() internal {
        if (risk.state >= MarketState.Settling) revert MarketWrongState(risk.state);
        MarketNow memory w;
        _accrue(w, true);
        risk.state = MarketState.Settling;
        limits.settlementAt = uint40(block.timestamp);
        emit StateSet(MarketState.Settling);
    }

    function _setState(MarketState from, MarketState to) internal {
        if (risk.state != from) revert MarketWrongState(risk.state);
        risk.state = to;
        emit StateSet(to);
    }

    function _bound(bytes32 field, uint256 value, uint256 least, uint256 most) internal pure {
        if (value < least) revert MarketListing(field, value, least);
        if (value > most) revert MarketListing(field, value, most);
    }
}
