// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Position} from "../types/Ledger.sol";
import {MarketView} from "../types/Market.sol";
import {Fixed} from "./Fixed.sol";

/// @notice Units and sizes of a market's two sides. Size = units * O / N, the exact ratio, never a stored number.
/// @dev O open interest (lots), N units of the side, both WAD. Every rounding leaves the account with less.
library Sides {
    /// @notice Scale of a side's profit index: 1e27 per quote per unit lot.
    int256 internal constant K_SCALE = 1e27;
    /// @notice Scale of an ended epoch's last ratio O / N.
    uint256 internal constant RATIO_SCALE = 1e36;
    /// @notice Sizes below this (1e-9 lot) are dust: a position is closed, a side is empty.
    uint256 internal constant DUST = 1e9;

    /// @notice 0 for the long side, 1 for the short one; the side of `signed`.
    function sideOf(int256 signed) internal pure returns (uint256) {
        return signed < 0 ? 1 : 0;
    }

    /// @notice Size in lots of `units`, rounded toward zero; the sign is that of the units.
    function sizeOf(MarketView memory m, int256 units) internal pure returns (int256) {
        return sizeAt(units, m.units[sideOf(units)], m.openInterest);
    }

    /// @notice As `sizeOf`, on a side of `n` units at open interest `o`.
    function sizeAt(int256 units, uint256 n, uint256 o) internal pure returns (int256) {
        if (units == 0 || n == 0) return 0;
        // units 96, o 80 and the result 176 bits: nothing overflows.
        unchecked {
            return units < 0 ? -int256(uint256(-units) * o / n) : int256(uint256(units) * o / n);
        }
    }

    /// @notice Units that `size` lots (unsigned) are worth on `side`: 1 to 1 on an empty side.
    function unitsDown(MarketView memory m, uint256 side, uint256 size) internal pure returns (uint256) {
        return m.openInterest == 0 ? size : size * m.units[side] / m.openInterest;
    }

    /// @notice As `unitsDown`, rounded up.
    function unitsUp(MarketView memory m, uint256 side, uint256 size) internal pure returns (uint256) {
        return m.openInterest == 0 ? size : Fixed.divUp(size * m.units[side], m.openInterest);
    }

    /// @notice Profit of a position since its last touch, toward minus infinity, WAD quote.
    function profit(Position memory p, int256 k) internal pure returns (int256) {
        // Units have 96 bits, k 128.
        unchecked {
            return Fixed.divFloor(int256(Fixed.abs(p.units)) * (k - p.k), K_SCALE);
        }
    }
}
