// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId} from "../types/AccountId.sol";
import {House, Leg, Position, Words} from "../types/Ledger.sol";
import {MarketState, MarketView} from "../types/Market.sol";
import {Ledger} from "./Ledger.sol";

/// @title Clearing: what legs do to the accounts they name, all or none.
/// @dev It holds no state. Structs are allocated by the caller and filled in place: this is the hot path.
abstract contract Clearing is Ledger {
    using Fixed for int256;
    using Words for House;
    using Words for Position;

    /// @notice Most that a venue's transfer may take from a leg of somebody else, of its cash (5 %).
    uint256 public constant MAX_FEE = 0.05e18;
    uint256 public constant MAX_HELD = 16;
    int256 internal constant MAX_SIZE = 1 << 79;

    /// @dev Accrues, touches every account, books legs, losses, transfers and the market, then checks margin.
    function _clear(IPerpMarket contract_, uint256 market, Leg[] calldata legs, uint256 houseFee, int256 premium)
        internal
    {
        MarketView memory m;
        contract_.accrue().unpackInto(m);
        _requireFillable(contract_, market, m);
        Touched[] memory ts = new Touched[](legs.length);
        _net(ts, legs, houseFee, market, m);
        House memory h;
        h.read(totals);
        _book(ts, market, m);
        contract_.book(m.openInterest, m.units[0], m.units[1], premium);
        _transfers(ts, h, houseFee);
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            _checkMargin(t, m);
            _settle(t, h);
            uint256 word = t.p.units == 0 ? 0 : t.p.pack();
            accounts[t.id] = t.word;
            if (word != t.pWord) positions[t.id][market] = word;
            emit LegBooked(t.id, market, t.word, word);
        }
        _saveHouse(h);
    }

    function _requireFillable(IPerpMarket contract_, uint256 market, MarketView memory m) internal view {
        if (m.state >= MarketState.Settling) revert ClearingMarketState(market, m.state);
        if (!m.live) contract_.requirePrice();
        if (m.interruptedUntil > block.timestamp) revert ClearingInterrupted(market, m.interruptedUntil);
    }

    /// @dev Touches each account of the legs, sorted, equal neighbours added up; refuses sums that are not zero.
    /// Leaves the accounts in `ts`, and cuts it to their number.
    function _net(Touched[] memory ts, Leg[] calldata legs, uint256 houseFee, uint256 market, MarketView memory m)
        internal
    {
        uint256 n;
        (int256 size, int256 cash, int256 moved) = (0, 0, int256(houseFee));
        AccountId last;
        for (uint256 i; i < legs.length; ++i) {
            Leg calldata leg = legs[i];
            AccountId id = leg.account;
            bool again = n != 0 && id.key() == last.key();
            Touched memory t = ts[again ? n - 1 : n];
            if (again) {
                (t.size, t.cash, t.transfer) = (t.size + leg.size, t.cash + leg.cash, t.transfer + leg.transfer);
            } else {
                if (id.key() < last.key()) revert ClearingUnsortedLegs(last, id);
                _touch(t, id, market, m);
                (t.size, t.cash, t.transfer) = (leg.size, leg.cash, leg.transfer);
                last = id;
                ++n;
            }
            (size, cash, moved) = (size + leg.size, cash + leg.cash, moved + leg.transfer);
        }
        if (size != 0 || cash != 0 || moved != 0) revert ClearingUnbalancedLegs(size, cash, moved);
        assembly ("memory-safe") {
            mstore(ts, n)
        }
    }

    /// @dev Trade legs: pnl += cash + size * P; units enter and leave at the ratio before the legs; O follows the sides.
    function _book(Touched[] memory ts, uint256 market, MarketView memory m) internal pure {
        int256[2] memory grown;
        int256[2] memory units;
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            t.before = t.after_ = Sides.sizeOf(m, t.p.units);
            // Capital has 96 bits, pnl after a touch less than 200.
            unchecked {
                t.value = int256(t.a.capital) + t.a.pnl;
            }
            if (t.size != 0) _resize(t, market, m, grown, units);
            t.a.pnl += t.cash + t.size.mulWadFloor(int256(m.index));
            _collect(t.a);
        }
        int256 o = int256(m.openInterest) + (grown[0] < grown[1] ? grown[0] : grown[1]);
        uint256 openInterest = o > 0 ? uint256(o) : 0;
        if (openInterest > m.openInterest && openInterest > m.openInterestCap) {
            revert ClearingOpenInterestCap(market, openInterest, m.openInterestCap);
        }
        // A side contains the units that leave it; those that come have at most 160 bits.
        unchecked {
            m.units[0] = uint256(int256(m.units[0]) + units[0]);
            m.units[1] = uint256(int256(m.units[1]) + units[1]);
        }
        m.openInterest = openInterest;
    }

    /// @dev Moves one position by its leg. @param grown Change of the sides' sizes. @param units Change of their units.
    function _resize(
        Touched memory t,
        uint256 market,
        MarketView memory m,
        int256[2] memory grown,
        int256[2] memory units
    ) internal pure {
        int256 after_ = t.before + t.size;
        if (after_ >= MAX_SIZE || after_ <= -MAX_SIZE) revert ClearingSizeOutOfRange(after_, uint256(MAX_SIZE));
        (uint256 from, uint256 to) = (Sides.sideOf(t.p.units), Sides.sideOf(after_));
        (uint256 was, uint256 now_) = (t.before.abs(), after_.abs());
        if (now_ < Sides.DUST) (after_, to, now_) = (0, 0, 0);
        uint256 had = t.p.units.abs();
        uint256 has = now_ == 0 ? 0 : _unitsAfter(m, to, from == to ? had : 0, was, now_);
        if (has == 0) (after_, now_) = (0, 0);
        // Sizes are below 2^80, units below 2^160 (a size times a side's units): far from the ends of the word.
        unchecked {
            grown[from] -= int256(was);
            grown[to] += int256(now_);
            units[from] -= int256(had);
            units[to] += int256(has);
        }
        t.after_ = after_;
        (t.p.units, t.p.k, t.p.epoch) = (to == 0 ? int256(has) : -int256(has), m.k[to], m.epoch[to]);
        _checkGrowth(t, market, m);
        uint256 bit = 1 << market;
        t.a.bitmap = has == 0 ? t.a.bitmap & ~bit : t.a.bitmap | bit;
    }

    /// @dev Units of a position of `now_` lots that had `had` units on the same side (0: none) for `was` lots.
    function _unitsAfter(MarketView memory m, uint256 side, uint256 had, uint256 was, uint256 now_)
        internal
        pure
        returns (uint256)
    {
        if (had == 0) return Sides.unitsDown(m, side, now_);
        if (now_ >= was) return had + Sides.unitsDown(m, side, now_ - was);
        uint256 out = Sides.unitsUp(m, side, was - now_);
        return had > out ? had - out : 0;
    }

    /// @dev Limits on a position that opens, grows or flips; venues' own accounts are bound by margin alone.
    function _checkGrowth(Touched memory t, uint256 market, MarketView memory m) internal pure {
        if (t.a.bitmap & Words.VENUE_BIT != 0) return;
        // Dust that opens nothing would be paid for all the same.
        bool nothing = t.before == 0 && t.after_ == 0;
        if (t.after_ == 0 && !nothing) return;
        uint256 notional = Fixed.mulWadUp(nothing ? t.size.abs() : t.after_.abs(), m.index);
        if (notional < m.minNotional) revert ClearingPositionTooSmall(t.id, notional, m.minNotional);
        if (!_grew(t)) return;
        if (m.state != MarketState.Active) revert ClearingReduceOnly(t.id, t.before, t.after_);
        if (notional > m.accountCap) revert ClearingAccountCap(t.id, notional, m.accountCap);
        if (t.before == 0) {
            if (t.rest.isolated || (m.isolated && t.rest.markets != 0)) revert ClearingIsolatedMarket(t.id, market);
            if (t.rest.markets >= MAX_HELD) revert ClearingTooManyMarkets(t.id, t.rest.markets + 1, MAX_HELD);
        }
    }

    function _grew(Touched memory t) internal pure returns (bool) {
        return t.after_ != 0 && (t.after_.abs() > t.before.abs() || t.after_ > 0 != t.before > 0);
    }

    /// @dev Transfer legs: payers give capital first, then pnl; the house takes capital first, then receivers in order.
    /// What the house would get as pnl is cancelled and stays as surplus.
    function _transfers(Touched[] memory ts, House memory h, uint256 houseFee) internal view {
        uint256 senior;
        uint256 junior;
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            if (t.transfer >= 0) continue;
            (uint256 s, uint256 j) = _pay(t, uint256(-t.transfer));
            // What accounts have is 96 bits each.
            unchecked {
                (senior, junior) = (senior + s, junior + j);
            }
        }
        uint256 fee = Fixed.min(senior, houseFee);
        h.feesPending += fee / Words.FEE_UNIT;
        senior -= fee;
        junior -= houseFee - fee;
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            if (t.transfer <= 0) continue;
            uint256 s = Fixed.min(senior, uint256(t.transfer));
            senior -= s;
            t.a.capital += s;
            t.a.pnl += t.transfer - int256(s);
            _collect(t.a);
        }
    }

    function _pay(Touched memory t, uint256 owed) internal view returns (uint256 senior, uint256 junior) {
        if (t.id.owner() != msg.sender) {
            uint256 maximum = Fixed.mulWadUp(t.cash.abs(), MAX_FEE);
            if (owed > maximum) revert ClearingFeeTooHigh(t.id, owed, maximum);
        }
        uint256 available = t.a.capital + (t.a.pnl > 0 ? uint256(t.a.pnl) : 0);
        if (owed > available) revert ClearingTransferShort(t.id, owed, available);
        // `owed` is available: capital first, and no more pnl than there is.
        unchecked {
            senior = Fixed.min(t.a.capital, owed);
            junior = owed - senior;
            t.a.capital -= senior;
            t.a.pnl -= int256(junior);
        }
    }

    /// @dev After the legs: initial margin, or risk only fell (no growth, E - M and E / M no worse, E >= 0).
    function _checkMargin(Touched memory t, MarketView memory m) internal view {
        bool venue = t.a.bitmap & Words.VENUE_BIT != 0;
        MarginMath.Sums memory s = t.rest; // of its other markets until here, of all from here
        uint256 maintenance = s.maintenance;
        MarginMath.add(s, m, t.after_, venue);
        (uint256 collateral, uint256 collateralInitial) = _collateral(t.id, t.a);
        int256 initialEquity = MarginMath.initialEquity(t.a, s, collateralInitial);
        if (initialEquity >= int256(s.initial) && s.live) return;
        if (_grew(t)) revert ClearingInitialMargin(t.id, initialEquity, s.initial);
        int256 equity = MarginMath.equity(t.a, s, collateral);
        int256 before = equity - (int256(t.a.capital) + t.a.pnl - t.value);
        uint256 required = s.maintenance;
        maintenance += MarginMath.maintenance(s, m, t.before, venue);
        if (!MarginMath.onlyFell(before, maintenance, equity, required)) {
            revert ClearingRiskRose(t.id, equity, required);
        }
    }
}
