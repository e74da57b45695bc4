// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";

/// @notice The clearing house's doors for accounts below their margin; called at the clearing house's address.
/// @dev Takeover, resolution and conversion are exempt from reduce-only, caps and floors, and from the interruption.
interface IBackstop {
    /// @notice A deficit's share of one market was covered. WAD quote. @param insured By insurance. @param charged By the
    /// other side, pro rata.
    event Covered(AccountId indexed account, uint256 indexed market, uint256 insured, uint256 charged);
    /// @notice A deficit that had no side to charge. WAD quote. @param insured By insurance. @param lost Added to orphanDeficit.
    event Orphaned(AccountId indexed account, uint256 insured, uint256 lost);
    /// @notice A bankrupt account without a taker was seen; it may be deleveraged later.
    event Marked(AccountId indexed account, uint256 time);
    /// @notice A position left its market at the index; the other side's sizes shrank by as much. WAD lots.
    event Deleveraged(AccountId indexed account, uint256 indexed market, int256 size);

    /// @notice Thrown when the caller is not the liquidator.
    error BackstopNotLiquidator(address caller);
    /// @notice Thrown when the victim has no position in the market, or not the one that was expected.
    error BackstopPosition(AccountId victim, uint256 market, uint256 word, uint256 expected);
    /// @notice Thrown when an account is named twice, or insurance is.
    error BackstopSameAccount(AccountId account);
    /// @notice Thrown when the account has its maintenance margin. WAD quote.
    error BackstopHealthy(AccountId victim, int256 equity, uint256 maintenance);
    /// @notice Thrown when the account's equity is negative: only resolution moves it. WAD quote.
    error BackstopBankrupt(AccountId victim, int256 equity);
    /// @notice Thrown when the account is not bankrupt: what it has covers what it lost. WAD quote.
    error BackstopSolvent(AccountId victim, int256 equity);
    /// @notice Thrown when the account has other collateral, which comes first.
    error BackstopCollateral(AccountId victim);
    /// @notice Thrown when an account without a taker was marked, and it is too early. @param until Seconds, or the
    /// time of the mark when no later round has come. @param seen The mark, or the round that is not later.
    error BackstopWait(AccountId victim, uint256 until, uint256 seen);
    /// @notice Thrown when a venue fills something else than the lots taken. WAD lots.
    error BackstopVenueFill(address venue, int256 filled, int256 wanted);

    /// @notice Moves a part of an unhealthy position to a taker at the index, and reward and penalty from the victim.
    /// With a venue the taker sells it there in the same call, at the venue's price and fee, and needs no capital.
    /// @dev Reward before penalty, capital before pnl; what the victim lacks does not exist. Insurance tops up the reward
    /// to what the terms say, inside `topUp`. Only the liquidator may call.
    function takeover(Takeover calldata ask, LiquidationTerms calldata terms) external returns (Taken memory);

    /// @notice Ends a bankrupt account: covers its deficit and moves its whole position, in one call and one order.
    /// @dev Deficits are split over the markets held by maintenance. Without a taker the first call marks the account;
    /// a call at a later round deleverages it, when a heartbeat has passed or the market's venue refuses a least lot.
    /// Positions in markets without a price stay. Only the liquidator may call.
    /// @param taker Who takes the positions at the index, with initial margin; the zero owner: nobody.
    /// @param reward Most that insurance pays the taker, WAD quote.
    /// @return done False when the account was only marked. @return paid What the taker got, WAD quote.
    function resolve(AccountId victim, AccountId taker, uint256 reward, LiquidationTerms calldata terms)
        external
        returns (bool done, uint256 paid);
}
