// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";
import {ILossPath} from "./ILossPath.sol";

/// @notice The clearing house's doors for accounts that are unhealthy or owe; called at the clearing house's address.
/// @dev Takeover, resolution (IResolver) and conversion are exempt from reduce-only, caps and floors. Takeovers into an
/// account go on during an interruption, unless they would shrink what the taker holds.
interface IBackstop is ILossPath {
    /// @notice Moves a part of an unhealthy position to a taker at the index, and reward and penalty from the victim.
    /// With a venue the taker sells it there in the same call, at the venue's price and fee, and needs no capital.
    /// @dev Reward before penalty, capital before pnl; what the victim lacks does not exist. Insurance tops a reward below
    /// the least one up to that, inside `topUp`; a value below the least lot is topped up by no more than the penalty that
    /// it pays. Only the liquidator may call.
    function takeover(Takeover calldata ask, LiquidationTerms calldata terms) external returns (Taken memory);

    /// @notice Buys other collateral of an account that owes (pnl below 0), at the oracle's price less the discount, and
    /// only as much as its loss needs; what is paid is its capital. Anyone may, for an account that he owns or may FUND.
    /// @dev The loss must pass the vault's threshold: 0 while h < 1, while the losses of all accounts with other
    /// collateral pass the vault's cap, or when `victim` holds no position or has negative equity. Insurance's own
    /// collateral, which it took in resolutions, is for sale always. Afterwards the taker has initial margin.
    /// @param maxAmount Most token units to buy. @param maxPrice Most to pay, WAD quote per whole token.
    /// @return amount Token units, now other collateral of `taker`. @return paid WAD quote, rounded up.
    function convert(AccountId victim, AccountId taker, address token, uint256 maxAmount, uint256 maxPrice)
        external
        returns (uint256 amount, uint256 paid);

    /// @notice Gives interest that was charged so far to insurance, as junior profit. Anyone may.
    function collectInterest() external returns (uint256 amount);

    /// @notice Sums of the negative pnl stored, WAD quote.
    /// @return covered Of accounts with other collateral.
    /// @return bare Of all others: losses that somebody else will bear.
    /// @return interest Charged and not yet collected.
    function losses() external view returns (uint256 covered, uint256 bare, uint256 interest);

    /// @notice The code behind IResolver; it runs in the clearing house's storage too.
    function resolver() external view returns (address);
}
