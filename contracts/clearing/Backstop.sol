// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBackstop} from "../interfaces/IBackstop.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {LiquidationMath} from "../risk/LiquidationMath.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {House, Words} from "../types/Ledger.sol";
import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";
import {MarketState, MarketView} from "../types/Market.sol";
import {Delegating} from "./Delegating.sol";
import {LossPath} from "./LossPath.sol";

/// @title Backstop: what happens to accounts below their margin, and to other collateral behind a loss.
/// @custom:stop nothing: taking risk off unhealthy accounts has no switch.
contract Backstop is LossPath, Delegating, IBackstop {
    using Fixed for int256;

    uint256 internal constant MIN_REWARD_UNIT = 1e15;

    /// @inheritdoc IBackstop
    address public immutable resolver;

    constructor(address vault_, address liquidator_, AccountId insurance_, address resolver_)
        LossPath(vault_, liquidator_, insurance_)
    {
        resolver = resolver_;
    }

    function _next() internal view override returns (address) {
        return resolver;
    }

    /// @inheritdoc IBackstop
    function takeover(Takeover calldata ask, LiquidationTerms calldata terms)
        external
        locked
        onlyLiquidator
        returns (Taken memory out)
    {
        uint256 word = positions[ask.victim][ask.market];
        if (word == 0 || (ask.expected != 0 && word != ask.expected)) {
            revert BackstopPosition(ask.victim, ask.market, word, ask.expected);
        }
        IPerpMarket market = _market(ask.market);
        MarketView memory m;
        market.accrueToBook().unpackInto(m);
        if (m.state >= MarketState.Settling) revert ClearingMarketState(ask.market, m.state);
        if (!m.live) market.requirePrice();
        Touched[] memory ts = _parties(ask, m);
        (int256 equity, uint256 maintenance) = _planInto(out, ts[0], m, ask.maxSize, terms);
        _requireCalm(ts, ask.market, m);
        Fill memory f = _legs(ts, ask, m, out.size);
        House memory h = _loadHouse();
        _book(ts, ask.market, m);
        market.book(m.openInterest, m.units[0], m.units[1], f.premium);
        _reward(out, ts, h, ask.topUp, terms, m.index);
        _transfers(ts, h, f.houseFee);
        _checkImproved(ts[0], m, equity, maintenance);
        for (uint256 i; i < ts.length; ++i) {
            if (i != 0) _checkMargin(ts[i], m);
            _keep(ts[i], ask.market, h);
        }
        out.net = int256(ts[1].a.capital) + ts[1].a.pnl - ts[1].value;
        if (out.net < ask.minNet) revert BackstopGain(out.net, ask.minNet);
        _saveHouse(h);
        if (ts.length == 3) IVenue(ask.venue).filled(ask.taker, f);
        if (_isVenues(ts[0])) _tell(ask.victim, ask.market, m, ts[0].before, ts[0].after_);
    }

    /// @inheritdoc IBackstop
    function convert(AccountId victim, AccountId taker, address token, uint256 maxAmount, uint256 maxPrice)
        external
        locked
        returns (uint256 amount, uint256 paid)
    {
        if (!_isAuthorised(taker, msg.sender, FUND)) revert ClearingNotAuthorised(taker, msg.sender);
        if (victim.key() == taker.key() || taker.key() == insurance.key()) revert BackstopSameAccount(taker);
        House memory h = _loadHouse();
        Touched memory v = _touchAlone(victim, h);
        Touched memory t = _touchAlone(taker, h);
        if (_isVenues(t)) revert ClearingVenueAccount(taker);
        uint256 price;
        bool left;
        (amount, paid, price, left) =
            IMarginVault(vault).seize(victim, taker, token, _dueFrom(v, h), t.a.capital, maxAmount);
        if (amount == 0) revert BackstopNothing(victim, token);
        if (price > maxPrice) revert BackstopPrice(price, maxPrice);
        t.a.capital -= paid;
        t.a.bitmap |= Words.COLLATERAL_BIT;
        v.a.capital += paid;
        if (!left) v.a.bitmap &= ~Words.COLLATERAL_BIT;
        _collect(v.a);
        _checkFree(taker, t.a, t.rest);
        _save(t, h);
        _save(v, h);
        _saveHouse(h);
    }

    /// @dev What other collateral of `v` may pay for: its whole loss, when that passes the threshold.
    function _dueFrom(Touched memory v, House memory h) internal view returns (uint256 loss) {
        if (v.id.key() == insurance.key()) return MAX_AMOUNT;
        loss = v.a.pnl < 0 ? v.a.pnl.abs() : 0;
        uint256 threshold;
        if (v.rest.markets != 0 && _ratio(h) == 1e18) {
            uint256 cap;
            (, threshold, cap) = IMarginVault(vault).lossTerms();
            (uint256 value,) = _collateral(v.id, v.a);
            if (uint128(debts) > cap || MarginMath.equity(v.a, v.rest, value) < 0) threshold = 0;
        }
        if (loss <= threshold) revert BackstopLossTooSmall(v.id, loss, threshold);
    }

    /// @inheritdoc IBackstop
    function collectInterest() external locked returns (uint256 amount) {
        amount = interestPending;
        if (amount == 0) revert ClearingZeroAmount();
        interestPending = 0;
        House memory h = _loadHouse();
        Touched memory t;
        _read(t, insurance);
        t.a.pnl += int256(amount);
        _save(t, h);
        _saveHouse(h);
        emit InterestCollected(amount);
    }

    /// @inheritdoc IBackstop
    function losses() external view returns (uint256 covered, uint256 bare, uint256 interest) {
        _requireUnlocked();
        return (uint128(debts), debts >> 128, interestPending);
    }

    /// @dev The victim, the taker and, when there is a venue, its account: touched, measured and exempt.
    function _parties(Takeover calldata ask, MarketView memory m) internal returns (Touched[] memory ts) {
        bool sold = ask.venue != address(0);
        ts = new Touched[](sold ? 3 : 2);
        _touch(ts[0], ask.victim, ask.market, m);
        _touch(ts[1], ask.taker, ask.market, m);
        if (sold) {
            _requireVenue(ask.venue, ask.market);
            _touch(ts[2], AccountIds.from(ask.venue, 0), ask.market, m);
        }
        for (uint256 i; i < ts.length; ++i) {
            ts[i].exempt = true;
            for (uint256 j; j < i; ++j) {
                if (ts[i].id.key() == ts[j].id.key()) revert BackstopSameAccount(ts[i].id);
            }
            if (ts[i].id.key() == insurance.key()) revert BackstopSameAccount(insurance);
        }
        _measure(ts, m);
    }

    /// @dev While the market is interrupted nothing fills, and no taker leaves the side that a deficit may be charged to.
    function _requireCalm(Touched[] memory ts, uint256 market, MarketView memory m) internal view {
        if (m.interruptedUntil <= block.timestamp) return;
        bool shrinks = ts[1].before != 0 && (ts[1].before > 0) != (ts[0].before > 0);
        if (ts.length == 3 || shrinks) revert ClearingInterrupted(market, m.interruptedUntil);
    }

    /// @dev Size, reward and penalty, and the victim's equity and maintenance now; refuses who is healthy or bankrupt.
    function _planInto(
        Taken memory out,
        Touched memory v,
        MarketView memory m,
        uint256 maxSize,
        LiquidationTerms calldata terms
    ) internal view returns (int256 equity, uint256 maintenance) {
        uint256 own = MarginMath.maintenance(v.rest, m, v.before, _isVenues(v));
        maintenance = v.rest.maintenance + own;
        (uint256 collateral,) = _collateral(v.id, v.a);
        equity = MarginMath.equity(v.a, v.rest, collateral);
        if (equity < 0) revert BackstopBankrupt(v.id, equity);
        if (equity >= int256(maintenance)) revert BackstopHealthy(v.id, equity, maintenance);
        uint256 x;
        (x, out.reward, out.penalty) =
            LiquidationMath.plan(terms, uint256(equity), maintenance, v.before.abs(), m.index, own, maxSize);
        out.size = v.before > 0 ? -int256(x) : int256(x);
    }

    /// @dev The victim's leg at the index and its mirror image; with a venue, the taker's leg there as well.
    function _legs(Touched[] memory ts, Takeover calldata ask, MarketView memory m, int256 size)
        internal
        view
        returns (Fill memory f)
    {
        (Touched memory v, Touched memory t) = (ts[0], ts[1]);
        int256 cash;
        unchecked {
            cash = int256(size.abs() * m.index / 1e18); // 80 bits each
        }
        (v.size, v.cash) = (size, size < 0 ? cash : -cash);
        (t.size, t.cash) = (-size, -v.cash);
        if (ts.length == 2) {
            f.premium = KEEP_PREMIUM;
            return f;
        }
        Touched memory pool = ts[2];
        uint256 limit = size > 0 ? type(uint256).max : 0; // the taker's price limit is what he gains in all
        f = IVenue(ask.venue)
            .planFill(ask.market, _indexView(m), ask.taker, pool.before, t.before - size, Ask(size, 0, limit, false));
        if (f.size != size) revert BackstopVenueFill(ask.venue, f.size, size);
        int256 paid = size > 0 ? -int256(f.quote) : int256(f.quote);
        _checkLeg(size, paid, int256(f.fee));
        _checkHouseFee(f.houseFee);
        uint256 most = Fixed.mulWadUp(f.quote, MAX_FEE);
        if (f.fee > most) revert ClearingFeeTooHigh(ask.taker, f.fee, most);
        (t.size, t.cash, t.transfer) = (0, t.cash + paid, -int256(f.fee));
        (pool.size, pool.cash, pool.transfer) = (-size, -paid, int256(f.fee) - int256(f.houseFee));
    }

    /// @dev Reward to the taker, then penalty to insurance; capital before pnl, and no more than there is. What insurance
    /// would get as pnl is cancelled. It adds to a reward below the least one; for a value below the least lot no more than
    /// the victim paid it, so that cutting positions into dust earns nothing.
    function _reward(
        Taken memory out,
        Touched[] memory ts,
        House memory h,
        uint256 topUp,
        LiquidationTerms calldata terms,
        uint256 index
    ) internal {
        (Touched memory v, Touched memory t) = (ts[0], ts[1]);
        (uint256 senior, uint256 junior) = _take(v, out.reward);
        t.a.capital += senior;
        t.a.pnl += int256(junior);
        out.reward = senior + junior;
        (out.penalty,) = _take(v, out.penalty);
        uint256 word = accounts[insurance];
        uint256 held = Words.capitalOf(word) + out.penalty;
        uint256 least = terms.minReward * MIN_REWARD_UNIT;
        if (least > out.reward) {
            uint256 most = out.size.abs() * index / 1e36 < terms.minLot ? Fixed.min(topUp, out.penalty) : topUp;
            out.topUp = Fixed.min(Fixed.min(least - out.reward, most), held);
        }
        t.a.capital += out.topUp;
        _collect(t.a);
        _setCapital(insurance, word, held - out.topUp, h);
    }

    /// @dev Takes up to `owed` from an account.
    function _take(Touched memory t, uint256 owed) internal pure returns (uint256 senior, uint256 junior) {
        senior = Fixed.min(t.a.capital, owed);
        junior = Fixed.min(uint256(t.a.pnl.positive()), owed - senior);
        t.a.capital -= senior;
        t.a.pnl -= int256(junior);
    }

    /// @dev INV-15: E - M strictly higher, E / M not lower, E not negative.
    function _checkImproved(Touched memory v, MarketView memory m, int256 equity, uint256 maintenance) internal pure {
        uint256 after_ = v.rest.maintenance + MarginMath.maintenance(v.rest, m, v.after_, _isVenues(v));
        int256 now_ = equity + int256(v.a.capital) + v.a.pnl - v.value;
        bool better = now_ - int256(after_) > equity - int256(maintenance);
        if (!better || !MarginMath.onlyFell(equity, maintenance, now_, after_)) {
            revert ClearingRiskRose(v.id, now_, after_);
        }
    }
}
