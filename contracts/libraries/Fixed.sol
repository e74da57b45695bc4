// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Signed and rounded integer arithmetic that Solady's FixedPointMathLib lacks.
library Fixed {
    int256 internal constant WAD = 1e18;

    /// @notice a / b toward minus infinity; b > 0.
    function divFloor(int256 a, int256 b) internal pure returns (int256 q) {
        // A remainder has the sign of `a`. Then |q| < 2^255, and one less is still a number.
        unchecked {
            q = a / b;
            if (a % b < 0) --q;
        }
    }

    /// @notice a * b / 1e18 toward minus infinity.
    function mulWadFloor(int256 a, int256 b) internal pure returns (int256) {
        return divFloor(a * b, WAD);
    }

    /// @notice a * b / 1e18, rounded up.
    function mulWadUp(uint256 a, uint256 b) internal pure returns (uint256) {
        uint256 z = a * b;
        unchecked {
            return z == 0 ? 0 : (z - 1) / 1e18 + 1;
        }
    }

    /// @notice As `mulWadUp`, of factors that the caller knows to have less than 255 bits together.
    function mulWadUpRaw(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return (a * b + 1e18 - 1) / 1e18;
        }
    }

    /// @notice As `mulWadFloor`, of factors that the caller knows to have less than 255 bits together.
    function mulWadFloorRaw(int256 a, int256 b) internal pure returns (int256) {
        unchecked {
            return divFloor(a * b, WAD);
        }
    }

    /// @notice a / b, rounded up; b > 0.
    function divUp(uint256 a, uint256 b) internal pure returns (uint256) {
        // Division by 0 reverts here as well.
        unchecked {
            return a == 0 ? 0 : (a - 1) / b + 1;
        }
    }

    /// @notice |a|.
    function abs(int256 a) internal pure returns (uint256) {
        unchecked {
            return a < 0 ? uint256(-a) : uint256(a);
        }
    }

    /// @notice a held inside [-bound, bound].
    function clamp(int256 a, int256 bound) internal pure returns (int256) {
        return a > bound ? bound : a < -bound ? -bound : a;
    }

    /// @notice a where it is positive, else 0.
    function positive(int256 a) internal pure returns (int256) {
        return a > 0 ? a : int256(0);
    }

    /// @notice The smaller of a and b.
    function min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }
}
