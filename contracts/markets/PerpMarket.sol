// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IOracle} from "../interfaces/IOracle.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Accrual} from "../libraries/Accrual.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {RiskBounds} from "../risk/RiskBounds.sol";
import {MarketState, MarketView, Price, PriceStatus} from "../types/Market.sol";
import {MarketWords, MarketWordsLib} from "../types/MarketWords.sol";
import {RiskParams} from "../types/RiskParams.sol";

/// @title PerpMarket: the index, funding, side indices and open interest of one perpetual market.
/// @custom:stop guardian: `reduceOnly`; then RISK after its delay: `beginSettlement`.
contract PerpMarket is IPerpMarket, AccessManaged {
    using MarketWordsLib for MarketWords;

    /// @notice Passed to `book` to leave the standing premium as it is.
    int256 internal constant KEEP_PREMIUM = type(int256).max;
    /// @notice A side whose ratio O / N falls below 1 / FLOOR_INVERSE (0.1 %) begins a new epoch.
    uint256 internal constant FLOOR_INVERSE = 1000;
    uint256 internal constant MAX_UNITS = 1 << 79;
    int256 internal constant MAX_PREMIUM = type(int32).max;

    address public immutable clearing;
    address public immutable oracle;
    uint256 internal immutable STRICT_WINDOW;
    uint256 internal immutable PREMIUM_WINDOW;
    uint256 internal immutable SHORT_WINDOW;
    uint256 internal immutable INTERRUPTION;
    int256 internal immutable FULL_PREMIUM;
    uint256 internal immutable SETTLEMENT_WINDOW;
    bool internal immutable ISOLATED;

    /// @dev imr 24 | mmrFrom 24 | mmrTo 24 | rampStart 32 | rampSeconds 24 | profitWeight 24 | velocity 24 | state 8
    /// | minNotional 16 | sizeScale 56 = 256 bits
    struct Rates {
        uint24 imr;
        uint24 mmrFrom;
        uint24 mmrTo;
        uint32 rampStart;
        uint24 rampSeconds;
        uint24 profitWeight;
        uint24 velocity;
        MarketState state;
        uint16 minNotional;
        uint56 sizeScale;
    }

    /// @dev depth 80 | openInterestCap 80 | accountCap 48 | fundingCap 24 | interestRate 24 = 256 bits
    struct Caps {
        uint80 depth;
        uint80 openInterestCap;
        uint48 accountCap;
        uint24 fundingCap;
        uint24 interestRate;
    }

    struct EpochEnd {
        int128 k;
        uint128 ratio;
    }

    uint256 internal prices;
    uint256 internal rates;
    uint256 internal indices;
    uint256 internal sides;
    Rates internal risk;
    Caps internal caps;
    uint256 internal settlementAt;
    mapping(uint256 side => mapping(uint256 epoch => EpochEnd)) internal epochs;

    modifier onlyClearing() {
        if (msg.sender != clearing) revert MarketOnlyClearing(msg.sender);
        _;
    }

    constructor(address authority_, address clearing_, Listing memory l, RiskParams memory p)
        AccessManaged(authority_)
    {
        _bound("strictWindow", l.strictWindow, 1 minutes, 1 days);
        _bound("premiumWindow", l.premiumWindow, 1 minutes, 1 days);
        _bound("shortWindow", l.shortWindow, 1 minutes, 1 days);
        _bound("interruption", l.interruption, 0, 10 minutes);
        _bound("fullPremium", l.fullPremium, 0.001e18, 1e18);
        _bound("settlementWindow", l.settlementWindow, 1 hours, 30 days);
        _bound("oracle.maximum", IOracle(l.oracle).maximum(), 1, type(uint80).max);
        clearing = clearing_;
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
        _store(s);
        risk.mmrFrom = risk.mmrTo = p.mmr;
        _setParams(p);
    }

    // The clearing house's calls

    /// @inheritdoc IPerpMarket
    function accrue() external onlyClearing returns (MarketView memory) {
        return _accrue();
    }

    function _accrue() internal returns (MarketView memory) {
        MarketWords memory s = _load();
        Rates memory r = risk;
        Caps memory c = caps;
        if (r.state >= MarketState.Settling) {
            if (r.state == MarketState.Settling && block.timestamp >= settlementAt + SETTLEMENT_WINDOW) {
                r.state = risk.state = MarketState.Closed;
                _rollBoth(s);
                _store(s);
                emit StateSet(MarketState.Closed);
            }
            return _view(s, r, c, _fixedPrice(s));
        }
        Price memory price = IOracle(oracle).read();
        if (_advance(s, r, c, price)) _store(s);
        return _view(s, r, c, price);
    }

    /// @inheritdoc IPerpMarket
    function peek() external view returns (MarketView memory) {
        MarketWords memory s = _load();
        Rates memory r = risk;
        Caps memory c = caps;
        if (r.state >= MarketState.Settling) {
            if (block.timestamp >= settlementAt + SETTLEMENT_WINDOW) s.openInterest = 0;
            return _view(s, r, c, _fixedPrice(s));
        }
        Price memory price = IOracle(oracle).peek();
        _advance(s, r, c, price);
        return _view(s, r, c, price);
    }

    /// @inheritdoc IPerpMarket
    function book(uint256 openInterest, uint256 unitsLong, uint256 unitsShort, int256 premium) external onlyClearing {
        MarketWords memory s = _load();
        s.openInterest = openInterest;
        s.units[0] = unitsLong;
        s.units[1] = unitsShort;
        if (premium != KEEP_PREMIUM) s.premium = Fixed.clamp(premium / Accrual.PREMIUM_UNIT, MAX_PREMIUM);
        if (openInterest < Sides.DUST || unitsLong == 0 || unitsShort == 0) {
            _rollBoth(s);
        } else {
            for (uint256 side; side < 2; ++side) {
                uint256 n = s.units[side];
                if (openInterest * FLOOR_INVERSE < n || n > MAX_UNITS) {
                    _roll(s, side, openInterest * Sides.RATIO_SCALE / n);
                    s.units[side] = openInterest;
                }
            }
        }
        rates = s.rates();
        sides = s.sides();
        emit MarketSet(prices, rates, indices, sides);
    }

    /// @inheritdoc IPerpMarket
    function setDepth(uint256 depth) external onlyClearing {
        caps.depth = uint80(Fixed.min(depth, type(uint80).max));
        emit DepthSet(caps.depth);
    }

    // Accrual

    /// @dev Brings `s` to now. Whether anything changed.
    function _advance(MarketWords memory s, Rates memory r, Caps memory c, Price memory price)
        internal
        view
        returns (bool)
    {
        bool live = price.status == PriceStatus.Ok;
        if (block.timestamp == s.accruedAt && (!live || price.value == s.index)) return false;
        uint256 dt = _liveSeconds(s, price, live);
        int256 g;
        if (dt > 0) {
            Accrual.Terms memory t = Accrual.Terms({
                strictWindow: STRICT_WINDOW,
                premiumWindow: PREMIUM_WINDOW,
                shortWindow: SHORT_WINDOW,
                fullPremium: FULL_PREMIUM,
                cap: int256(uint256(c.fundingCap)) * 1e12,
                velocity: int256(uint256(r.velocity)) * 1e12,
                depth: c.depth
            });
            g = Accrual.elapse(s, t, dt);
        }
        int256 dP = live ? int256(price.value) - int256(s.index) : int256(0);
        Accrual.move(s, dP, g);
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
                _interrupt(s, r);
            }
        }
        return true;
    }

    /// @dev Seconds since the last accrual in which the feed was alive: none between the old round's end and the new round.
    function _liveSeconds(MarketWords memory s, Price memory price, bool live) internal view returns (uint256) {
        uint256 end =
            live && price.updatedAt <= s.validUntil ? block.timestamp : Fixed.min(block.timestamp, s.validUntil);
        uint256 dt = end > s.accruedAt ? end - s.accruedAt : 0;
        if (live && price.updatedAt > s.validUntil) {
            dt += block.timestamp - (price.updatedAt > s.accruedAt ? price.updatedAt : s.accruedAt);
        }
        return dt;
    }

    /// @dev Shuts fills while |index / short - 1| > mmr / 2 and INTERRUPTION seconds after.
    function _interrupt(MarketWords memory s, Rates memory r) internal view {
        uint256 gap = Accrual.gapSeconds(s.index, s.short, _mmr(r) / 2, SHORT_WINDOW);
        if (gap == 0) return;
        uint256 until = Fixed.min(gap + INTERRUPTION, type(uint16).max);
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

    function _load() internal view returns (MarketWords memory) {
        return MarketWordsLib.unpack(prices, rates, indices, sides);
    }

    function _store(MarketWords memory s) internal {
        uint256 a = prices = s.prices();
        uint256 b = rates = s.rates();
        uint256 c = indices = s.indices();
        uint256 d = sides = s.sides();
        emit MarketSet(a, b, c, d);
    }

    function _mmr(Rates memory r) internal view returns (uint256) {
        return RiskBounds.ramp(r.mmrFrom, r.mmrTo, r.rampStart, r.rampSeconds, block.timestamp);
    }

    function _fixedPrice(MarketWords memory s) internal view returns (Price memory) {
        return Price(s.index, block.timestamp, type(uint40).max, PriceStatus.Ok);
    }

    function _view(MarketWords memory s, Rates memory r, Caps memory c, Price memory price)
        internal
        view
        returns (MarketView memory m)
    {
        m.index = s.index;
        m.strict = r.state >= MarketState.Settling ? s.index : s.strict;
        m.openInterest = s.openInterest;
        m.units = s.units;
        m.k = s.k;
        m.epoch = s.epoch;
        m.imr = uint256(r.imr) * 1e12;
        m.mmr = _mmr(r);
        m.sizeScale = uint256(r.sizeScale) * 1e18;
        m.interestRate = uint256(c.interestRate) * 1e12;
        m.depth = c.depth;
        m.profitWeight = uint256(r.profitWeight) * 1e12;
        m.minNotional = uint256(r.minNotional) * 1e18;
        m.openInterestCap = c.openInterestCap;
        m.accountCap = uint256(c.accountCap) * 1e18;
        m.updatedAt = price.updatedAt;
        m.variance = s.variance * Accrual.VARIANCE_UNIT;
        m.premium = s.premium * Accrual.PREMIUM_UNIT;
        m.interruptedUntil = s.accruedAt + s.interruption;
        m.live = price.status == PriceStatus.Ok;
        m.state = r.state;
        m.isolated = ISOLATED;
    }

    /// @inheritdoc IPerpMarket
    function words() external view returns (MarketWords memory) {
        return _load();
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
    function params() external view returns (RiskParams memory p) {
        Rates memory r = risk;
        Caps memory c = caps;
        p = RiskParams(
            r.imr,
            r.mmrTo,
            r.rampSeconds,
            r.profitWeight,
            c.fundingCap,
            r.velocity,
            c.interestRate,
            r.sizeScale,
            r.minNotional,
            c.accountCap,
            c.openInterestCap
        );
    }

    /// @inheritdoc IPerpMarket
    function state() external view returns (MarketState) {
        return risk.state;
    }

    // Parameters and life

    /// @inheritdoc IPerpMarket
    function setParams(RiskParams calldata p) external restricted {
        _accrue();
        _setParams(p);
    }

    function _setParams(RiskParams memory p) internal {
        RiskBounds.check(p);
        Rates memory r = risk;
        r.mmrFrom = uint24(Fixed.divUp(_mmr(r), 1e12));
        (r.mmrTo, r.rampStart, r.rampSeconds) = (p.mmr, uint32(block.timestamp), p.rampSeconds);
        (r.imr, r.profitWeight, r.velocity) = (p.imr, p.profitWeight, p.velocity);
        (r.minNotional, r.sizeScale) = (p.minNotional, p.sizeScale);
        risk = r;
        Caps memory c = caps;
        (c.openInterestCap, c.accountCap) = (p.openInterestCap, p.accountCap);
        (c.fundingCap, c.interestRate) = (p.fundingCap, p.interestRate);
        caps = c;
        emit ParamsSet(p);
    }

    /// @inheritdoc IPerpMarket
    function tightenCaps(uint80 openInterestCap, uint48 accountCap) external restricted {
        Caps memory c = caps;
        if (openInterestCap > c.openInterestCap) revert MarketNotTighter(c.openInterestCap, openInterestCap);
        if (accountCap > c.accountCap) revert MarketNotTighter(c.accountCap, accountCap);
        (caps.openInterestCap, caps.accountCap) = (openInterestCap, accountCap);
        emit CapsTightened(openInterestCap, accountCap);
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
        if (risk.state >= MarketState.Settling) revert MarketWrongState(risk.state);
        _accrue();
        risk.state = MarketState.Settling;
        settlementAt = block.timestamp;
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
