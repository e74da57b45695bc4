// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";

/// @notice What the code behind IBackstop and IResolver tells and refuses; it runs in the clearing house's storage.
interface ILossPath {
    /// @notice A deficit's share of one market was covered. WAD quote. @param insured By insurance. @param charged By the
    /// other side, pro rata.
    event Covered(AccountId indexed account, uint256 indexed market, uint256 insured, uint256 charged);
    /// @notice A deficit that had no side to charge. WAD quote. @param insured By insurance. @param lost Added to orphanDeficit.
    event Orphaned(AccountId indexed account, uint256 insured, uint256 lost);
    /// @notice A bankrupt account without a taker was seen; it may be deleveraged later. @param time Seconds; 0: it was
    /// found solvent, and the mark is gone.
    event Marked(AccountId indexed account, uint256 time);
    /// @notice A position left its market at the index; the other side's sizes shrank by as much. WAD lots.
    event Deleveraged(AccountId indexed account, uint256 indexed market, int256 size);
    /// @notice Other collateral of `account` paid for its loss. @param amount Token units. @param paid WAD quote, by `taker`.
    event Converted(
        AccountId indexed account, AccountId indexed taker, address indexed token, uint256 amount, uint256 paid
    );
    /// @notice Interest on losses became junior profit of insurance. WAD quote.
    event InterestCollected(uint256 amount);

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
    /// @notice Thrown when an account without a taker was marked, and it is too early. @param until Seconds, or the
    /// time of the mark when no later round has come. @param seen The mark, or the round that is not later.
    error BackstopWait(AccountId victim, uint256 until, uint256 seen);
    /// @notice Thrown when a venue fills something else than the lots taken. WAD lots.
    error BackstopVenueFill(address venue, int256 filled, int256 wanted);
    /// @notice Thrown when the taker would gain less than he asks for. WAD quote.
    error BackstopGain(int256 net, int256 minimum);
    /// @notice Thrown when less gas is left than a venue must be given to answer.
    error BackstopGas(uint256 left, uint256 needed);
    /// @notice Thrown when a loss is too small to be paid for out of other collateral. WAD quote.
    error BackstopLossTooSmall(AccountId victim, uint256 loss, uint256 threshold);
    /// @notice Thrown when collateral costs more than the caller gives. WAD quote per whole token.
    error BackstopPrice(uint256 price, uint256 maximum);
    /// @notice Thrown when nothing of the token can be had for this loss.
    error BackstopNothing(AccountId victim, address token);
}
