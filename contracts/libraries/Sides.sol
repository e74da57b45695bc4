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
    function sideOf(int256 signed) internal pure returns (uint256 side) {
        assembly ("memory-safe") {
            side := slt(signed, 0)
        }
    }

    /// @notice `m.units[side]`, with the bound left to the caller: a side is 0 or 1.
    function unitsOf(MarketView memory m, uint256 side) internal pure returns (uint256) {
        return _at(m.units, side);
    }

    /// @notice `m.k[side]`; see `unitsOf`.
    function kOf(MarketView memory m, uint256 side) internal pure returns (int256 k) {
        int256[2] memory pair = m.k;
        assembly ("memory-safe") {
            k := mload(add(pair, shl(5, side)))
        }
    }

    /// @notice `m.epoch[side]`; see `unitsOf`.
    function epochOf(MarketView memory m, uint256 side) internal pure returns (uint256) {
        return _at(m.epoch, side);
    }

    function _at(uint256[2] memory pair, uint256 side) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(pair, shl(5, side)))
        }
    }

    /// @notice Size in lots of `units`, rounded toward zero; the sign is that of the units.
    function sizeOf(MarketView memory m, int256 units) internal pure returns (int256) {
        return sizeAt(units, unitsOf(m, sideOf(units)), m.openInterest);
    }

    /// @notice As `sizeOf`, on a side of `n` units at open interest `o`.
    function sizeAt(int256 units, uint256 n, uint256 o) internal pure returns (int256) {
        if (units == 0 || n == 0) return 0;
        // units 96, o 80 and the result 176 bits: nothing overflows.
        unchecked {
            return units < 0 ? -int256(uint256(-units) * o / n) : int256(uint256(units) * o / n);
        }
    }

    /// @notice Units that `size` lots (unsigned, below 2^81) are worth on `side`: 1 to 1 on an empty side.
    function unitsDown(MarketView memory m, uint256 side, uint256 size) internal pure returns (uint256) {
        uint256 o = m.openInterest;
        unchecked {
            return o == 0 ? size : size * unitsOf(m, side) / o;
        }
    }

    /// @notice As `unitsDown`, rounded up.
    function unitsUp(MarketView memory m, uint256 side, uint256 size) internal pure returns (uint256) {
        uint256 o = m.openInterest;
        unchecked {
            return o == 0 ? size : Fixed.divUp(size * unitsOf(m, side), o);
        }
    }

    /// @notice Profit of a position since its last touch, toward minus infinity, WAD quote.
    function profit(Position memory p, int256 k) internal pure returns (int256) {
        // Units have 96 bits, k 128.
        unchecked {
            return Fixed.divFloor(int256(Fixed.abs(p.units)) * (k - p.k), K_SCALE);
        }
    }
}
