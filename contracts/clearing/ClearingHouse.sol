// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Multicallable} from "solady/utils/Multicallable.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {MarginMath} from "../risk/MarginMath.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {Account, Health, House, Leg, Position, Words} from "../types/Ledger.sol";
import {IndexView, MarketState, MarketView} from "../types/Market.sol";
import {Clearing} from "./Clearing.sol";
import {Delegating} from "./Delegating.sol";
import {Ledger} from "./Ledger.sol";

/// @title ClearingHouse: refuses legs that do not balance, books the rest, and checks margin once per account.
/// @custom:stop guardian: `PerpMarket.reduceOnly` per market, `stopVenue` per venue; withdrawals of flat accounts go on.
contract ClearingHouse is IClearingHouse, Clearing, Delegating, AccessManaged, Multicallable {
    using Fixed for int256;
    using Words for Account;
    using Words for Position;

    uint256 public constant MAX_MARKETS = 62;

    AccountId public immutable treasury;
    /// @notice What runs for calls that this contract does not know, in its storage; see Backstop.
    address public immutable backstop;

    uint256 public marketCount;
    mapping(address market => bool) internal listed;

    modifier onlyVault(address expectedHolder) {
        if (msg.sender != vault) revert ClearingNotVault(msg.sender);
        if (holder != expectedHolder) revert ClearingLocked(holder);
        _;
    }

    modifier unlockedView() {
        if (holder != address(0) && holder != msg.sender) revert ClearingLocked(holder);
        _;
    }

    constructor(address authority_, address vault_, AccountId treasury_, address backstop_)
        Ledger(vault_)
        AccessManaged(authority_)
    {
        if (treasury_.owner() == address(0)) revert ClearingNoOwner(treasury_);
        (treasury, backstop) = (treasury_, backstop_);
    }

    function _next() internal view override returns (address) {
        return backstop;
    }

    // Venues

    /// @inheritdoc IClearingHouse
    function accrueFor(uint256 market, AccountId a, AccountId b)
        external
        locked
        returns (IndexView memory m, int256 sizeA, int256 sizeB)
    {
        MarketView memory w;
        _market(market).accrue().unpackInto(w);
        m = IndexView(w.index, w.strict, w.updatedAt, w.variance, w.live);
        (sizeA, sizeB) = (_sizeIn(a, market, w), _sizeIn(b, market, w));
    }

    /// @inheritdoc IClearingHouse
    function setDepth(uint256 market, uint256 depth) external locked {
        // A venue that was stopped has no say any more, but its LPs leave through here.
        bool stopped = venues[msg.sender].marketPlusOne == 0 && _isVenues(AccountIds.from(msg.sender, 0));
        if (!stopped) _requireVenue(msg.sender, market).setDepth(depth);
    }

    /// @inheritdoc IClearingHouse
    function clear(uint256 market, Leg[] calldata legs, uint256 houseFee, int256 premium) external locked {
        _clear(_requireVenue(msg.sender, market), market, legs, houseFee, premium);
    }

    /// @inheritdoc IClearingHouse
    function fill(uint256 market, AccountId taker, Ask calldata ask) external locked returns (Fill memory) {
        return _fill(_requireVenue(msg.sender, market), market, taker, ask);
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
        h.capitalTotal += _credit(to, amount);
        _saveHouse(h);
        emit Transferred(from, to, amount);
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
        h.capitalTotal += _credit(treasury, amount);
        _saveHouse(h);
        emit FeesCollected(treasury, amount);
    }

    function _requireAuthorised(AccountId id, uint256 permission) internal view {
        if (!_isAuthorised(id, msg.sender, permission)) revert ClearingNotAuthorised(id, msg.sender);
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
        uint256 added = _credit(id, amount);
        // The low field: capitalTotal never passes V, which the vault holds to 96 bits.
        totals += added;
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
        if (t.a.pnl > 0) {
            uint256 needed = amount + _heldBack(id, t.a, t.rest);
            if (t.a.capital < needed) _release(t, h, _pnlFor(needed - t.a.capital, t.a, h), minRatio);
        }
        if (t.a.capital < amount) revert ClearingCapitalTooLow(id, t.a.capital, amount);
        t.a.capital -= amount;
        _checkFree(id, t.a, t.rest);
        _save(t, h);
        _saveHouse(h);
    }

    /// @dev Capital that must stay for initial margin, positive pnl counted 0; what other collateral and strict prices leave.
    function _heldBack(AccountId id, Account memory a, MarginMath.Sums memory s) internal view returns (uint256) {
        (, uint256 collateral) = _collateral(id, a);
        int256 held = int256(s.initial) - int256(collateral) - s.strictLoss;
        return held > 0 ? uint256(held) : 0;
    }

    /// @dev Positive pnl whose release gives `missing` capital at h, or all there is. (At h = 0 none does, and the checks refuse.)
    function _pnlFor(uint256 missing, Account memory a, House memory h) internal view returns (uint256) {
        uint256 backing = _backing(h);
        bool whole = backing >= h.profitTotal || backing == 0;
        return Fixed.min(whole ? missing : Fixed.divUp(missing * h.profitTotal, backing), uint256(a.pnl));
    }

    /// @inheritdoc IClearingHouse
    function setCollateral(AccountId id, bool held, bool check) external onlyVault(msg.sender) {
        House memory h = _loadHouse();
        Touched memory t;
        if (check) {
            t = _touchAlone(id, h);
        } else {
            if (id.owner() == address(0)) revert ClearingNoOwner(id);
            _read(t, id);
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
        IPerpMarket contract_ = market == ANY_MARKET ? IPerpMarket(address(0)) : _market(market);
        if (allowed) venues[venue] = Venue(contract_, uint96(market + 1));
        else _stop(venue);
        if (allowed && market != ANY_MARKET) venueFor[market] = venue;
        for (uint96 sub; sub < 2; ++sub) {
            AccountId id = AccountIds.from(venue, sub);
            if (_isVenues(id)) continue;
            uint256 word = accounts[id];
            if (word >> 192 & Words.MARKETS_MASK != 0 || Words.pnlOf(word) < 0) revert ClearingVenueAccount(id);
            // Other collateral that somebody put there does not count: anyone could stop a listing with it.
            uint256 marked = uint192(word) | Words.VENUE_BIT << 192;
            accounts[id] = marked;
            emit AccountSet(id, marked);
        }
        emit VenueSet(venue, market, allowed);
    }

    /// @inheritdoc IClearingHouse
    function stopVenue(address venue) external restricted locked {
        uint256 was = venues[venue].marketPlusOne;
        if (was == 0) revert ClearingNotVenue(venue, ANY_MARKET);
        _stop(venue);
        emit VenueSet(venue, was - 1, false);
    }

    /// @dev The mid of a venue that fills no more must not go on to tax a side: its premium and depth end with it.
    function _stop(address venue) internal {
        IPerpMarket contract_ = venues[venue].contract_;
        delete venues[venue];
        if (address(contract_) == address(0)) return;
        MarketView memory m;
        contract_.accrue().unpackInto(m);
        contract_.setDepth(0);
        contract_.book(m.openInterest, m.units[0], m.units[1], 0);
    }

    function _isVenues(AccountId id) internal view returns (bool) {
        return accounts[id] >> 192 & Words.VENUE_BIT != 0;
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
        _read(t, id);
        _plan(t, _heldPeeked(id, t.a.bitmap & Words.MARKETS_MASK));
        _collect(t.a);
        return (t.a, _health(id, t.a, t.rest));
    }

    /// @inheritdoc IClearingHouse
    function sizeOf(AccountId id, uint256 market) external view unlockedView returns (int256) {
        return _sizeIn(id, market, _market(market).peek());
    }

    /// @inheritdoc IClearingHouse
    function isAuthorised(AccountId id, address who, uint256 permission) external view returns (bool) {
        return _isAuthorised(id, who, permission);
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
