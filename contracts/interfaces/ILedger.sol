// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {MarketState} from "../types/Market.sol";

/// @notice What all code that runs in the clearing house's storage tells and refuses.
interface ILedger {
    /// @notice The stored word of an account after a change (types/Ledger.sol).
    event AccountSet(AccountId indexed account, uint256 word);
    /// @notice The stored word of a position that a touch changed.
    event PositionSet(AccountId indexed account, uint256 indexed market, uint256 word);
    /// @notice The stored words of an account and its position after a leg was booked.
    event LegBooked(AccountId indexed account, uint256 indexed market, uint256 accountWord, uint256 positionWord);
    /// @notice Fees of the house not yet credited, 1e-6 quote. The other totals are sums over the accounts' words.
    event FeesPending(uint256 fees);
    /// @notice pnl became capital at less than or equal to one for one. WAD quote.
    event Released(AccountId indexed account, uint256 pnl, uint256 capital);
    /// @notice Capital moved between accounts by their owner's will. WAD quote.
    event Transferred(AccountId indexed from, AccountId indexed to, uint256 amount);
    /// @notice Pending fees became capital of the treasury account. WAD quote.
    event FeesCollected(AccountId indexed treasury, uint256 amount);
    event MarketListed(uint256 indexed market, address contract_, bool isolated);
    /// @param market The only market it may fill, or ANY_MARKET.
    event VenueSet(address indexed venue, uint256 market, bool allowed);
    event DelegateSet(AccountId indexed account, address indexed delegate, uint256 permissions);

    /// @notice Thrown when sizes, cash or transfers of the legs do not add up to zero (transfers: to the house's fee).
    error ClearingUnbalancedLegs(int256 size, int256 cash, int256 transfer);
    /// @notice Thrown when legs are not sorted by account (equal neighbours are netted), or a fill names one account twice.
    error ClearingUnsortedLegs(AccountId before, AccountId after_);
    /// @notice Thrown when no market has this number.
    error ClearingUnknownMarket(uint256 market);
    /// @notice Thrown when the caller is not a venue of the market.
    error ClearingNotVenue(address caller, uint256 market);
    /// @notice Thrown when the caller is not the vault.
    error ClearingNotVault(address caller);
    /// @notice Thrown when the caller may not act for the account.
    error ClearingNotAuthorised(AccountId account, address caller);
    /// @notice Thrown on any entry, views included, while another call is under way.
    error ClearingLocked(address holder);
    /// @notice Thrown when nothing may fill in the market's state.
    error ClearingMarketState(uint256 market, MarketState state);
    /// @notice Thrown while the index and its short average disagree, and shortly after.
    error ClearingInterrupted(uint256 market, uint256 until);
    /// @notice Thrown when a position would grow in a reduce-only market.
    error ClearingReduceOnly(AccountId account, int256 before, int256 after_);
    /// @notice Thrown when a payer lacks a fee or transfer.
    error ClearingTransferShort(AccountId account, uint256 owed, uint256 available);
    /// @notice Thrown when a venue takes more than MAX_FEE of a leg's cash from an account that is not its own.
    error ClearingFeeTooHigh(AccountId account, uint256 fee, uint256 maximum);
    /// @notice Thrown when initial margin is not met by an account whose risk did not only fall.
    error ClearingInitialMargin(AccountId account, int256 equity, uint256 required);
    /// @notice Thrown when margin got worse for an account below initial margin whose position did not grow.
    error ClearingRiskRose(AccountId account, int256 equity, uint256 maintenance);
    /// @notice Thrown when a position would be smaller than the market's least notional.
    error ClearingPositionTooSmall(AccountId account, uint256 notional, uint256 minimum);
    /// @notice Thrown when an account's notional in the market would pass its cap.
    error ClearingAccountCap(AccountId account, uint256 notional, uint256 cap);
    /// @notice Thrown when open interest would pass its cap.
    error ClearingOpenInterestCap(uint256 market, uint256 openInterest, uint256 cap);
    /// @notice Thrown when a size is outside +-2^79.
    error ClearingSizeOutOfRange(int256 size, uint256 bound);
    /// @notice Thrown when an isolated market would share an account, or a seventeenth market would be held.
    error ClearingIsolatedMarket(AccountId account, uint256 market);
    error ClearingTooManyMarkets(AccountId account, uint256 held, uint256 maximum);
    /// @notice Thrown when an account has less capital (pnl) than asked for.
    error ClearingCapitalTooLow(AccountId account, uint256 capital, uint256 amount);
    error ClearingProfitTooLow(AccountId account, int256 pnl, uint256 amount);
    /// @notice Thrown when the release ratio is below what the caller accepts.
    error ClearingReleaseRatio(uint256 ratio, uint256 minimum);
    /// @notice Thrown when money would come into a venue's own account from outside.
    error ClearingVenueAccount(AccountId account);
    error ClearingMarketsFull(uint256 markets);
    error ClearingAlreadyListed(address contract_);
    error ClearingZeroAmount();
    error ClearingNoOwner(AccountId account);

    /// @notice Contract of a market; the zero address when there is none.
    function marketOf(uint256 market) external view returns (address);
    function vault() external view returns (address);
    /// @notice Deficits that no insurance and no side was there for, WAD quote: they lower the release ratio.
    function orphanDeficit() external view returns (uint256);
}
