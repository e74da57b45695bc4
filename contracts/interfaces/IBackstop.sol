// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";

/// @notice The clearing house's doors for accounts below their margin; called at the clearing house's address.
/// @dev Takeover, resolution and conversion are exempt from reduce-only, caps and floors, and from the interruption.
interface IBackstop {
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
    /// @notice Thrown when a venue fills something else than the lots taken. WAD lots.
    error BackstopVenueFill(address venue, int256 filled, int256 wanted);

    /// @notice Moves a part of an unhealthy position to a taker at the index, and reward and penalty from the victim.
    /// With a venue the taker sells it there in the same call, at the venue's price and fee, and needs no capital.
    /// @dev Reward before penalty, capital before pnl; what the victim lacks does not exist. Insurance tops up the reward
    /// to what the terms say, inside `topUp`. Only the liquidator may call.
    function takeover(Takeover calldata ask, LiquidationTerms calldata terms) external returns (Taken memory);
}
