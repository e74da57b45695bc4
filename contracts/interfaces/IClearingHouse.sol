// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {Account, Health, House, Leg, Position} from "../types/Ledger.sol";
import {IndexView} from "../types/Market.sol";
import {ILedger} from "./ILedger.sol";

/// @notice The one writer of the ledger: accounts, positions, who may speak for whom, and which venues may propose legs.
/// @dev Capital is senior: settlement tokens held always cover `capitalTotal` and pending fees. Profit is junior: it
/// becomes capital at h = min(1, (V - capitalTotal - feesPending) / profitTotal). No call moves one market of an account
/// alone; a hedged account nets before a loss eats capital. Legs of a call add up to zero, or nothing happens.
interface IClearingHouse is ILedger {
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
    /// @notice How many markets were listed; their numbers are 0 and up.
    function marketCount() external view returns (uint256);
    /// @notice Release ratio h now, WAD, rounded down.
    function releaseRatio() external view returns (uint256);
    /// @notice Who holds the lock; the zero address when nobody does.
    function lockHolder() external view returns (address);
    /// @notice The code behind IBackstop; it runs in this contract's storage.
    function backstop() external view returns (address);
    function treasury() external view returns (AccountId);
}
