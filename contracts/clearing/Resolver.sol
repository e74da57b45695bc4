// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {IResolver} from "../interfaces/IResolver.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Ask} from "../types/Fill.sol";
import {Account, House, Position, Words} from "../types/Ledger.sol";
import {LiquidationTerms} from "../types/Liquidation.sol";
import {MarketState, MarketView} from "../types/Market.sol";
import {LossPath} from "./LossPath.sol";

/// @title Resolver: how a bankrupt account ends, in one order, at a cost that no other account adds to; and how other
/// collateral pays for a loss before that.
/// @dev The order is in IResolver; never one step without the next.
/// @custom:stop nothing: a deficit has no other end.
contract Resolver is LossPath, IResolver {
    using Fixed for int256;
    using Words for Position;

    /// @notice A side worth less than MIN_CHARGED (WAD quote) and of less than MIN_LOTS (WAD) is not charged: what it
    /// would pay is an orphan.
    uint256 public constant MIN_CHARGED = 10e18;
    uint256 public constant MIN_LOTS = 0.001e18;
    /// @notice For this long after a mark's first moment of use an account may be deleveraged by it. Seconds.
    uint256 public constant MARK_LIFE = 1 days;

    constructor(address vault_, address liquidator_, AccountId insurance_) LossPath(vault_, liquidator_, insurance_) {}

    /// @dev An account that is being resolved, with its other state in `held`.
    struct Ending {
        Touched t;
        Held[] held;
        uint256 open; // positions
        uint256 live; // of them in markets that have a price
        uint256 maintenance; // of all of them
        uint256 waits; // loss that stays behind other collateral
        uint256 deficit; // what somebody else must bear
        uint256 handed; // value of what a taker took, at the index
    }

    /// @inheritdoc IResolver
    function resolve(AccountId victim, AccountId taker, uint256 market, uint256 reward, LiquidationTerms calldata terms)
        external
        locked
        onlyLiquidator
        returns (bool done, uint256 paid)
    {
        if (victim.key() == insurance.key() || taker.key() == victim.key() || taker.key() == insurance.key()) {
            revert BackstopSameAccount(victim);
        }
        House memory h = _loadHouse();
        Ending memory e = _begin(victim);
        if (!_isBankrupt(e)) {
            _unmark(e);
        } else {
            if (e.open != 0 && positions[victim][market] == 0) revert BackstopPosition(victim, market, 0, 0);
            _sell(e, h);
            done = e.deficit == 0;
            if (done && marks[victim] != 0) _forget(victim);
            if (!done && (taker.owner() != address(0) || _mayDeleverage(e, terms))) {
                paid = _end(e, h, taker, reward, terms);
                return (_finish(e, h), paid);
            }
        }
        for (uint256 i; i < e.held.length; ++i) {
            if (e.held[i].p.units != 0) _stay(e, e.held[i]);
        }
        _finish(e, h);
    }

    /// @inheritdoc IResolver
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

    /// @inheritdoc IResolver
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

    /// @inheritdoc IResolver
    function losses() external view returns (uint256 covered, uint256 bare, uint256 interest) {
        _requireUnlocked();
        return (uint128(debts), debts >> 128, interestPending);
    }

    function _finish(Ending memory e, House memory h) internal returns (bool) {
        _save(e.t, h);
        _saveHouse(h);
        return true;
    }

    /// @dev Touches `id` in all its markets, keeping what is there to end; what the touch closed is gone.
    function _begin(AccountId id) internal returns (Ending memory e) {
        Touched memory t = e.t;
        _read(t, id);
        e.held = _heldAccrued(id, t.a.bitmap & Words.MARKETS_MASK);
        _plan(t, e.held);
        _collect(t.a);
        bool venue = _isVenues(t);
        for (uint256 i; i < e.held.length; ++i) {
            Held memory x = e.held[i];
            if (x.p.units == 0) {
                if (x.shrunk) _market(x.market).book(x.m.openInterest, x.m.units[0], x.m.units[1], KEEP_PREMIUM);
                _leave(e, x, 0);
                continue;
            }
            ++e.open;
            if (x.m.live) ++e.live;
            e.maintenance += MarginMath.maintenance(t.rest, x.m, Sides.sizeOf(x.m, x.p.units), venue);
        }
    }

    function _isBankrupt(Ending memory e) internal view returns (bool) {
        (uint256 value,) = _collateral(e.t.id, e.t.a);
        return e.t.a.pnl + int256(value) < 0; // a loss has no capital beside it
    }

    /// @dev A mark is of one bankruptcy: an account that is found solvent loses it.
    function _unmark(Ending memory e) internal {
        AccountId id = e.t.id;
        if (marks[id] == 0) revert BackstopSolvent(id, int256(e.t.a.capital) + e.t.a.pnl);
        _forget(id);
    }

    function _forget(AccountId id) internal {
        _setMark(id, 0);
        emit Marked(id, 0);
    }

    /// @dev Insurance buys what other collateral it can; what is left counts as it does for maintenance. The deficit is
    /// what the two do not cover.
    function _sell(Ending memory e, House memory h) internal {
        Account memory a = e.t.a;
        if (a.bitmap & Words.COLLATERAL_BIT != 0) {
            uint256 word = accounts[insurance];
            uint256 capital = Words.capitalOf(word);
            (uint256 paid, bool left) = IMarginVault(vault).seizeAll(e.t.id, insurance, a.pnl.abs(), capital);
            if (paid != 0) _setCapital(insurance, word | Words.COLLATERAL_BIT << 192, capital - paid, h);
            if (!left) a.bitmap &= ~Words.COLLATERAL_BIT;
            a.capital += paid;
            _collect(a);
            (e.waits,) = _collateral(e.t.id, a);
        }
        uint256 loss = a.pnl < 0 ? a.pnl.abs() : 0;
        e.waits = Fixed.min(e.waits, loss);
        e.deficit = loss - e.waits;
    }

    /// @dev Covers the deficit and moves the positions. @return paid What insurance paid the taker.
    function _end(Ending memory e, House memory h, AccountId taker, uint256 reward, LiquidationTerms calldata terms)
        internal
        returns (uint256 paid)
    {
        bool taken = taker.owner() != address(0);
        if (e.open != 0 && e.live == 0) {
            // An account whose every market is dead waits for a price; the error says which check failed.
            for (uint256 i; i < e.held.length; ++i) {
                if (e.held[i].p.units != 0) _market(e.held[i].market).requirePrice();
            }
        }
        _cover(e, h);
        for (uint256 i; i < e.held.length; ++i) {
            Held memory x = e.held[i];
            if (x.p.units == 0) continue;
            if (!x.m.live) _stay(e, x);
            else if (taken) _handOver(e, x, taker, h);
            else _deleverage(e, x);
        }
        if (marks[e.t.id] != 0) _setMark(e.t.id, 0);
        if (!taken) return 0;
        // Who takes dust earns no more than he would where its owner could pay.
        uint256 most = e.handed * (uint256(terms.rewardMin) + terms.penalty) / 1e6;
        paid = _insure(NO_MARKET, Fixed.min(reward, most), false, h);
        if (paid != 0) h.capitalTotal += _credit(taker, paid);
    }

    /// @dev Covers the deficit, by insurance and then by the other sides; what neither takes is an orphan.
    function _cover(Ending memory e, House memory h) internal {
        uint256 left = e.deficit;
        uint256 open = e.open;
        uint256 waits = e.waits;
        bool venue = _isVenues(e.t);
        uint256 orphan;
        for (uint256 i; i < e.held.length; ++i) {
            Held memory x = e.held[i];
            if (x.p.units == 0) continue;
            uint256 own = MarginMath.maintenance(e.t.rest, x.m, Sides.sizeOf(x.m, x.p.units), venue);
            uint256 share = --open == 0 ? left : e.deficit * own / e.maintenance;
            left -= share;
            if (!x.m.live) {
                waits += share;
                continue;
            }
            uint256 paid = _insure(x.market, share, true, h);
            uint256 charged = _charge(x, share - paid);
            orphan += share - paid - charged;
            emit Covered(e.t.id, x.market, paid, charged);
        }
        orphan += left; // an account without positions
        if (orphan != 0) {
            uint256 paid = _insure(NO_MARKET, orphan, false, h);
            orphanDeficit += orphan - paid;
            emit Orphaned(e.t.id, paid, orphan - paid);
        }
        e.t.a.pnl = -int256(waits);
    }

    /// @dev Takes up to `wanted` from insurance, inside the market's allotment where there is one.
    function _insure(uint256 market, uint256 wanted, bool allotted, House memory h) internal returns (uint256 paid) {
        uint256 word = accounts[insurance];
        uint256 capital = Words.capitalOf(word);
        paid = Fixed.min(wanted, capital);
        if (paid != 0 && allotted) paid = IInsuranceFund(insurance.owner()).draw(market, paid, capital);
        _setCapital(insurance, word, capital - paid, h);
    }

    /// @dev Charges the other side of `x`; nothing when it is worth too little. Its index in `x.m` follows.
    function _charge(Held memory x, uint256 amount) internal returns (uint256) {
        uint256 o = x.m.openInterest;
        if (amount == 0 || (o < MIN_LOTS && Fixed.mulWadUp(o, x.m.index) < MIN_CHARGED)) return 0;
        uint256 side = 1 - Sides.sideOf(x.p.units);
        (bool charged, int256 k) = _market(x.market).charge(side, amount);
        if (!charged) return 0;
        x.m.k[side] = k;
        return amount;
    }

    /// @dev Whether an account without a taker may be deleveraged now: at a later round than the one at which it was
    /// marked, when a heartbeat has passed or no venue would take a least lot at the index less the least reward. Marks
    /// it when it has no mark in force, and says no.
    function _mayDeleverage(Ending memory e, LiquidationTerms calldata terms) internal returns (bool) {
        AccountId id = e.t.id;
        uint256 mark = marks[id];
        for (uint256 i; i < e.held.length; ++i) {
            Held memory x = e.held[i];
            if (x.p.units == 0 || !x.m.live || x.m.state >= MarketState.Settling) continue;
            uint256 heartbeat = _market(x.market).words().validUntil - x.m.updatedAt;
            if (mark == 0 || block.timestamp > mark + heartbeat + MARK_LIFE) {
                _setMark(id, block.timestamp);
                emit Marked(id, block.timestamp);
                return false;
            }
            if (x.m.updatedAt <= mark) revert BackstopWait(id, mark, x.m.updatedAt);
            if (block.timestamp < mark + heartbeat && !_refused(x, terms)) {
                revert BackstopWait(id, mark + heartbeat, mark);
            }
        }
        return true;
    }

    /// @dev Whether the market's venue would not fill a least lot of this position at the index less the least reward.
    function _refused(Held memory x, LiquidationTerms calldata terms) internal view returns (bool) {
        address venue = venueFor[x.market];
        if (venue.code.length == 0) return true; // a call of it would succeed
        MarketView memory m = x.m;
        int256 lot = int256(Fixed.divUp(uint256(terms.minLot) * 1e36, m.index));
        uint256 away = m.index * terms.rewardMin / 1e6;
        bool long = x.p.units > 0;
        Ask memory ask = Ask(long ? -lot : lot, 0, long ? m.index - away : m.index + away, false);
        int256 held = _sizeIn(AccountIds.from(venue, 0), x.market, m);
        bytes memory question = abi.encodeCall(IVenue.planFill, (x.market, _indexView(m), insurance, held, 0, ask));
        _requireVenueGas();
        (bool fills,) = venue.staticcall{gas: VENUE_GAS}(question);
        return !fills;
    }

    /// @dev The position goes to `taker` at the index; his margin is checked as it grows.
    function _handOver(Ending memory e, Held memory x, AccountId taker, House memory h) internal {
        Touched[] memory ts = new Touched[](2);
        ts[0] = e.t;
        (Touched memory v, Touched memory t) = (ts[0], ts[1]);
        // Dust of the taker's may have closed since `x` was read, and begun an epoch: both are as the market says now.
        _market(x.market).accrue().unpackInto(x.m);
        _sync(x.market, x.m, x.p); // no profit: no index of its side has moved
        _touch(t, taker, x.market, x.m);
        (v.p, v.pWord, t.exempt, v.exempt) = (x.p, x.word, true, true);
        _measure(ts, x.m);
        // The victim ends at exactly 0; the wei of rounding is the taker's.
        int256 value = (-v.before).mulWadFloor(int256(x.m.index));
        e.handed += value.abs();
        (v.size, v.cash, t.size, t.cash) = (-v.before, -value, v.before, value);
        _book(ts, x.market, x.m);
        _market(x.market).book(x.m.openInterest, x.m.units[0], x.m.units[1], KEEP_PREMIUM);
        _checkMargin(t, x.m);
        _keep(t, x.market, h);
        e.t.a.bitmap &= ~(1 << x.market);
        _leave(e, x, v.before);
    }

    /// @dev The position's units leave its side: the other side's sizes shrink by as much in all, at the index.
    function _deleverage(Ending memory e, Held memory x) internal {
        uint256 side = Sides.sideOf(x.p.units);
        int256 size = Sides.sizeOf(x.m, x.p.units);
        AccountId pool = AccountIds.from(venueFor[x.market], 0);
        bool told = pool.key() != e.t.id.key();
        int256 before = told ? _sizeIn(pool, x.market, x.m) : int256(0);
        x.m.units[side] -= x.p.units.abs();
        x.m.openInterest -= size.abs();
        int256 after_ = told ? _sizeIn(pool, x.market, x.m) : int256(0);
        _market(x.market).book(x.m.openInterest, x.m.units[0], x.m.units[1], KEEP_PREMIUM);
        e.t.a.bitmap &= ~(1 << x.market);
        emit Deleveraged(e.t.id, x.market, size);
        _leave(e, x, size);
        if (before != after_) _tell(pool, x.market, x.m, before, after_);
    }

    /// @dev Stores that the account holds nothing in this market any more; a venue's curve follows.
    function _leave(Ending memory e, Held memory x, int256 size) private {
        positions[e.t.id][x.market] = 0;
        emit PositionSet(e.t.id, x.market, 0);
        if (_isVenues(e.t)) _tell(e.t.id, x.market, x.m, size, 0);
    }

    /// @dev A position in a market without a price stays; it is only touched.
    function _stay(Ending memory e, Held memory x) internal {
        uint256 word = x.p.pack();
        if (word == x.word) return;
        positions[e.t.id][x.market] = word;
        emit PositionSet(e.t.id, x.market, word);
    }
}
