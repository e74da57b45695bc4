// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";

/// @notice Takes positions from unhealthy accounts at the index; the reward is a Dutch auction in health (LiquidationMath).
/// @dev Who calls names a taker account that he owns, or may trade for. What the clearing house refuses, this refuses
/// with the same error (ILossPath).
interface ILiquidator {
    /// @notice What became of one of many. @param reason The error of the clearing house when it was refused.
    struct Outcome {
        bool done;
        bytes reason;
        Taken taken;
    }

    event TermsSet(uint256 indexed market, LiquidationTerms terms);
    event Liquidated(uint256 indexed market, AccountId indexed victim, AccountId indexed taker, Taken taken);
    /// @notice What insurance added to rewards on a day, WAD quote. @param day Since 1970.
    event Spending(uint256 indexed market, uint256 day, uint256 amount);

    event Resolved(AccountId indexed victim, AccountId indexed taker, bool done, uint256 paid);

    /// @notice Thrown when the caller may not act for the taker account.
    error LiquidatorNotAuthorised(AccountId taker, address caller);
    /// @notice Thrown when a market has no terms yet.
    error LiquidatorNoTerms(uint256 market);
    /// @notice Thrown when terms are set for a market that does not exist.
    error LiquidatorUnknownMarket(uint256 market);
    /// @notice Thrown when a venue is named where none is used, or none where one is.
    error LiquidatorVenue(address venue);
    /// @notice Thrown when a value of the terms is outside its bounds.
    error LiquidatorOutOfBounds(bytes32 field, uint256 value, uint256 bound);

    /// @notice Takes a part of the victim's position into the taker's account, which then needs initial margin for it.
    function liquidate(Takeover calldata ask) external returns (Taken memory);

    /// @notice Takes it and sells it to `ask.venue` in the same call: the taker needs no capital.
    function liquidateToVenue(Takeover calldata ask) external returns (Taken memory);

    /// @notice As many takeovers as go through. Neighbours of one market and one taker, without a venue, are tried as one
    /// clearing, and each by itself when that fails. A taker account the caller may not use refuses them all.
    function tryLiquidateMany(Takeover[] calldata asks) external returns (Outcome[] memory);

    /// @notice Ends a bankrupt account (IResolver.resolve). Permissionless without a taker.
    /// @param taker An account the caller may trade for, or one without an owner for nobody.
    /// @param market Whose terms and daily budget count, one that the victim holds when it holds any: the taker is paid
    /// its least reward by insurance.
    /// @return done False when the account was only marked, or its mark was taken away. @return paid What the taker got, WAD quote.
    function resolve(AccountId victim, AccountId taker, uint256 market) external returns (bool done, uint256 paid);

    /// @notice Terms of a market; all 0 when it has none.
    function termsOf(uint256 market) external view returns (LiquidationTerms memory);

    /// @notice What top-ups may still cost today, WAD quote.
    function budgetLeft(uint256 market) external view returns (uint256);

    /// @notice Role RISK.
    function setTerms(uint256 market, LiquidationTerms calldata terms) external;
}
