// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {LiquidationTerms} from "../types/Liquidation.sol";
import {ILossPath} from "./ILossPath.sol";

/// @notice The clearing house's door for bankrupt accounts; called at the clearing house's address.
interface IResolver is ILossPath {
    /// @notice Ends a bankrupt account: covers its deficit and moves its whole position, in one call and one order.
    /// @dev 1. Touch all. 2. Insurance buys other collateral that has a price, as IBackstop.convert would, as far as its
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
}
