// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Multicallable} from "solady/utils/Multicallable.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Account, AmountOverflow, Health, House, Leg, Position, Words} from "../types/Ledger.sol";
import {IndexView, MarketState, MarketView} from "../types/Market.sol";
import {MarketNow} from "../types/MarketNow.sol";
import {Ledger} from "./Ledger.sol";

/// @title ClearingHouse: refuses legs that do not balance, books the rest, and checks margin once per account.
/// @custom:stop guardian: `PerpMarket.reduceOnly` per market, `stopVenue` per venue; withdrawals of flat accounts go on.
contract ClearingHouse is Ledger, AccessManaged, Multicallable {
    using Fixed for int256;
    using Words for Position;

    /// @notice A venue allowed in every market.
    uint256 public constant ANY_MARKET = 255;
    /// @notice Most that a venue's transfer may take from a leg of somebody else, of its cash (5 %).
    uint256 public constant MAX_FEE = 0.05e18;
    uint256 public constant MAX_MARKETS = 62;
    uint256 public constant MAX_HELD = 16;
    int256 internal constant MAX_SIZE = 1 << 79;
    uint256 internal constant TRADE = 1;
    uint256 internal constant WITHDRAW = 2;
    uint256 internal constant FUND = 4;

    AccountId public immutable treasury;

    uint256 public marketCount;
    mapping(address market => bool) internal listed;
    mapping(address venue => uint256 marketPlusOne) internal venues;
    mapping(AccountId => mapping(address => uint256)) internal delegates;
    address internal transient holder;

    modifier locked() {
        _requireUnlocked();
        holder = address(this);
        _;
        holder = address(0);
    }

    modifier onlyVault(address expectedHolder) {
        if (msg.sender != vault) revert ClearingNotVault(msg.sender);
        if (holder != expectedHolder) revert ClearingLocked(holder);
        _;
    }

    modifier unlockedView() {
        if (holder != address(0) && holder != msg.sender) revert ClearingLocked(holder);
        _;
    }

    constructor(address authority_, address vault_, AccountId treasury_) Ledger(vault_) AccessManaged(authority_) {
        if (treasury_.owner() == address(0)) revert ClearingNoOwner(treasury_);
        treasury = treasury_;
    }

    function _requireUnlocked() internal view {
        if (holder != address(0)) revert ClearingLocked(holder);
    }

    // Venues

    /// @inheritdoc IClearingHouse
    function accrueFor(uint256 market, AccountId a, AccountId b)
        external
        locked
        returns (IndexView memory m, int256 sizeA, int256 sizeB)
    {
        MarketNow memory w = _market(market).accrue();
        (m, sizeA, sizeB) = (w.quoted(), _sizeNow(a, market, w), _sizeNow(b, market, w));
    }

    /// @inheritdoc IClearingHouse
    function setDepth(uint256 market, uint256 depth) external locked {
        _requireVenue(market);
        _market(market).setDepth(depth);
    }

    /// @inheritdoc IClearingHouse
    function clear(uint256 market, Leg[] calldata legs, uint256 houseFee, int256 premium) external locked {
        _requireVenue(market);
        if (houseFee > type(uint96).max) revert AmountOverflow(houseFee, type(uint96).max);
        MarketView memory m = _accrue(market);
        _requireFillable(market, m);
        Touched[] memory ts = _net(legs, houseFee, market, m);
        House memory h = _loadHouse();
        _book(ts, market, m, premium);
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

    function _requireVenue(uint256 market) internal view {
        uint256 allowed = venues[msg.sender];
        if (allowed != market + 1 && allowed != ANY_MARKET + 1) revert ClearingNotVenue(msg.sender, market);
    }

    function _requireFillable(uint256 market, MarketView memory m) internal view {
        if (m.state >= MarketState.Settling) revert ClearingMarketState(market, m.state);
        if (!m.live) _market(market).requirePrice();
        if (m.interruptedUntil > block.timestamp) revert ClearingInterrupted(market, m.interruptedUntil);
    }

    /// @dev Touches each account of the legs, sorted, equal neighbours added up; refuses sums that are not zero.
    function _net(Leg[] calldata legs, uint256 houseFee, uint256 market, MarketView memory m)
        internal
        returns (Touched[] memory ts)
    {
        ts = new Touched[](legs.length);
        uint256 n;
        (int256 size, int256 cash, int256 moved) = (0, 0, int256(houseFee));
        for (uint256 i; i < legs.length; ++i) {
            Leg calldata leg = legs[i];
            if (i == 0 || leg.account.key() != ts[n - 1].id.key()) {
                if (i != 0 && leg.account.key() < ts[n - 1].id.key()) {
                    revert ClearingUnsortedLegs(ts[n - 1].id, leg.account);
                }
                ts[n++] = _touch(leg.account, market, m);
            }
            Touched memory t = ts[n - 1];
            (t.size, t.cash, t.transfer) = (t.size + leg.size, t.cash + leg.cash, t.transfer + leg.transfer);
            (size, cash, moved) = (size + leg.size, cash + leg.cash, moved + leg.transfer);
        }
        if (size != 0 || cash != 0 || moved != 0) revert ClearingUnbalancedLegs(size, cash, moved);
        assembly ("memory-safe") {
            mstore(ts, n)
        }
    }

    /// @dev Trade legs: pnl += cash + size * P; units enter and leave at the ratio before the legs; O follows the sides.
    function _book(Touched[] memory ts, uint256 market, MarketView memory m, int256 premium) internal {
        int256[2] memory grown;
        int256[2] memory units;
        for (uint256 i; i < ts.length; ++i) {
            Touched memory t = ts[i];
            t.before = Sides.sizeOf(m, t.p.units);
            t.value = int256(t.a.capital) + t.a.pnl;
            t.after_ = t.before;
            if (t.size != 0) _resize(t, market, m, grown, units);
            t.a.pnl += t.cash + t.size.mulWadFloor(int256(m.index));
            _collect(t.a);
        }
        int256 o = int256(m.openInterest) + (grown[0] < grown[1] ? grown[0] : grown[1]);
        uint256 openInterest = o > 0 ? uint256(o) : 0;
        if (openInterest > m.openInterest && openInterest > m.openInterestCap) {
            revert ClearingOpenInterestCap(market, openInterest, m.openInterestCap);
        }
        m.units[0] = uint256(int256(m.units[0]) + units[0]);
        m.units[1] = uint256(int256(m.units[1]) + units[1]);
        m.openInterest = openInterest;
        _market(market).book(openInterest, m.units[0], m.units[1], premium);
    }

    /// @dev Moves one position by its leg. @param grown Change of the sides' sizes. @param units Change of their units.
    function _resize(
        Touched memory t,
        uint256 market,
        MarketView memory m,
        int256[2] memory grown,
        int256[2] memory units
    ) internal view {
        int256 after_ = t.before + t.size;
        if (after_ >= MAX_SIZE || after_ <= -MAX_SIZE) revert ClearingSizeOutOfRange(after_, uint256(MAX_SIZE));
        if (after_.abs() < Sides.DUST) after_ = 0;
        uint256 from = Sides.sideOf(t.p.units);
        uint256 to = Sides.sideOf(after_);
        uint256 had = t.p.units.abs();
        uint256 has;
        if (after_ != 0) {
            if (had == 0 || from != to) {
                has = Sides.unitsDown(m, to, after_.abs());
            } else if (after_.abs() >= t.before.abs()) {
                has = had + Sides.unitsDown(m, to, after_.abs() - t.before.abs());
            } else {
                uint256 out = Sides.unitsUp(m, to, t.before.abs() - after_.abs());
                has = had > out ? had - out : 0;
            }
        }
        if (has == 0) after_ = 0;
        grown[from] -= int256(t.before.abs());
        grown[to] += int256(after_.abs());
        units[from] -= int256(had);
        units[to] += int256(has);
        t.after_ = after_;
        t.p = Position(to == 0 ? int256(has) : -int256(has), m.k[to], m.epoch[to]);
        _checkGrowth(t, market, m);
        t.a.bitmap = has == 0 ? t.a.bitmap & ~(1 << market) : t.a.bitmap | (1 << market);
    }

    /// @dev Limits on a position that opens, grows or flips; venues' own accounts are bound by margin alone.
    function _checkGrowth(Touched memory t, uint256 market, MarketView memory m) internal pure {
        if (t.a.bitmap & Words.VENUE_BIT != 0 || t.after_ == 0) return;
        uint256 notional = Fixed.mulWadUp(t.after_.abs(), m.index);
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
            (senior, junior) = (senior + s, junior + j);
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
        senior = Fixed.min(t.a.capital, owed);
        junior = owed - senior;
        t.a.capital -= senior;
        t.a.pnl -= int256(junior);
    }

    /// @dev After the legs: initial margin, or risk only fell (no growth, E - M and E / M no worse, E >= 0).
    function _checkMargin(Touched memory t, MarketView memory m) internal view {
        bool venue = t.a.bitmap & Words.VENUE_BIT != 0;
        MarginMath.Sums memory s = MarginMath.copy(t.rest);
        MarginMath.add(s, m, t.after_, venue);
        Health memory h = _health(t.id, t.a, s);
        if (h.initialEquity >= int256(h.initial) && s.live) return;
        if (_grew(t)) revert ClearingInitialMargin(t.id, h.initialEquity, h.initial);
        int256 before = h.equity - (int256(t.a.capital) + t.a.pnl - t.value);
        uint256 maintenance = t.rest.maintenance + MarginMath.maintenance(s, m, t.before, venue);
        if (!MarginMath.onlyFell(before, maintenance, h.equity, h.maintenance)) {
            revert ClearingRiskRose(t.id, h.equity, h.maintenance);
        }
    }

    // Accounts

    /// @inheritdoc IClearingHouse
    function touch(AccountId[] calldata ids) external locked {
        House memory h = _loadHouse();
        _touchAll(ids, h);
        _saveHouse(h);
    }

    function _touchAll(AccountId[] calldata ids, House memory h) internal {
        for (uint256 i; i < ids.length; ++i) {
            _touchAlone(ids[i], h);
        }
    }

    /// @inheritdoc IClearingHouse
    function release(AccountId id, uint256 amount, AccountId[] calldata touchFirst, uint256 minRatio)
        external
        locked
        returns (uint256 capital)
    {
        _requireAuthorised(id, WITHDRAW);
        House memory h = _loadHouse();
        _touchAll(touchFirst, h);
        Touched memory t = _touchAlone(id, h);
        capital = _release(t, h, amount, minRatio);
        if (capital < amount) _checkFree(id, t.a, t.rest);
        _save(t, h);
        _saveHouse(h);
    }

    /// @inheritdoc IClearingHouse
    function transfer(AccountId from, AccountId to, uint256 amount) external locked {
        _requireAuthorised(from, FUND);
        if (amount == 0) revert ClearingZeroAmount();
        House memory h = _loadHouse();
        Touched memory t = _touchAlone(from, h);
        if (t.a.capital < amount) revert ClearingCapitalTooLow(from, t.a.capital, amount);
        t.a.capital -= amount;
        _checkFree(from, t.a, t.rest);
        _save(t, h);
        _credit(to, amount, h);
        _saveHouse(h);
        emit Transferred(from, to, amount);
    }

    /// @dev Adds capital without touching markets: it needs no price. A venue's own account takes only from that venue.
    function _credit(AccountId id, uint256 amount, House memory h) internal {
        if (id.owner() == address(0)) revert ClearingNoOwner(id);
        Touched memory t;
        t.id = id;
        t.word = accounts[id];
        t.a = Words.account(t.word);
        if (t.a.bitmap & Words.VENUE_BIT != 0 && id.owner() != msg.sender) revert ClearingVenueAccount(id);
        t.a.capital += amount;
        _collect(t.a);
        _save(t, h);
    }

    /// @inheritdoc IClearingHouse
    function setDelegate(AccountId id, address delegate, uint256 permissions) external locked {
        if (id.owner() != msg.sender) revert ClearingNotAuthorised(id, msg.sender);
        delegates[id][delegate] = permissions;
        emit DelegateSet(id, delegate, permissions);
    }

    /// @inheritdoc IClearingHouse
    function collectFees() external locked {
        House memory h = _loadHouse();
        uint256 amount = h.feesPending * Words.FEE_UNIT;
        if (amount == 0) revert ClearingZeroAmount();
        h.feesPending = 0;
        _credit(treasury, amount, h);
        _saveHouse(h);
        emit FeesCollected(treasury, amount);
    }

    function _requireAuthorised(AccountId id, uint256 permission) internal view {
        if (!isAuthorised(id, msg.sender, permission)) revert ClearingNotAuthorised(id, msg.sender);
    }

    // The vault

    /// @inheritdoc IClearingHouse
    function enter() external onlyVault(address(0)) {
        holder = msg.sender;
    }

    /// @inheritdoc IClearingHouse
    function exit() external onlyVault(msg.sender) {
        holder = address(0);
    }

    /// @inheritdoc IClearingHouse
    function credit(AccountId id, uint256 amount) external onlyVault(msg.sender) {
        House memory h = _loadHouse();
        _credit(id, amount, h);
        _saveHouse(h);
        holder = address(0);
    }

    /// @inheritdoc IClearingHouse
    function debit(AccountId id, uint256 amount, AccountId[] calldata touchFirst, uint256 minRatio)
        external
        onlyVault(address(0))
    {
        holder = msg.sender;
        House memory h = _loadHouse();
        _touchAll(touchFirst, h);
        Touched memory t = _touchAlone(id, h);
        if (t.a.capital < amount) {
            uint256 missing = amount - t.a.capital;
            uint256 backing = _backing(h);
            uint256 pnl =
                backing >= h.profitTotal || backing == 0 ? missing : Fixed.divUp(missing * h.profitTotal, backing);
            if (t.a.pnl < 0 || uint256(t.a.pnl) < pnl) revert ClearingCapitalTooLow(id, t.a.capital, amount);
            _release(t, h, pnl, minRatio);
            if (t.a.capital < amount) revert ClearingCapitalTooLow(id, t.a.capital, amount);
        }
        t.a.capital -= amount;
        _checkFree(id, t.a, t.rest);
        _save(t, h);
        _saveHouse(h);
    }

    /// @inheritdoc IClearingHouse
    function setCollateral(AccountId id, bool held, bool check) external onlyVault(msg.sender) {
        House memory h = _loadHouse();
        Touched memory t;
        if (check) {
            t = _touchAlone(id, h);
        } else {
            if (id.owner() == address(0)) revert ClearingNoOwner(id);
            t.id = id;
            t.word = accounts[id];
            t.a = Words.account(t.word);
            if (t.a.bitmap & Words.VENUE_BIT != 0) revert ClearingVenueAccount(id);
        }
        t.a.bitmap = held ? t.a.bitmap | Words.COLLATERAL_BIT : t.a.bitmap & ~Words.COLLATERAL_BIT;
        if (check) _checkFree(id, t.a, t.rest);
        _save(t, h);
        _saveHouse(h);
    }

    // Listing

    /// @inheritdoc IClearingHouse
    function listMarket(address market, bool isolated) external restricted locked returns (uint256 number) {
        if (listed[market]) revert ClearingAlreadyListed(market);
        number = marketCount++;
        if (number >= MAX_MARKETS) revert ClearingMarketsFull(number);
        listed[market] = true;
        marketOf[number] = market;
        emit MarketListed(number, market, isolated);
    }

    /// @inheritdoc IClearingHouse
    function setVenue(address venue, uint256 market, bool allowed) external restricted locked {
        if (market != ANY_MARKET) _market(market);
        venues[venue] = allowed ? market + 1 : 0;
        for (uint96 sub; sub < 2; ++sub) {
            AccountId id = AccountIds.from(venue, sub);
            uint256 word = accounts[id];
            uint256 marked = word | Words.VENUE_BIT << 192;
            if (marked == word) continue;
            if (word >> 192 != 0) revert ClearingVenueAccount(id);
            accounts[id] = marked;
            emit AccountSet(id, marked);
        }
        emit VenueSet(venue, market, allowed);
    }

    /// @inheritdoc IClearingHouse
    function stopVenue(address venue) external restricted locked {
        uint256 was = venues[venue];
        if (was == 0) revert ClearingNotVenue(venue, ANY_MARKET);
        venues[venue] = 0;
        emit VenueSet(venue, was - 1, false);
    }

    // Views

    /// @inheritdoc IClearingHouse
    function account(AccountId id) external view unlockedView returns (Account memory) {
        return Words.account(accounts[id]);
    }

    /// @inheritdoc IClearingHouse
    function position(AccountId id, uint256 market) external view unlockedView returns (Position memory) {
        return Words.position(positions[id][market]);
    }

    /// @inheritdoc IClearingHouse
    function house() external view unlockedView returns (House memory) {
        return _loadHouse();
    }

    /// @inheritdoc IClearingHouse
    function health(AccountId id) external view unlockedView returns (Account memory touched, Health memory h) {
        Touched memory t;
        t.id = id;
        t.a = Words.account(accounts[id]);
        _plan(t, _heldPeeked(id, t.a.bitmap & Words.MARKETS_MASK));
        _collect(t.a);
        return (t.a, _health(id, t.a, t.rest));
    }

    /// @inheritdoc IClearingHouse
    function sizeOf(AccountId id, uint256 market) external view unlockedView returns (int256) {
        MarketView memory m = _market(market).peek();
        Position memory p = Words.position(positions[id][market]);
        _convert(market, m.epoch[Sides.sideOf(p.units)], p);
        return Sides.sizeOf(m, p.units);
    }

    /// @dev Size after a touch, without the dust rule (which would move `m`).
    function _sizeNow(AccountId id, uint256 market, MarketNow memory m) internal view returns (int256) {
        uint256 word = positions[id][market];
        if (word == 0) return 0;
        Position memory p = Words.position(word);
        uint256 side = Sides.sideOf(p.units);
        _convert(market, m.epochOf(side), p);
        return Sides.sizeAt(p.units, m.unitsOf(side), m.openInterest());
    }

    /// @inheritdoc IClearingHouse
    function isAuthorised(AccountId id, address who, uint256 permission) public view returns (bool) {
        return id.owner() == who || delegates[id][who] & permission == permission;
    }

    /// @inheritdoc IClearingHouse
    function releaseRatio() external view unlockedView returns (uint256) {
        return _ratio(_loadHouse());
    }

    /// @inheritdoc IClearingHouse
    function lockHolder() external view returns (address) {
        return holder;
    }
}
