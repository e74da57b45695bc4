// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBackstop} from "../interfaces/IBackstop.sol";
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
import {Ledger} from "./Ledger.sol";
import {Resolution} from "./Resolution.sol";

/// @title Backstop: what happens to accounts below their margin.
/// @dev The clearing house runs this code in its own storage (see its fallback), so it stores nothing that Clearing does
/// not; its own storage is never used.
/// @custom:stop nothing: taking risk off unhealthy accounts has no switch.
contract Backstop is Resolution {
    using Fixed for int256;

    uint256 internal constant MIN_REWARD_UNIT = 1e15;

    address public immutable liquidator;

    constructor(address vault_, address liquidator_, AccountId insurance_) Ledger(vault_) Resolution(insurance_) {
        liquidator = liquidator_;
    }

    /// @inheritdoc IBackstop
    function takeover(Takeover calldata ask, LiquidationTerms calldata terms)
        external
        locked
        returns (Taken memory out)
    {
        if (msg.sender != liquidator) revert BackstopNotLiquidator(msg.sender);
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
        (uint256 houseFee, int256 premium) = _legs(ts, ask, m, out.size);
        House memory h = _loadHouse();
        _book(ts, ask.market, m);
        market.book(m.openInterest, m.units[0], m.units[1], premium);
        _reward(out, ts[0], ts[1], h, ask.topUp, terms.minReward * MIN_REWARD_UNIT);
        _transfers(ts, h, houseFee);
        _checkImproved(ts[0], m, equity, maintenance);
        for (uint256 i; i < ts.length; ++i) {
            if (i != 0) _checkMargin(ts[i], m);
            _keep(ts[i], ask.market, h);
        }
        out.net = int256(ts[1].a.capital) + ts[1].a.pnl - ts[1].value;
        _saveHouse(h);
        if (_isVenues(ts[0])) _tell(ask.victim, ask.market, m, ts[0].before, ts[0].after_);
    }

    /// @inheritdoc IBackstop
    function resolve(AccountId victim, AccountId taker, uint256 reward, LiquidationTerms calldata terms)
        external
        locked
        returns (bool done, uint256 paid)
    {
        if (msg.sender != liquidator) revert BackstopNotLiquidator(msg.sender);
        if (victim.key() == insurance.key() || taker.key() == victim.key() || taker.key() == insurance.key()) {
            revert BackstopSameAccount(victim);
        }
        Ending memory e = _end(victim);
        bool taken = taker.owner() != address(0);
        if (!taken && !_mayDeleverage(e, terms)) return (false, 0);
        House memory h = _loadHouse();
        _clean(e);
        _cover(e, h);
        for (uint256 i; i < e.held.length; ++i) {
            Held memory x = e.held[i];
            if (x.p.units == 0) continue;
            if (!x.m.live) _stay(e, x);
            else if (taken) _handOver(e, x, taker, h);
            else _deleverage(e, x);
        }
        if (marks[victim] != 0) marks[victim] = 0;
        _save(e.t, h);
        if (taken) {
            paid = _insure(NO_MARKET, reward, false, h);
            if (paid != 0) h.capitalTotal += _credit(taker, paid);
        }
        _saveHouse(h);
        done = true;
    }

    /// @dev The victim, the taker and, when there is a venue, its account: touched, measured and exempt.
    function _parties(Takeover calldata ask, MarketView memory m) internal returns (Touched[] memory ts) {
        bool sold = ask.venue != address(0);
        ts = new Touched[](sold ? 3 : 2);
        _touch(ts[0], ask.victim, ask.market, m);
        _touch(ts[1], ask.taker, ask.market, m);
        if (sold) {
            _requireVenue(ask.venue, ask.market);
            if (m.interruptedUntil > block.timestamp) revert ClearingInterrupted(ask.market, m.interruptedUntil);
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
        returns (uint256 houseFee, int256 premium)
    {
        (Touched memory v, Touched memory t) = (ts[0], ts[1]);
        int256 cash;
        unchecked {
            cash = int256(size.abs() * m.index / 1e18); // 80 bits each
        }
        (v.size, v.cash) = (size, size < 0 ? cash : -cash);
        (t.size, t.cash) = (-size, -v.cash);
        if (ts.length == 2) return (0, KEEP_PREMIUM);
        Touched memory pool = ts[2];
        uint256 limit = size > 0 ? type(uint256).max : 0; // the taker's price limit is what he gains in all
        Fill memory f = IVenue(ask.venue)
            .planFill(ask.market, _indexView(m), ask.taker, pool.before, t.before - size, Ask(size, 0, limit, false));
        if (f.size != size) revert BackstopVenueFill(ask.venue, f.size, size);
        int256 paid = size > 0 ? -int256(f.quote) : int256(f.quote);
        _checkLeg(size, paid, int256(f.fee));
        _checkHouseFee(f.houseFee);
        uint256 most = Fixed.mulWadUp(f.quote, MAX_FEE);
        if (f.fee > most) revert ClearingFeeTooHigh(ask.taker, f.fee, most);
        (t.size, t.cash, t.transfer) = (0, t.cash + paid, -int256(f.fee));
        (pool.size, pool.cash, pool.transfer) = (-size, -paid, int256(f.fee) - int256(f.houseFee));
        return (f.houseFee, f.premium);
    }

    /// @dev Reward to the taker, then penalty to insurance; capital before pnl, and no more than there is. What insurance
    /// would get as pnl is cancelled. It adds to a reward below what was planned or the least one.
    function _reward(Taken memory out, Touched memory v, Touched memory t, House memory h, uint256 topUp, uint256 least)
        internal
    {
        (uint256 senior, uint256 junior) = _take(v, out.reward);
        t.a.capital += senior;
        t.a.pnl += int256(junior);
        uint256 wanted = out.reward > least ? out.reward : least;
        out.reward = senior + junior;
        (out.penalty,) = _take(v, out.penalty);
        uint256 word = accounts[insurance];
        uint256 held = Words.capitalOf(word);
        if (wanted > out.reward) out.topUp = Fixed.min(Fixed.min(wanted - out.reward, topUp), held);
        t.a.capital += out.topUp;
        _collect(t.a);
        _setCapital(insurance, word, held + out.penalty - out.topUp, h);
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
