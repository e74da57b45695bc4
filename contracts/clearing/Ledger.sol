// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LibBit} from "solady/utils/LibBit.sol";
import {ILedger} from "../interfaces/ILedger.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId} from "../types/AccountId.sol";
import {Account, AmountOverflow, Health, House, Position, Words} from "../types/Ledger.sol";
import {MarketView} from "../types/Market.sol";

/// @title Ledger: the stored accounts, positions and totals, and what a touch does to them.
/// @dev Plans are views (`_plan`); writers (`_touch`, `_save`) apply them. The only writes to the ledger are here.
abstract contract Ledger is ILedger {
    using Fixed for int256;
    using Words for Account;
    using Words for Position;
    using Words for House;

    /// @notice Passed to the market to leave its standing premium as it is.
    int256 internal constant KEEP_PREMIUM = type(int256).max;
    uint256 internal constant NO_MARKET = 256;

    address public immutable vault;

    mapping(AccountId => uint256) internal accounts;
    mapping(AccountId => mapping(uint256 market => uint256)) internal positions;
    uint256 internal totals;
    mapping(uint256 number => address) public marketOf;
    /// @dev Sums of negative pnl: of accounts with other collateral and no mark 128 | of all others 128 = 256 bits. WAD quote.
    uint256 internal debts;
    /// @dev When an account was last found bankrupt without a taker, seconds; 0 when it was not, or is resolved.
    mapping(AccountId => uint256) internal marks;
    /// @dev Interest charged to accounts and not yet given to insurance, WAD quote.
    uint256 internal interestPending;
    /// @dev The vault's interest index up to which an account with a negative pnl and other collateral has paid.
    mapping(AccountId => uint256) internal paidUpTo;
    address internal transient holder;

    modifier locked() {
        _requireUnlocked();
        holder = address(this);
        _;
        holder = address(0);
    }

    /// @notice A market an account holds besides the one being cleared.
    struct Held {
        uint256 market;
        MarketView m;
        Position p;
        uint256 word;
        bool shrunk;
    }

    /// @notice An account in the middle of a call.
    /// @param word As stored. @param a As it is now. @param p,pWord Its position in the market being cleared.
    /// @param rest Margin of its other markets. @param size,cash,transfer Its netted leg.
    /// @param before Size before the leg. @param value capital + pnl before the leg. @param exempt From caps, floors
    /// and reduce-only: its leg moves at the index because somebody is below his margin.
    /// @param interest What its pnl was charged in this call and the ledger does not know yet, WAD quote.
    struct Touched {
        AccountId id;
        uint256 word;
        Account a;
        Position p;
        uint256 pWord;
        MarginMath.Sums rest;
        int256 size;
        int256 cash;
        int256 transfer;
        int256 before;
        int256 after_;
        int256 value;
        bool exempt;
        uint256 interest;
    }

    constructor(address vault_) {
        vault = vault_;
    }

    function _requireUnlocked() internal view {
        if (holder != address(0)) revert ClearingLocked(holder);
    }

    // Markets

    function _market(uint256 market) internal view returns (IPerpMarket) {
        address m = marketOf[market];
        if (m == address(0)) revert ClearingUnknownMarket(market);
        return IPerpMarket(m);
    }

    function _heldAccrued(AccountId id, uint256 bits) internal returns (Held[] memory held) {
        held = _heldStored(id, bits);
        for (uint256 i; i < held.length; ++i) {
            _market(held[i].market).accrue().unpackInto(held[i].m);
        }
    }

    function _heldPeeked(AccountId id, uint256 bits) internal view returns (Held[] memory held) {
        held = _heldStored(id, bits);
        for (uint256 i; i < held.length; ++i) {
            held[i].m = _market(held[i].market).peek();
        }
    }

    function _heldStored(AccountId id, uint256 bits) private view returns (Held[] memory held) {
        held = new Held[](LibBit.popCount(bits));
        for (uint256 i; bits != 0; ++i) {
            uint256 market = LibBit.ffs(bits);
            bits &= bits - 1;
            held[i].market = market;
            held[i].word = positions[id][market];
            held[i].p.read(held[i].word);
        }
    }

    // Touch

    /// @dev Takes a position through the epochs that ended since its last touch, to its side's `epoch`; its profit in them.
    function _convert(uint256 market, uint256 epoch, Position memory p) internal view returns (int256 pnl) {
        while (p.units != 0 && p.epoch != epoch) {
            uint256 side = Sides.sideOf(p.units);
            (int256 k, uint256 ratio) = _market(market).epochEnd(side, p.epoch);
            pnl += Sides.profit(p, k);
            p.units = p.units * int256(ratio) / int256(Sides.RATIO_SCALE);
            p.k = k;
            ++p.epoch;
        }
    }

    /// @dev Size after a touch, without the dust rule (which would move `m`).
    function _sizeIn(AccountId id, uint256 market, MarketView memory m) internal view returns (int256) {
        uint256 word = positions[id][market];
        if (word == 0) return 0;
        Position memory p;
        p.read(word);
        _convert(market, Sides.epochOf(m, Sides.sideOf(p.units)), p);
        return Sides.sizeOf(m, p.units);
    }

    /// @dev What a touch does to one position: profit since the last touch; ended epochs convert; dust is closed.
    /// @return pnl WAD quote. @return shrunk Whether dust left its side in `m`.
    function _sync(uint256 market, MarketView memory m, Position memory p)
        internal
        view
        returns (int256 pnl, bool shrunk)
    {
        uint256 side = Sides.sideOf(p.units);
        pnl = _convert(market, Sides.epochOf(m, side), p);
        if (p.units == 0) return (pnl, false);
        int256 k = Sides.kOf(m, side);
        unchecked {
            pnl += Sides.profit(p, k); // below 2^136 each; a market has 2^24 epochs
        }
        p.k = k;
        uint256 size = Sides.sizeOf(m, p.units).abs();
        if (size < Sides.DUST) {
            m.units[side] -= p.units.abs();
            m.openInterest -= size;
            p.units = 0;
            shrunk = true;
        }
    }

    /// @dev The plan of a touch: `t` gets the account as it will be; `held` its other positions.
    function _plan(Touched memory t, Held[] memory held) internal view {
        bool venue = t.a.bitmap & Words.VENUE_BIT != 0;
        MarginMath.Sums memory rest = t.rest;
        int256 pnl;
        for (uint256 i; i < held.length; ++i) {
            Held memory x = held[i];
            int256 gain;
            (gain, x.shrunk) = _sync(x.market, x.m, x.p);
            pnl += gain;
            if (x.p.units == 0) {
                t.a.bitmap &= ~(1 << x.market);
                continue;
            }
            MarginMath.add(rest, x.m, Sides.sizeOf(x.m, x.p.units), venue);
            ++rest.markets;
            if (x.m.interruptedUntil > block.timestamp) rest.interrupted = true;
            if (x.m.isolated) rest.isolated = true;
        }
        t.a.pnl += pnl;
    }

    /// @dev Loads `id` into a new `t`.
    function _read(Touched memory t, AccountId id) internal view {
        uint256 word = accounts[id];
        (t.id, t.word) = (id, word);
        t.a.read(word);
        MarginMath.begin(t.rest);
        if (_bears(t.a)) _bearInterest(t);
    }

    // Interest

    /// @dev Whether the account's loss is covered by other collateral, and so bears interest.
    function _bears(Account memory a) internal pure returns (bool) {
        return a.pnl < 0 && a.bitmap & Words.COLLATERAL_BIT != 0;
    }

    /// @dev Interest on the loss as it stood: ceil(loss * (index now - index when it was stored)).
    function _bearInterest(Touched memory t) private view {
        uint256 grown = IMarginVault(vault).interestIndex() - paidUpTo[t.id];
        t.interest = Fixed.divUp(t.a.pnl.abs() * grown, 1e18);
        t.a.pnl -= int256(t.interest);
    }

    /// @dev Follows an account's word from `old` to `t.word` where one of them has a negative pnl.
    function _owe(Touched memory t, uint256 old) private {
        debts = debts - _debtIn(t.id, old) + _debtIn(t.id, t.word);
        if (_bears(t.a)) paidUpTo[t.id] = IMarginVault(vault).interestIndex();
        if (t.interest == 0) return;
        interestPending += t.interest;
        t.interest = 0;
    }

    /// @dev What a word of the account adds to `debts`. Collateral of a marked one covers its loss no more: a gift of some must
    /// not hide it.
    function _debtIn(AccountId id, uint256 word) private view returns (uint256) {
        int256 pnl = Words.pnlOf(word);
        if (pnl >= 0) return 0;
        bool covered = word >> 192 & Words.COLLATERAL_BIT != 0 && marks[id] == 0;
        return covered ? pnl.abs() : pnl.abs() << 128;
    }

    /// @dev The one writer of marks. @param time Seconds; 0 takes the mark away.
    function _setMark(AccountId id, uint256 time) internal {
        uint256 word = accounts[id];
        uint256 before = _debtIn(id, word);
        marks[id] = time;
        debts = debts - before + _debtIn(id, word);
    }

    /// @dev Loads `id` and touches all its markets; `current`'s view is the caller's and its market is booked by the caller.
    function _touch(Touched memory t, AccountId id, uint256 current, MarketView memory m) internal {
        _read(t, id);
        uint256 bits = t.a.bitmap & Words.MARKETS_MASK;
        uint256 bit = 1 << current; // 0 for NO_MARKET
        if (bits & bit != 0) {
            uint256 word = t.pWord = positions[id][current];
            t.p.read(word);
            (int256 gain,) = _sync(current, m, t.p);
            unchecked {
                t.a.pnl += gain; // 96 bits and, as a profit is a product of 224 over 1e27, far below the word
            }
            if (t.p.units == 0) t.a.bitmap &= ~bit;
        }
        bits &= ~bit;
        if (bits == 0) _collect(t.a);
        else _touchOthers(t, id, bits);
    }

    function _touchOthers(Touched memory t, AccountId id, uint256 bits) private {
        Held[] memory held = _heldAccrued(id, bits);
        _plan(t, held);
        _collect(t.a);
        for (uint256 i; i < held.length; ++i) {
            Held memory x = held[i];
            uint256 word = x.p.units == 0 ? 0 : x.p.pack();
            if (word != x.word) {
                positions[id][x.market] = word;
                emit PositionSet(id, x.market, word);
            }
            if (x.shrunk) _market(x.market).book(x.m.openInterest, x.m.units[0], x.m.units[1], KEEP_PREMIUM);
        }
    }

    /// @dev A loss eats capital: pnl is negative only where capital is 0.
    function _collect(Account memory a) internal pure {
        if (a.pnl >= 0) return;
        // x is at most the capital and at most the loss.
        unchecked {
            uint256 x = Fixed.min(a.capital, uint256(-a.pnl));
            a.capital -= x;
            a.pnl += int256(x);
        }
    }

    /// @dev Packs the account into `t.word` and moves the totals with it. Whether it changed.
    function _settle(Touched memory t, House memory h) internal returns (bool) {
        uint256 old = t.word;
        t.word = _moved(old, t.a, h);
        if (t.word == old && t.interest == 0) return false;
        if (t.a.pnl < 0 || Words.pnlOf(old) < 0) _owe(t, old);
        return true;
    }

    /// @dev The word of an account that was `old`; the totals move with it.
    function _moved(uint256 old, Account memory a, House memory h) internal pure returns (uint256 word) {
        word = a.pack();
        if (word == old) return word;
        (int256 pnl, int256 oldPnl) = (a.pnl, Words.pnlOf(old));
        // Sums of fields of 96 bits; `pack` held the new ones to their width. Totals contain what is taken off.
        unchecked {
            h.capitalTotal = h.capitalTotal + a.capital - Words.capitalOf(old);
            if (pnl > 0) h.profitTotal += uint256(pnl);
            if (oldPnl > 0) h.profitTotal -= uint256(oldPnl);
        }
    }

    /// @dev Stores the account and moves the totals.
    function _save(Touched memory t, House memory h) internal {
        if (!_settle(t, h)) return;
        accounts[t.id] = t.word;
        emit AccountSet(t.id, t.word);
    }

    /// @dev Adds capital without touching markets: it needs no price. A venue's own account takes only from that venue.
    /// @return added What of it is capital, when a loss was waiting for some.
    function _credit(AccountId id, uint256 amount) internal returns (uint256 added) {
        if (id.owner() == address(0)) revert ClearingNoOwner(id);
        uint256 old = accounts[id];
        if (old >> 192 & Words.VENUE_BIT != 0 && id.owner() != msg.sender) revert ClearingVenueAccount(id);
        if (Words.pnlOf(old) < 0) return _creditDebtor(id, amount);
        // Amounts have 96 bits.
        unchecked {
            uint256 capital = Words.capitalOf(old) + amount;
            if (capital > type(uint96).max) revert AmountOverflow(capital, type(uint96).max);
            if (amount == 0) return 0;
            accounts[id] = old + amount;
            emit AccountSet(id, old + amount);
            return amount;
        }
    }

    /// @dev As `_credit`, of an account whose loss takes of it first.
    function _creditDebtor(AccountId id, uint256 amount) private returns (uint256 added) {
        Touched memory t;
        _read(t, id);
        t.a.capital = amount; // it had none
        _collect(t.a);
        House memory none; // a loss is no part of the totals
        _save(t, none);
        return none.capitalTotal;
    }

    function _loadHouse() internal view returns (House memory h) {
        h.read(totals);
    }

    function _saveHouse(House memory h) internal {
        uint256 word = h.pack();
        uint256 old = totals;
        if (word == old) return;
        totals = word;
        if (word >> 192 != old >> 192) emit FeesPending(word >> 192);
    }

    /// @dev Touches one account for its own sake.
    function _touchAlone(AccountId id, House memory h) internal returns (Touched memory t) {
        MarketView memory none;
        _touch(t, id, NO_MARKET, none);
        _save(t, h);
    }

    // Margin

    function _collateral(AccountId id, Account memory a) internal view returns (uint256 maintenance, uint256 initial) {
        if (a.bitmap & Words.COLLATERAL_BIT == 0) return (0, 0);
        return IMarginVault(vault).collateralValue(id);
    }

    function _health(AccountId id, Account memory a, MarginMath.Sums memory s) internal view returns (Health memory) {
        (uint256 maintenance, uint256 initial) = _collateral(id, a);
        return MarginMath.health(a, s, maintenance, initial);
    }

    /// @dev What leaves by the owner's will must leave initial margin, with positive pnl counted 0 and all prices valid.
    function _checkFree(AccountId id, Account memory a, MarginMath.Sums memory s) internal view {
        if (a.bitmap & Words.MARKETS_MASK == 0 && a.pnl >= 0) return;
        (, uint256 collateral) = _collateral(id, a);
        int256 equity = int256(a.capital + collateral) + s.strictLoss + (a.pnl < 0 ? a.pnl : int256(0));
        if (equity < int256(s.initial) || !s.live) revert ClearingInitialMargin(id, equity, s.initial);
    }

    // Release

    /// @dev Backing of junior profit: R = V - capitalTotal - pending fees, WAD quote.
    function _backing(House memory h) internal view returns (uint256) {
        uint256 senior = h.capitalTotal + h.feesPending * Words.FEE_UNIT;
        uint256 held = IMarginVault(vault).settlementWad();
        return held > senior ? held - senior : 0;
    }

    /// @dev h = min(1, R / profitTotal), WAD, rounded down; 1 when nobody has profit.
    function _ratio(House memory h) internal view returns (uint256) {
        uint256 backing = _backing(h);
        return backing >= h.profitTotal ? 1e18 : backing * 1e18 / h.profitTotal;
    }

    /// @dev Turns `amount` of pnl into capital at h, rounded down.
    function _release(Touched memory t, House memory h, uint256 amount, uint256 minRatio)
        internal
        returns (uint256 out)
    {
        if (t.a.pnl < 0 || uint256(t.a.pnl) < amount) {
            revert ClearingProfitTooLow(t.id, t.a.pnl, amount);
        }
        if (t.rest.interrupted) revert ClearingInterrupted(NO_MARKET, block.timestamp);
        uint256 backing = _backing(h);
        bool whole = backing >= h.profitTotal;
        uint256 ratio = whole ? 1e18 : backing * 1e18 / h.profitTotal;
        if (ratio < minRatio) revert ClearingReleaseRatio(ratio, minRatio);
        out = whole ? amount : amount * backing / h.profitTotal;
        t.a.pnl -= int256(amount);
        t.a.capital += out;
        emit Released(t.id, amount, out);
    }
}
