// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";
import {ILossPath} from "./ILossPath.sol";

/// @notice The clearing house's doors for unhealthy accounts; called at the clearing house's address.
/// @dev Takeover, resolution and conversion (IResolver) are exempt from reduce-only, caps and floors. Takeovers into an
/// account go on during an interruption, unless they would shrink what the taker holds.
interface IBackstop is ILossPath {
    /// @notice Moves a part of an unhealthy position to a taker at the index, and reward and penalty from the victim.
    /// With a venue the taker sells it there in the same call, at the venue's price and fee, and needs no capital.
    /// @dev Reward before penalty, capital before pnl; what the victim lacks does not exist. Insurance tops a reward below
    /// the least one up to that, inside `topUp` and `budget`; a value below the least lot is topped up by no more than the
    /// penalty that it pays. Only the liquidator may call.
    /// @param budget Most that a top-up may cost, WAD quote.
    function takeover(Takeover calldata ask, uint256 budget, LiquidationTerms calldata terms)
        external
        returns (Taken memory);

    /// @notice As `takeover` of several victims in one clearing; the taker's margin is checked once, at the end.
    /// @param asks Of one market and one taker, without a venue. @param budget Most that all top-ups cost, WAD quote.
    /// @return taken Of each; size 0 when nothing was taken.
    /// @return reasons Why nothing was taken: the error, when the victim has no such position (any more), is healthy or
    /// bankrupt. Whatever else fails reverts all.
    function takeoverMany(Takeover[] calldata asks, uint256 budget, LiquidationTerms calldata terms)
        external
        returns (Taken[] memory taken, bytes[] memory reasons);

    /// @notice The code behind IResolver; it runs in the clearing house's storage too.
    function resolver() external view returns (address);
}
