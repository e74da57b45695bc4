// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {Fixed} from "./Fixed.sol";

/// @notice Constant product around a peg. Base reserve X (lots), root r = sqrt(k) (lots), peg p (quote per lot), all WAD:
/// quote reserve = p * k / X, mid = p * k / X^2. Bounds: p < 2^80, r and X < 2^90, so that no product leaves 256 bits
/// but those taken in 512: what has no other sum or product is unchecked. Rounding is against the trader and named.
library Curve {
    uint256 internal constant MAX_ROOT = 1 << 90;

    /// @notice mid = p * r^2 / X^2, rounded down, WAD quote per lot.
    function mid(uint256 p, uint256 r, uint256 x) internal pure returns (uint256) {
        unchecked {
            return FixedPointMathLib.fullMulDiv(r * r, p, x * x);
        }
    }

    /// @notice Quote reserve p * k / X, rounded down, WAD quote.
    function quoteReserveDown(uint256 p, uint256 r, uint256 x) internal pure returns (uint256) {
        return FixedPointMathLib.fullMulDiv(r * r, p, x * 1e18);
    }

    /// @notice |p * k / x1 - p * k / x0| rounded up, WAD quote.
    function quoteUp(uint256 p, uint256 r, uint256 x0, uint256 x1) internal pure returns (uint256) {
        unchecked {
            return FixedPointMathLib.fullMulDivUp(r * r, p * FixedPointMathLib.dist(x0, x1), x0 * x1 * 1e18);
        }
    }

    /// @notice As `quoteUp`, rounded down.
    function quoteDown(uint256 p, uint256 r, uint256 x0, uint256 x1) internal pure returns (uint256) {
        unchecked {
            return FixedPointMathLib.fullMulDiv(r * r, p * FixedPointMathLib.dist(x0, x1), x0 * x1 * 1e18);
        }
    }

    /// @notice Lots bought for exactly `quote`: Q * X / (Y + Q), Y = p * k / X rounded up; rounded down.
    function baseForQuoteDown(uint256 p, uint256 r, uint256 x, uint256 quote) internal pure returns (uint256) {
        uint256 y = FixedPointMathLib.fullMulDivUp(r * r, p, x * 1e18);
        return FixedPointMathLib.fullMulDiv(quote, x, y + quote);
    }

    /// @notice Lots to sell for exactly `quote`: Q * X / (Y - Q), Y rounded down; rounded up; 0 when the curve has less.
    function baseForQuoteUp(uint256 p, uint256 r, uint256 x, uint256 quote) internal pure returns (uint256) {
        uint256 y = quoteReserveDown(p, r, x);
        return quote >= y ? 0 : FixedPointMathLib.fullMulDivUp(quote, x, y - quote);
    }

    /// @notice Distance fee of a fill from x0 to x1: rate * integral of |mid / index - 1| * mid dX, rounded up, WAD quote.
    /// @dev Off the index the integral is c * |(m0 + p k / (x0 x1) + m1) / 3 - index| / index, c the quote of the piece;
    /// a fill that crosses the index is cut where mid = index. Parts of a fill never pay less than the whole.
    /// @param rate WAD.
    function distanceFeeUp(uint256 p, uint256 r, uint256 x0, uint256 x1, uint256 index, uint256 rate)
        internal
        pure
        returns (uint256)
    {
        if (rate == 0) return 0;
        // X where mid = index: r * sqrt(p / index)
        uint256 cut = FixedPointMathLib.sqrt(FixedPointMathLib.fullMulDiv(p, 1e36, index));
        unchecked {
            cut = r * cut / 1e18;
        }
        if ((x0 < cut && cut < x1) || (x1 < cut && cut < x0)) {
            return _pieceUp(p, r, x0, cut, index, rate) + _pieceUp(p, r, cut, x1, index, rate);
        }
        return _pieceUp(p, r, x0, x1, index, rate);
    }

    function _pieceUp(uint256 p, uint256 r, uint256 x0, uint256 x1, uint256 index, uint256 rate)
        private
        pure
        returns (uint256)
    {
        uint256 between;
        unchecked {
            between = FixedPointMathLib.fullMulDiv(r * r, p, x0 * x1);
        }
        uint256 sum = mid(p, r, x0) + mid(p, r, x1) + between; // any may be near the end of the word
        uint256 away = Fixed.divUp(FixedPointMathLib.dist(sum, 3 * index), 3) * rate;
        uint256 c = quoteUp(p, r, x0, x1);
        unchecked {
            return FixedPointMathLib.fullMulDivUp(c, away, index * 1e18);
        }
    }

    /// @notice Base and age part of the fee rate: min(cap, base + age * sigma * sqrt(seconds)), rounded up, WAD.
    /// @param variance Of the index per second, WAD, below 2^64. @param age Fee per standard deviation, WAD, below 2^64;
    /// so is `base`, and `seconds_` below 2^40.
    function flatRateUp(uint256 base, uint256 age, uint256 cap, uint256 variance, uint256 seconds_)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 deviation = FixedPointMathLib.sqrt(variance * seconds_ * 1e18);
            return Fixed.min(cap, base + Fixed.mulWadUpRaw(age, deviation));
        }
    }

    /// @notice Lots that move the mid from the index to the band at peg = index: r * (1 - 1 / sqrt(1 + band)), down.
    /// @param band WAD.
    function pushDown(uint256 r, uint256 band) internal pure returns (uint256) {
        uint256 root = FixedPointMathLib.sqrt((1e18 + band) * 1e18);
        return r * (root - 1e18) / root;
    }
}
