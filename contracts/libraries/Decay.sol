// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @notice Exponential averages that do not depend on how often they are touched.
library Decay {
    /// @notice exp(-dt / tau), WAD.
    function weight(uint256 dt, uint256 tau) internal pure returns (int256) {
        // An interval has 40 bits.
        unchecked {
            return FixedPointMathLib.expWad(-int256(dt * 1e18 / tau));
        }
    }

    /// @notice The average after an interval in which `target` stood; rounded toward `target`.
    /// @param w The weight of the old average, from `weight`.
    function toward(int256 average, int256 target, int256 w) internal pure returns (int256) {
        // Averages have 96 bits at most, the weight 60.
        unchecked {
            return target + (average - target) * w / 1e18;
        }
    }
}
