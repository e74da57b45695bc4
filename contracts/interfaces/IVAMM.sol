// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Fill} from "../types/Fill.sol";
import {VammParams} from "../types/VammParams.sol";
import {IVenue} from "./IVenue.sol";

/// @notice A virtual AMM: quotes along its own curve and fills against its own account in the ledger.
/// @dev Its inventory and money are ledger account (this, 0), never stored here; escrow of LP deposits is (this, 1).
/// Only a fill moves along the curve. What else changes depth or inventory keeps the mid (the peg takes it).
interface IVAMM is IVenue {
    /// @notice An LP's open request. @param amount Quote to deposit or shares to withdraw, WAD. @param madeAt When, seconds.
    /// @param minRatio Least release ratio accepted, WAD.
    struct Request {
        uint128 amount;
        uint40 madeAt;
        uint64 minRatio;
    }

    /// @notice A fill was booked. Units as in `Fill`.
    event Filled(AccountId indexed account, int256 size, uint256 quote, uint256 fee, uint256 mid);
    /// @notice The curve after anything but a fill. @param index Index at which `peg` stands.
    event CurveSet(uint256 root, uint256 peg, uint256 index);
    event DepositRequested(AccountId indexed account, uint256 amount, uint256 madeAt);
    event WithdrawalRequested(AccountId indexed account, uint256 shares, uint256 madeAt);
    event RequestLapsed(AccountId indexed account, bool deposit, uint256 amount);
    event SharesMinted(AccountId indexed account, uint256 shares, uint256 amount, uint256 totalShares);
    event SharesBurned(AccountId indexed account, uint256 shares, uint256 amount, int256 size, uint256 totalShares);
    event ShareEpochEnded(uint256 indexed epoch);
    event VammParamsSet(VammParams params);

    /// @notice Thrown after the deadline.
    error VammExpired(uint256 time, uint256 deadline);
    /// @notice Thrown for size or quote 0 or out of range.
    error VammSizeOutOfRange(int256 size);
    /// @notice Thrown when the price with fee is worse than the limit.
    error VammPriceLimit(uint256 price, uint256 limit);
    /// @notice Thrown when a fill would take more than the curve has.
    error VammDepleted(uint256 reserve, uint256 wanted);
    /// @notice Thrown when a fill that grows the inventory would leave the mid outside the band.
    error VammOutsideBand(uint256 mid, uint256 index, uint256 band);
    /// @notice Thrown when the caller may not act for the account.
    error VammNotAuthorised(AccountId account, address caller);
    /// @notice Thrown when the account has nothing to close.
    error VammNoPosition(AccountId account);
    /// @notice Thrown when the pool has no liquidity, or its value is not positive while there are shares.
    error VammNoLiquidity();
    error VammInsolvent(int256 value);
    /// @notice Thrown when an LP request is open, missing, too early or too late.
    error VammRequestOpen(AccountId account);
    error VammNoRequest(AccountId account);
    error VammTooEarly(uint256 time, uint256 from);
    error VammTooLate(uint256 time, uint256 until);
    /// @notice Thrown when no oracle round came after the request (and its cooldown).
    error VammNoNewRound(uint256 round, uint256 after_);
    error VammDepositTooSmall(uint256 amount, uint256 minimum);
    error VammSharesTooLow(AccountId account, uint256 shares, uint256 amount);
    error VammPoolHasValue(int256 value, int256 size);
    /// @notice Thrown when a parameter is outside its bound.
    error VammOutOfBounds(bytes32 field, uint256 value, uint256 bound);

    /// @notice Trades exactly `size` lots. @param size WAD, positive buys.
    /// @param limitPrice Worst price with fee, WAD quote per lot. @param deadline Last second.
    function trade(AccountId account, int256 size, uint256 limitPrice, uint256 deadline) external returns (Fill memory);

    /// @notice Trades exactly `quote` (without fee). @param quote WAD, positive spends it on a buy, negative sells for it.
    function tradeQuote(AccountId account, int256 quote, uint256 limitPrice, uint256 deadline)
        external
        returns (Fill memory);

    /// @notice Closes the whole position of `account`.
    function close(AccountId account, uint256 limitPrice, uint256 deadline) external returns (Fill memory);

    /// @notice The fill that `trade` would make now, by the same plan. Reverts as it would, margin and caps apart.
    function quoteTrade(int256 size) external view returns (Fill memory);

    /// @notice The fill that `tradeQuote` would make now.
    function quoteTradeQuote(int256 quote) external view returns (Fill memory);

    /// @notice Mid, peg (WAD quote per lot) and base reserve (WAD lots) now.
    function curve() external view returns (uint256 mid, uint256 peg, uint256 reserve, uint256 root);

    /// @notice Puts `amount` (WAD quote) of the account's capital into escrow; mints at the first oracle round after.
    /// @dev The account must have given this contract FUND. The caller must be its owner or a delegate with FUND.
    function requestDeposit(AccountId account, uint256 amount) external;

    /// @notice Mints for a deposit request once a newer round has come. Anyone may. The backed cap of open interest follows.
    function executeDeposit(AccountId account) external returns (uint256 shares);

    /// @notice Asks for the value of `shares` after the cooldown. @param minRatio Least release ratio, WAD.
    function requestWithdrawal(AccountId account, uint256 shares, uint64 minRatio) external;

    /// @notice Pays a cooled request at the lower value, at a round after the cooldown. Anyone may.
    /// @dev Refused (IBacking.BackingTooLow) when what stays would not back the open interest.
    function executeWithdrawal(AccountId account) external returns (uint256 amount);

    /// @notice Pays a cooled request in kind: the LP's part of money and of the position, at the index. LP only.
    /// @dev Never refused for the backed cap: it falls with him, and open interest may not grow until it is below.
    function executeInKind(AccountId account) external returns (uint256 amount, int256 size);

    /// @notice Ends a request whose window has passed; escrowed money goes back. Anyone may.
    function lapse(AccountId account, bool deposit) external;

    /// @notice Ends the share epoch of a pool that is worth nothing and holds nothing; the next deposit starts at 1.
    function endShareEpoch() external;

    /// @notice Value of the pool for withdrawals (lower) and deposits (higher), WAD quote.
    function value() external view returns (int256 low, int256 high);

    /// @notice The open requests of an account, to withdraw in the present share epoch; all zero when there is none.
    function requestsOf(AccountId account) external view returns (Request memory deposit, Request memory withdrawal);

    /// @notice Shares of an account in the present epoch, and in all.
    function sharesOf(AccountId account) external view returns (uint256);
    function totalShares() external view returns (uint256);

    /// @notice Sets all parameters, inside bounds. Role RISK, after its delay. Keeps the mid.
    function setParams(VammParams calldata p) external;
    function params() external view returns (VammParams memory);

    function market() external view returns (uint256);
    /// @notice The pool's ledger account.
    function account() external view returns (AccountId);
}
