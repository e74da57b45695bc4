// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {LiquidationTerms} from "../types/Liquidation.sol";
import {ILossPath} from "./ILossPath.sol";

/// @notice The clearing house's doors for accounts that owe, and for bankrupt ones; called at the clearing house's address.
interface IResolver is ILossPath {
    /// @notice Ends a bankrupt account: covers its deficit and moves its whole position, in one call and one order.
    /// @dev 1. Touch all. 2. Insurance buys other collateral that has a price, as `convert` would, as far as its
    /// capital goes; a loss that is covered then ends the call. The maintenance value of collateral that is left waits as a
    /// loss behind it. 3. Insurance pays, inside each market's cover; deficits are split over the markets held by
    /// maintenance. 4. The rest is charged to the other side as it stood. 5. The position leaves.
    /// Without a taker the first call marks the account; a call at a later round deleverages it, when a heartbeat has
    /// passed or the market's venue refuses a least lot. Positions in markets without a price stay. A mark of an account
    /// that is found solvent is taken away. Only the liquidator may call.
    /// @param taker Who takes the positions at the index, with initial margin; the zero owner: nobody.
    /// @param market Whose terms these are; one that the victim holds, when it holds any.
    /// @param reward Most that insurance pays the taker, WAD quote.
    /// @return done False when the account was only marked, or a mark was taken away. @return paid What the taker got, WAD
    /// quote.
    function resolve(AccountId victim, AccountId taker, uint256 market, uint256 reward, LiquidationTerms calldata terms)
        external
        returns (bool done, uint256 paid);

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
}
