// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {AmountOverflow, House, Leg, Position, Words} from "../types/Ledger.sol";
import {IndexView, MarketState, MarketView} from "../types/Market.sol";
import {Ledger} from "./Ledger.sol";

/// @title Clearing: what legs do to the accounts they name, all or none.
/// @dev Structs are allocated by the caller and filled in place: this is the hot path.
abstract contract Clearing is Ledger {
    using Fixed for int256;
    using Words for House;
    using Words for Position;

    /// @notice Most that a venue's transfer may take from a leg of somebody else, of its cash (5 %).
    uint256 public constant MAX_FEE = 0.05e18;
    uint256 public constant MAX_HELD = 16;
    /// @notice A venue allowed in every market.
    uint256 public constant ANY_MARKET = 255;
    uint256 internal constant TRADE = 1;
    uint256 internal constant WITHDRAW = 2;
    uint256 internal constant FUND = 4;
    int256 internal constant MAX_SIZE = 1 << 79;
    uint256 internal constant MAX_AMOUNT = type(uint96).max;

    /// @dev The only market it may fill (or ANY_MARKET; 0 when it may fill none), and that market's contract.
    struct Venue {
        IPerpMarket contract_;
        uint96 marketPlusOne;
    }

    // What the clearing house and its backstop share stands here and in Ledger; the backstop has no other storage.
    mapping(address venue => Venue) internal venues;
    /// @dev The venue that was last allowed for this market alone: its inventory is told of what moves it but a fill.
    mapping(uint256 market => address) internal venueFor;
    /// @notice Deficits that no insurance and no side was there for, WAD quote: they lower the release ratio.
    uint256 public orphanDeficit;
    mapping(AccountId => mapping(address => uint256)) internal delegates;

    function _isAuthorised(AccountId id, address who, uint256 permission) internal view returns (bool) {
        return id.owner() == who || delegates[id][who] & permission == permission;
    }

    /// @dev The market's contract; reverts unless `venue` is one of it.
    function _requireVenue(address venue, uint256 market) internal view returns (IPerpMarket) {
        Venue storage v = venues[venue];
        if (v.marketPlusOne == market + 1) return v.contract_;
        if (v.marketPlusOne != ANY_MARKET + 1) revert ClearingNotVenue(venue, market);
        return _market(market);
    }

    /// @dev Accrues, touches every account, books legs, losses, transfers and the market, then checks margin.
    function _clear(IPerpMarket contract_, uint256 market, Leg[] calldata legs, uint256 houseFee, int256 premium)
        internal
    {
        _checkHouseFee(houseFee);
        MarketView memory m;
        contract_.accrueToBook().unpackInto(m);
        _requireFillable(contract_, market, m);
        Touched[] memory ts = new Touched[](legs.length);
        _net(ts, legs, houseFee, market, m);
        _measure(ts, m);
        _apply(ts, contract_, market, m, houseFee, premium);
    }

    /// @dev As `_clear`, with the two legs of a fill of `taker` by the calling venue, which plans when both are touched.
    function _fill(IPerpMarket contract_, uint256 market, AccountId taker, Ask calldata ask)
        internal
        returns (Fill memory f)
    {
        MarketView memory m;
        contract_.accrueToBook().unpackInto(m);
        _requireFillable(contract_, market, m);
        AccountId pool = AccountIds.from(msg.sender, 0);
        if (taker.key() == pool.key()) revert ClearingUnsortedLegs(pool, taker);
        Touched[] memory ts = new Touched[](2);
        uint256 first = taker.key() < pool.key() ? 0 : 1;
        (Touched memory t, Touched memory v) = (ts[first], ts[1 - first]);
        if (first == 0) _touch(t, taker, market, m);
        _touch(v, pool, market, m);
        if (first == 1) _touch(t, taker, market, m);
        _measure(ts, m);
        IndexView memory now_ = IndexView(m.index, m.strict, m.updatedAt, m.variance, m.live);
        f = IVenue(msg.sender).planFill(market, now_, taker, v.before, t.before, ask);
        int256 cash = f.size > 0 ? -int256(f.quote) : int256(f.quote);
        (t.size, t.cash, t.transfer) = (f.size, cash, -int256(f.fee));
        (v.size, v.cash, v.transfer) = (-f.size, -cash, int256(f.fee) - int256(f.houseFee));
        _checkLeg(t.size, t.cash, t.transfer);
        _checkHouseFee(f.houseFee);
        _apply(ts, contract_, market, m, f.houseFee, f.premium);
    }

    function _checkHouseFee(uint256 houseFee) internal pure {
        if (houseFee > MAX_AMOUNT) revert AmountOverflow(houseFee, MAX_AMOUNT);
    }

    /// @dev Bounds what a venue asks for, so that sums of it are far from the ends of the word.
    function _checkLeg(int256 size, int256 cash, int256 transfer) internal pure {
        if (size >= MAX_SIZE || size <= -MAX_SIZE) revert ClearingSizeOutOfRange(size, uint256(MAX_SIZE));
        if (cash.abs() > MAX_AMOUNT) revert AmountOverflow(cash.abs(), MAX_AMOUNT);
        if (transfer.abs() > MAX_AMOUNT) revert AmountOverflow(transfer.abs(), MAX_AMOUNT);
    }

    /// @dev Each account's size and worth before its leg, when all are touched.
    function _measure(Touched[] memory ts, MarketView memory m) internal pure {
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            t.before = t.after_ = Sides.sizeOf(m, t.p.units);
            // Capital has 96 bits, pnl after a touch less than 200.
            unchecked {
                t.value = int256(t.a.capital) + t.a.pnl;
            }
        }
    }

    /// @dev What follows the touch: trade legs, the market, transfers, margin, and the words of each account.
    function _apply(
        Touched[] memory ts,
        IPerpMarket contract_,
        uint256 market,
        MarketView memory m,
        uint256 houseFee,
        int256 premium
    ) private {
        House memory h;
        h.read(totals);
        _book(ts, market, m);
        contract_.book(m.openInterest, m.units[0], m.units[1], premium);
        _transfers(ts, h, houseFee);
        for (uint256 i; i < ts.length; ++i) {
            _checkMargin(ts[i], m);
            _keep(ts[i], market, h);
        }
        _saveHouse(h);
    }

    /// @dev Stores an account and its position in the market that was cleared.
    function _keep(Touched memory t, uint256 market, House memory h) internal {
        _settle(t, h);
        uint256 word = t.p.units == 0 ? 0 : t.p.pack();
        accounts[t.id] = t.word;
        if (word != t.pWord) positions[t.id][market] = word;
        emit LegBooked(t.id, market, t.word, word);
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
            if (!again) {
                if (id.key() < last.key()) revert ClearingUnsortedLegs(last, id);
                _touch(t, id, market, m);
                last = id;
                ++n;
            }
            (int256 legSize, int256 legCash, int256 legTransfer) = (leg.size, leg.cash, leg.transfer);
            _checkLeg(legSize, legCash, legTransfer);
            unchecked {
                (t.size, t.cash, t.transfer) = (t.size + legSize, t.cash + legCash, t.transfer + legTransfer);
                (size, cash, moved) = (size + legSize, cash + legCash, moved + legTransfer);
            }
        }
        if (size != 0 || cash != 0 || moved != 0) revert ClearingUnbalancedLegs(size, cash, moved);
        assembly ("memory-safe") {
            mstore(ts, n)
        }
    }

    /// @dev Trade legs: pnl += cash + size * P; units enter and leave at the ratio before the legs; O follows the sides.
    /// Sizes have 81 bits, units 96 and less than 161 when they come; amounts as `_checkLeg` says, and `_touch` of pnl.
    function _book(Touched[] memory ts, uint256 market, MarketView memory m) internal pure {
        unchecked {
            int256 grown; // change of the long sizes, `units` of the long units; of the short ones below
            int256 units;
            int256 grownShort;
            int256 unitsShort;
            for (uint256 i; i < ts.length; ++i) {
                Touched memory t = ts[i];
                if (t.size != 0) {
                    (int256 had, int256 was) = (t.p.units, t.before);
                    _resize(t, market, m);
                    (int256 has, int256 is_) = (t.p.units, t.after_);
                    grown += Fixed.positive(is_) - Fixed.positive(was);
                    grownShort += Fixed.positive(-is_) - Fixed.positive(-was);
                    units += Fixed.positive(has) - Fixed.positive(had);
                    unitsShort += Fixed.positive(-has) - Fixed.positive(-had);
                }
                t.a.pnl += t.cash + t.size.mulWadFloorRaw(int256(m.index));
                _collect(t.a);
            }
            int256 o = int256(m.openInterest) + (grown < grownShort ? grown : grownShort);
            uint256 openInterest = o > 0 ? uint256(o) : 0;
            if (openInterest > m.openInterest && openInterest > m.openInterestCap) {
                revert ClearingOpenInterestCap(market, openInterest, m.openInterestCap);
            }
            // A side contains the units that leave it.
            m.units[0] = uint256(int256(m.units[0]) + units);
            m.units[1] = uint256(int256(m.units[1]) + unitsShort);
            m.openInterest = openInterest;
        }
    }

    /// @dev Moves one position by its leg: its units, `after_` and the account's bit.
    function _resize(Touched memory t, uint256 market, MarketView memory m) internal pure {
        int256 after_;
        unchecked {
            after_ = t.before + t.size;
        }
        if (after_ >= MAX_SIZE || after_ <= -MAX_SIZE) revert ClearingSizeOutOfRange(after_, uint256(MAX_SIZE));
        uint256 to = Sides.sideOf(after_);
        uint256 now_ = after_.abs();
        if (now_ < Sides.DUST) (after_, to, now_) = (0, 0, 0);
        uint256 had = Sides.sideOf(t.p.units) == to ? t.p.units.abs() : 0;
        uint256 has = now_ == 0 ? 0 : _unitsAfter(m, to, had, t.before.abs(), now_);
        if (has == 0) after_ = 0;
        t.after_ = after_;
        unchecked {
            t.p.units = to == 0 ? int256(has) : -int256(has);
        }
        (t.p.k, t.p.epoch) = (Sides.kOf(m, to), Sides.epochOf(m, to));
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
        unchecked {
            if (had == 0) return Sides.unitsDown(m, side, now_);
            if (now_ >= was) return had + Sides.unitsDown(m, side, now_ - was);
            uint256 out = Sides.unitsUp(m, side, was - now_);
            return had > out ? had - out : 0;
        }
    }

    /// @dev Limits on a position that opens, grows or flips; venues' own accounts are bound by margin alone.
    function _checkGrowth(Touched memory t, uint256 market, MarketView memory m) internal pure {
        if (t.a.bitmap & Words.VENUE_BIT != 0) return;
        // Dust that opens nothing would be paid for all the same.
        bool nothing = t.before == 0 && t.after_ == 0;
        if (t.after_ == 0 && !nothing) return;
        if (!t.exempt) {
            uint256 notional = Fixed.mulWadUpRaw(nothing ? t.size.abs() : t.after_.abs(), m.index);
            if (notional < m.minNotional) revert ClearingPositionTooSmall(t.id, notional, m.minNotional);
            if (!_grew(t)) return;
            if (m.state != MarketState.Active) revert ClearingReduceOnly(t.id, t.before, t.after_);
            if (notional > m.accountCap) revert ClearingAccountCap(t.id, notional, m.accountCap);
        }
        if (t.before == 0 && t.after_ != 0) {
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
        uint256 senior; // of capital, which has 96 bits
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            if (t.transfer >= 0) continue;
            unchecked {
                senior += _pay(t, uint256(-t.transfer));
            }
        }
        uint256 fee = Fixed.min(senior, houseFee);
        unchecked {
            h.feesPending += fee / Words.FEE_UNIT;
            senior -= fee;
        }
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            if (t.transfer <= 0) continue;
            uint256 s = Fixed.min(senior, uint256(t.transfer));
            unchecked {
                senior -= s;
                t.a.capital += s;
                t.a.pnl += t.transfer - int256(s);
            }
            _collect(t.a);
        }
    }

    /// @dev Takes what a payer owes. @return senior The part that was capital.
    function _pay(Touched memory t, uint256 owed) internal view returns (uint256 senior) {
        if (!t.exempt && t.id.owner() != msg.sender) {
            uint256 maximum = Fixed.mulWadUpRaw(t.cash.abs(), MAX_FEE);
            if (owed > maximum) revert ClearingFeeTooHigh(t.id, owed, maximum);
        }
        unchecked {
            uint256 available = t.a.capital + uint256(t.a.pnl.positive());
            if (owed > available) revert ClearingTransferShort(t.id, owed, available);
            // `owed` is available: capital first, and no more pnl than there is.
            senior = Fixed.min(t.a.capital, owed);
            t.a.capital -= senior;
            t.a.pnl -= int256(owed - senior);
        }
    }

    /// @dev After the legs: initial margin, or risk only fell (no growth, E - M and E / M no worse, E >= 0).
    function _checkMargin(Touched memory t, MarketView memory m) internal view {
        bool venue = t.a.bitmap & Words.VENUE_BIT != 0;
        MarginMath.Sums memory s = t.rest; // of its other markets until here, of all from here
        MarginMath.addInitial(s, m, t.after_, venue);
        (uint256 collateral, uint256 collateralInitial) = _collateral(t.id, t.a);
        int256 initialEquity = MarginMath.initialEquity(t.a, s, collateralInitial);
        if (initialEquity >= int256(s.initial) && s.live) return; // the market cleared is live
        if (_grew(t)) revert ClearingInitialMargin(t.id, initialEquity, s.initial);
        int256 equity = MarginMath.equity(t.a, s, collateral);
        int256 before = equity - (int256(t.a.capital) + t.a.pnl - t.value);
        uint256 required = s.maintenance + MarginMath.maintenance(s, m, t.after_, venue);
        uint256 maintenance = s.maintenance + MarginMath.maintenance(s, m, t.before, venue);
        if (!MarginMath.onlyFell(before, maintenance, equity, required)) {
            revert ClearingRiskRose(t.id, equity, required);
        }
    }
}
