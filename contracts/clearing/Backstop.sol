// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBackstop} from "../interfaces/IBackstop.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {LiquidationMath} from "../risk/LiquidationMath.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {House, Words} from "../types/Ledger.sol";
import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";
import {MarketState, MarketView} from "../types/Market.sol";
import {Backing} from "./Backing.sol";
import {Delegating} from "./Delegating.sol";
import {LossPath} from "./LossPath.sol";

/// @title Backstop: what happens to accounts below their margin.
/// @custom:stop nothing: taking risk off unhealthy accounts has no switch.
contract Backstop is LossPath, Backing, Delegating, IBackstop {
    using Fixed for int256;
    using Words for House;

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

    /// @dev What the accounts of a takeover share. @param fund,held Insurance's stored word, and its capital now.
    struct Takeovers {
        uint256 number;
        MarketView m;
        House h;
        uint256 fund;
        uint256 held;
    }

    function _insurance() internal view override returns (AccountId) {
        return insurance;
    }

    /// @inheritdoc IBackstop
    function takeover(Takeover calldata ask, uint256 budget, LiquidationTerms memory terms)
        external
        locked
        onlyLiquidator
        returns (Taken memory out)
    {
        Takeovers memory k;
        IPerpMarket market = _open(k, ask.market);
        Touched[] memory ts = new Touched[](ask.venue == address(0) ? 2 : 3);
        (int256 equity, uint256 maintenance) = _planOne(out, ts, ask, terms, k);
        _cross(ts, out.size, k.m.index);
        Fill memory f;
        f.premium = KEEP_PREMIUM;
        if (ts.length == 3) f = _sell(ts, ask, k.m, out.size);
        _book(ts, k.number, k.m);
        market.book(k.m.openInterest, k.m.units[0], k.m.units[1], f.premium);
        _reward(out, ts, Fixed.min(ask.topUp, budget), terms, k);
        if (ts.length == 3) _transfers(ts, k.h, f.houseFee);
        _checkImproved(ts[0], k.m, equity, maintenance);
        for (uint256 i; i < ts.length; ++i) {
            if (i != 0) _checkMargin(ts[i], k.m);
            _keep(ts[i], k.number, k.h);
        }
        _checkGain(out, ts[1], ask.minNet);
        _close(k);
        if (ts.length == 3) IVenue(ask.venue).filled(ask.taker, f);
        if (_isVenues(ts[0])) _tell(ask.victim, k.number, k.m, ts[0].before, ts[0].after_);
    }

    /// @inheritdoc IBackstop
    function takeoverMany(Takeover[] calldata asks, uint256 budget, LiquidationTerms memory terms)
        external
        locked
        onlyLiquidator
        returns (Taken[] memory out, bytes[] memory reasons)
    {
        Takeovers memory k;
        IPerpMarket market = _open(k, asks[0].market);
        (out, reasons) = (new Taken[](asks.length), new bytes[](asks.length));
        Touched[] memory ts = new Touched[](2);
        Touched memory t = ts[1];
        _join(t, asks[0].taker, k);
        (int256 size, int256 value) = (t.before, t.value);
        Touched memory pool;
        for (uint256 i; i < asks.length; ++i) {
            if (i != 0) {
                Touched memory next;
                ts[0] = next;
            }
            reasons[i] = _takeInto(out[i], ts, asks[i], budget, terms, k);
            budget -= out[i].topUp;
            bool told = ts[0].id.key() == AccountIds.from(venueFor[k.number], 0).key();
            if (out[i].size == 0 || !told) continue;
            if (pool.id.owner() == address(0)) pool = ts[0];
            else pool.after_ = ts[0].after_;
        }
        market.book(k.m.openInterest, k.m.units[0], k.m.units[1], KEEP_PREMIUM);
        (t.before, t.value) = (size, value);
        _checkMargin(t, k.m);
        _keep(t, k.number, k.h);
        _close(k);
        if (pool.id.owner() != address(0)) _tell(pool.id, k.number, k.m, pool.before, pool.after_);
    }

    // Takeovers

    /// @dev Brings the market and what is shared to now.
    function _open(Takeovers memory k, uint256 number) internal returns (IPerpMarket market) {
        market = _market(number);
        k.number = number;
        market.accrueToBook().unpackInto(k.m);
        if (k.m.state >= MarketState.Settling) revert ClearingMarketState(number, k.m.state);
        if (!k.m.live) market.requirePrice();
        k.h.read(totals);
        k.fund = accounts[insurance];
        k.held = Words.capitalOf(k.fund);
    }

    /// @dev Stores what is shared.
    function _close(Takeovers memory k) internal {
        _setCapital(insurance, k.fund, k.held, k.h);
        _saveHouse(k.h);
    }

    /// @dev Touches all of one takeover and plans it, or refuses it.
    function _planOne(
        Taken memory out,
        Touched[] memory ts,
        Takeover calldata ask,
        LiquidationTerms memory terms,
        Takeovers memory k
    ) internal returns (int256 equity, uint256 maintenance) {
        bool sold = ts.length == 3;
        if (sold) _requireVenue(ask.venue, ask.market);
        bytes memory reason = _checkPosition(ask);
        if (reason.length != 0) _revert(reason);
        _join(ts[0], ask.victim, k);
        _join(ts[1], ask.taker, k);
        if (sold) _join(ts[2], AccountIds.from(ask.venue, 0), k);
        _requireApart(ts);
        (reason, equity, maintenance) = _planInto(out, ts[0], k.m, ask.maxSize, terms);
        if (reason.length != 0) _revert(reason);
        if (sold || _shrinks(ts)) _requireCalm(k);
    }

    /// @dev Whether the taker leaves the side that a deficit may be charged to.
    function _shrinks(Touched[] memory ts) internal pure returns (bool) {
        int256 has = ts[1].after_;
        return has != 0 && (has > 0) != (ts[0].before > 0);
    }

    function _requireCalm(Takeovers memory k) internal view {
        if (k.m.interruptedUntil > block.timestamp) revert ClearingInterrupted(k.number, k.m.interruptedUntil);
    }

    /// @dev Touches and measures one account of a takeover.
    function _join(Touched memory t, AccountId id, Takeovers memory k) internal {
        _touch(t, id, k.number, k.m);
        t.exempt = true;
        _begin(t, k.m);
    }

    /// @dev Where an account stands before a leg.
    function _begin(Touched memory t, MarketView memory m) internal pure {
        t.before = t.after_ = Sides.sizeOf(m, t.p.units);
        unchecked {
            t.value = int256(t.a.capital) + t.a.pnl; // of 96 bits, and less than 200
        }
    }

    /// @dev One takeover into an account; `ts` are the victim, not yet touched, and the taker.
    /// @return reason Why nothing was taken; empty when it was.
    function _takeInto(
        Taken memory out,
        Touched[] memory ts,
        Takeover calldata ask,
        uint256 budget,
        LiquidationTerms memory terms,
        Takeovers memory k
    ) internal returns (bytes memory reason) {
        reason = _checkPosition(ask);
        if (reason.length != 0) return reason;
        (Touched memory v, Touched memory t) = (ts[0], ts[1]);
        _join(v, ask.victim, k);
        _requireApart(ts);
        int256 equity;
        uint256 maintenance;
        (reason, equity, maintenance) = _planInto(out, v, k.m, ask.maxSize, terms);
        if (reason.length == 0) {
            if (_shrinks(ts)) _requireCalm(k);
            _begin(t, k.m);
            _cross(ts, out.size, k.m.index);
            _book(ts, k.number, k.m);
            _reward(out, ts, Fixed.min(ask.topUp, budget), terms, k);
            _checkImproved(v, k.m, equity, maintenance);
            _checkGain(out, t, ask.minNet);
        }
        _keep(v, k.number, k.h);
    }

    function _checkPosition(Takeover calldata ask) internal view returns (bytes memory) {
        uint256 word = positions[ask.victim][ask.market];
        if (word != 0 && (ask.expected == 0 || word == ask.expected)) return "";
        return abi.encodeWithSelector(BackstopPosition.selector, ask.victim, ask.market, word, ask.expected);
    }

    /// @dev No account twice, and insurance holds no positions.
    function _requireApart(Touched[] memory ts) internal view {
        for (uint256 i; i < ts.length; ++i) {
            for (uint256 j; j < i; ++j) {
                if (ts[i].id.key() == ts[j].id.key()) revert BackstopSameAccount(ts[i].id);
            }
            if (ts[i].id.key() == insurance.key()) revert BackstopSameAccount(insurance);
        }
    }

    /// @dev Size, reward and penalty, and the victim's equity and maintenance now; why not, of who is healthy or bankrupt.
    function _planInto(
        Taken memory out,
        Touched memory v,
        MarketView memory m,
        uint256 maxSize,
        LiquidationTerms memory terms
    ) internal view returns (bytes memory reason, int256 equity, uint256 maintenance) {
        uint256 own = MarginMath.maintenance(v.rest, m, v.before, _isVenues(v));
        maintenance = v.rest.maintenance + own;
        (uint256 collateral,) = _collateral(v.id, v.a);
        equity = MarginMath.equity(v.a, v.rest, collateral);
        if (equity < 0) reason = abi.encodeWithSelector(BackstopBankrupt.selector, v.id, equity);
        if (equity >= int256(maintenance)) {
            reason = abi.encodeWithSelector(BackstopHealthy.selector, v.id, equity, maintenance);
        }
        if (reason.length != 0) return (reason, equity, maintenance);
        uint256 x;
        (x, out.reward, out.penalty) =
            LiquidationMath.plan(terms, uint256(equity), maintenance, v.before.abs(), m.index, own, maxSize);
        out.size = v.before > 0 ? -int256(x) : int256(x);
    }

    /// @dev The victim's leg at the index and its mirror image.
    function _cross(Touched[] memory ts, int256 size, uint256 index) internal pure {
        int256 cash;
        unchecked {
            cash = int256(size.abs() * index / 1e18); // 80 bits each
        }
        (ts[0].size, ts[0].cash) = (size, size < 0 ? cash : -cash);
        (ts[1].size, ts[1].cash) = (-size, -ts[0].cash);
    }

    /// @dev The taker's lots go on to the venue, at its price and fee.
    function _sell(Touched[] memory ts, Takeover calldata ask, MarketView memory m, int256 size)
        internal
        view
        returns (Fill memory f)
    {
        (Touched memory t, Touched memory pool) = (ts[1], ts[2]);
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
        uint256 topUp,
        LiquidationTerms memory terms,
        Takeovers memory k
    ) internal pure {
        (Touched memory v, Touched memory t) = (ts[0], ts[1]);
        (uint256 senior, uint256 junior) = _take(v, out.reward);
        t.a.capital += senior;
        t.a.pnl += int256(junior);
        out.reward = senior + junior;
        (out.penalty,) = _take(v, out.penalty);
        k.held += out.penalty;
        uint256 least = terms.minReward * MIN_REWARD_UNIT;
        if (least > out.reward) {
            bool small = out.size.abs() * k.m.index / 1e36 < terms.minLot;
            uint256 most = small ? Fixed.min(topUp, out.penalty) : topUp;
            out.topUp = Fixed.min(Fixed.min(least - out.reward, most), k.held);
            k.held -= out.topUp;
        }
        t.a.capital += out.topUp;
        _collect(t.a);
    }

    /// @dev Takes up to `owed` from an account.
    function _take(Touched memory t, uint256 owed) internal pure returns (uint256 senior, uint256 junior) {
        senior = Fixed.min(t.a.capital, owed);
        junior = Fixed.min(uint256(t.a.pnl.positive()), owed - senior);
        t.a.capital -= senior;
        t.a.pnl -= int256(junior);
    }

    function _checkGain(Taken memory out, Touched memory t, int256 least) internal pure {
        out.net = int256(t.a.capital) + t.a.pnl - t.value;
        if (out.net < least) revert BackstopGain(out.net, least);
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

    function _revert(bytes memory reason) internal pure {
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
