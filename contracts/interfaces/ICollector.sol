// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {IClearingHouse} from "./IClearingHouse.sol";

/// @notice Has losses collected: touches accounts (IClearingHouse.touch), each by itself, so that one that cannot be
/// touched does not stop the rest.
/// @dev No event: the clearing house tells the word of each account that changed. Anyone could do the same with touches of
/// his own; this has no right and no state. A withdrawal brings its own list (IMarginVault.withdraw), all or nothing.
interface ICollector {
    /// @notice What became of one account.
    /// @param done Whether it was touched. @param reason What the touch reverted with, MAX_REASON bytes of it; empty
    /// also when the touch ran out of its gas.
    struct Outcome {
        bool done;
        bytes reason;
    }

    /// @notice Thrown when the gas allowed to each account is outside MIN_GAS and MAX_GAS.
    error CollectorGasEach(uint256 gasEach, uint256 bound);
    /// @notice Thrown before an account that would not be given its gas: it must not look bad because the caller was short.
    error CollectorGas(uint256 left, uint256 needed);

    /// @notice Touches the accounts in this order; the same one twice does no harm. Anyone may.
    /// @dev The caller must have gasEach * 64 / 63 and some left at each account, whatever it will use.
    /// @param gasEach Most gas that one account may use: MIN_GAS, but for an account that slept through many epochs.
    /// @return outcomes In the order of `accounts`. @return done How many were touched.
    function tryTouch(AccountId[] calldata accounts, uint256 gasEach)
        external
        returns (Outcome[] memory outcomes, uint256 done);

    /// @notice Whose accounts it touches.
    function clearing() external view returns (IClearingHouse);
}
