// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {Account, Health, House, Leg, Position} from "../types/Ledger.sol";
import {IndexView, MarketState} from "../types/Market.sol";

/// @notice The one writer of the ledger: accounts, positions, who may speak for whom, and which venues may propose legs.
/// @dev Capital is senior: settlement tokens held always cover `capitalTotal` and pending fees. Profit is junior: it
/// becomes capital at h = min(1, (V - capitalTotal - feesPending) / profitTotal). No call moves one market of an account
/// alone; a hedged account nets before a loss eats capital. Legs of a call add up to zero, or nothing happens.
interface IClearingHouse {
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

    // Venues

    /// @notice Accrues `market` and says what two accounts hold there, before a venue quotes. Anyone may.
    /// @return m The market now. @return sizeA Of `a`, WAD lots, positive when long. @return sizeB Of `b`.
    function accrueFor(uint256 market, AccountId a, AccountId b)
        external
        returns (IndexView memory m, int256 sizeA, int256 sizeB);

    /// @notice Books legs a venue proposes, all or none, then checks the margin of each account once.
    /// @dev Order: accrue, touch every account, trade legs, losses eat capital, transfers, market, margin.
    /// @param legs Sorted by account; equal neighbours are netted. Sizes and cash add up to 0, transfers to -houseFee.
    /// @param houseFee Fee that stays with the house, WAD; rounded down to 1e-6, the rest is surplus.
    /// @param premium The venue's (mid - index) / index after the fill, WAD; KEEP_PREMIUM when it has no mid.
    function clear(uint256 market, Leg[] calldata legs, uint256 houseFee, int256 premium) external;

    /// @notice Books a fill of `taker` against the calling venue's account 0, as the venue plans it (IVenue) when the
    /// market is at this block: what `clear` does with the two legs, in one call.
    function fill(uint256 market, AccountId taker, Ask calldata ask) external returns (Fill memory);

    /// @notice Stores how many lots move the venue's mid from the index to its band, WAD.
    function setDepth(uint256 market, uint256 depth) external;

    // Listing (role LISTING, after its delay; the guardian may only disallow a venue)

    /// @notice Gives a market contract the next number.
    function listMarket(address market, bool isolated) external returns (uint256 number);

    /// @notice Lets a contract propose legs in `market` (or ANY_MARKET), or stops it. Its accounts 0 and 1 become venue
    /// accounts for good: margin of a venue, no deposits from outside.
    function setVenue(address venue, uint256 market, bool allowed) external;

    /// @notice Stops a venue at once. Guardian.
    function stopVenue(address venue) external;

    // Accounts

    /// @notice Accrues all markets of each account, books its profit and lets losses eat capital. Anyone may.
    function touch(AccountId[] calldata accounts) external;

    /// @notice Turns up to `amount` of positive pnl into capital at h, rounded down.
    /// @param amount WAD quote. @param touchFirst Accounts to touch first.
    /// @param minRatio Least h accepted, WAD; 1e18 refuses any cut.
    /// @return capital What was added to capital, WAD.
    function release(AccountId account, uint256 amount, AccountId[] calldata touchFirst, uint256 minRatio)
        external
        returns (uint256 capital);

    /// @notice Moves capital between accounts; `from` must then meet initial margin without its positive pnl.
    /// @dev By the owner of `from`, or a delegate with FUND. Into a venue's account only by that venue.
    function transfer(AccountId from, AccountId to, uint256 amount) external;

    /// @notice Gives (or with 0 takes) `delegate` the right to act for `account`. Owner only.
    /// @param permissions Sum of TRADE = 1, WITHDRAW = 2, FUND = 4.
    function setDelegate(AccountId account, address delegate, uint256 permissions) external;

    /// @notice Credits pending fees to the treasury account. Anyone may.
    function collectFees() external;

    // The vault

    /// @notice Takes the lock for the vault before it moves tokens in.
    function enter() external;
    /// @notice Returns the lock after tokens moved out.
    function exit() external;
    /// @notice Adds capital that arrived at the vault, WAD, and returns the lock.
    function credit(AccountId account, uint256 amount) external;
    /// @notice Takes capital that is about to leave; holds the lock until `exit`. See IMarginVault.withdraw.
    function debit(AccountId account, uint256 amount, AccountId[] calldata touchFirst, uint256 minRatio) external;
    /// @notice Notes whether `account` has other collateral; with `check`, initial margin must hold without positive pnl.
    function setCollateral(AccountId account, bool held, bool check) external;

    // Views (shut while a call is under way, except to the holder of the lock)

    /// @notice The stored account, untouched.
    function account(AccountId id) external view returns (Account memory);
    /// @notice The stored position, untouched.
    function position(AccountId id, uint256 market) external view returns (Position memory);
    /// @notice The totals.
    function house() external view returns (House memory);
    /// @notice Account as a touch now would leave it, and its health at prices that hold now.
    function health(AccountId id) external view returns (Account memory touched, Health memory h);
    /// @notice Size of a position as a touch now would leave it, WAD lots.
    function sizeOf(AccountId id, uint256 market) external view returns (int256);
    /// @notice Whether `who` may do `permission` for `account`: its owner may do all.
    function isAuthorised(AccountId account, address who, uint256 permission) external view returns (bool);
    /// @notice Contract of a market; the zero address when there is none.
    function marketOf(uint256 market) external view returns (address);
    /// @notice How many markets were listed; their numbers are 0 and up.
    function marketCount() external view returns (uint256);
    /// @notice Release ratio h now, WAD, rounded down.
    function releaseRatio() external view returns (uint256);
    /// @notice Who holds the lock; the zero address when nobody does.
    function lockHolder() external view returns (address);
    function vault() external view returns (address);
    function treasury() external view returns (AccountId);
}
