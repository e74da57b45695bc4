// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fixed} from "../libraries/Fixed.sol";
import {LiquidationTerms} from "../types/Liquidation.sol";

/// @notice How much of an unhealthy position is taken, and for what.
/// E equity (0 <= E < M), M maintenance of the account, h = E / M, r the position's own rate of maintenance, P index:
/// reward rate = rewardMin + (rewardMax - rewardMin) * (1 - h), and reward + penalty <= r * h, the penalty giving way
/// first. Then a value V taken costs at most h * (r * V) of equity and frees at least r * V of maintenance (the rate of
/// what is left is not higher): E / M does not fall and E - M rises, in any number of markets.
/// The smallest V that restores E to t * M: (t * M - E) / (t * r - reward - penalty).
/// Sizes and prices have 80 bits, equity and maintenance below 2^110, rates 60: no product leaves the word.
library LiquidationMath {
    uint256 internal constant PPM = 1e12; // one ppm as a WAD
    /// @notice Taken off the bound r * h, WAD: more than all roundings of the amounts below come to.
    uint256 internal constant SLACK = 1e3;

    /// @notice Thrown when the caller's cap is below the least that may be taken.
    error LiquidationCapTooLow(uint256 maxSize, uint256 least);

    /// @notice Values in WAD quote; `size` and `x` in WAD lots, unsigned.
    /// @param own Maintenance of this position. @param maxSize Most that the caller takes.
    /// @return x Lots taken. @return reward For the taker, rounded down. @return penalty For insurance, rounded down.
    function plan(
        LiquidationTerms memory t,
        uint256 equity,
        uint256 maintenance,
        uint256 size,
        uint256 index,
        uint256 own,
        uint256 maxSize
    ) internal pure returns (uint256 x, uint256 reward, uint256 penalty) {
        unchecked {
            uint256 rate = own * 1e18 / Fixed.mulWadUpRaw(size, index);
            (uint256 rewardRate, uint256 penaltyRate) = rates(t, rate, equity * 1e18 / maintenance);
            uint256 needed = Fixed.divUp(t.target * maintenance, 1e6) - equity;
            x = _size(t, size, index, needed, rate * t.target / 1e6 - rewardRate - penaltyRate);
            if (x > maxSize) {
                uint256 least = Fixed.min(x, _lots(t.minLot, index));
                bool whole = _leavesDust(t, size - maxSize, index);
                if (maxSize < least || whole) revert LiquidationCapTooLow(maxSize, whole ? x : least);
                x = maxSize;
            }
            uint256 value = x * index / 1e18;
            (reward, penalty) = (value * rewardRate / 1e18, value * penaltyRate / 1e18);
        }
    }

    /// @notice Reward and penalty rates, WAD. @param rate r, WAD. @param health h, WAD, below 1.
    function rates(LiquidationTerms memory t, uint256 rate, uint256 health)
        internal
        pure
        returns (uint256 reward, uint256 penalty)
    {
        unchecked {
            uint256 most = rate * health / 1e18;
            most = most > SLACK ? most - SLACK : 0;
            uint256 span = uint256(t.rewardMax - t.rewardMin) * PPM;
            reward = Fixed.min(t.rewardMin * PPM + span * (1e18 - health) / 1e18, most);
            penalty = Fixed.min(t.penalty * PPM, most - reward);
        }
    }

    /// @param restores What a value of 1 brings E nearer to t * M, WAD.
    function _size(LiquidationTerms memory t, uint256 size, uint256 index, uint256 needed, uint256 restores)
        private
        pure
        returns (uint256 x)
    {
        if (restores == 0) return size;
        unchecked {
            x = Fixed.divUp(Fixed.divUp(needed * 1e18, restores) * 1e18, index);
            uint256 least = _lots(t.minLot, index);
            if (x < least) x = least;
            if (x >= size || _leavesDust(t, size - x, index)) x = size;
        }
    }

    function _leavesDust(LiquidationTerms memory t, uint256 left, uint256 index) private pure returns (bool) {
        unchecked {
            return left * index / 1e18 < uint256(t.wholeBelow) * 1e18;
        }
    }

    /// @dev Lots worth `quote` whole quote, rounded up.
    function _lots(uint256 quote, uint256 index) private pure returns (uint256) {
        unchecked {
            return Fixed.divUp(quote * 1e36, index);
        }
    }
}
