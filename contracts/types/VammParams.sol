// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A vAMM's changeable parameters; ppm unless said otherwise.
/// @param band Largest distance of the mid from the index after a fill that grows the inventory.
/// @param baseFee Part of the fee rate that is always there.
/// @param distanceFee Fee rate per unit of |mid / index - 1|, integrated along the fill.
/// @param ageFee Fee rate per standard deviation of the index since the oracle's round, 1e6 = 1.
/// @param feeCap Most that base and age part come to; the distance part is bounded by the distance itself.
/// @param returnSpeed How fast the peg goes back to the index, ppm of it per second.
/// @param returnCap How far that may carry the mid past the index.
/// @param houseShare Part of the fee that goes to the house, the rest stays with the LPs.
/// @param depth Base reserve times index, over LP equity, when liquidity is added; whole number.
/// @param follow Whether the peg follows the index at once; if not, only returnSpeed moves it (0: the classic fixed peg).
/// @param lpFee Fee on entry and on exit, stays in the pool.
/// @param cooldown Seconds between a withdrawal request and its first execution.
/// @param window Seconds in which a deposit request, or a cooled withdrawal request, may be executed.
struct VammParams {
    uint24 band;
    uint24 baseFee;
    uint24 distanceFee;
    uint24 ageFee;
    uint24 feeCap;
    uint24 returnSpeed;
    uint24 returnCap;
    uint24 houseShare;
    uint8 depth;
    bool follow;
    uint24 lpFee;
    uint24 cooldown;
    uint24 window;
}

/// @notice A fill needs only the first of the two stored slots; this reads it at once, and its fields from the word.
library VammParamsLib {
    /// @notice One ppm as a WAD.
    uint256 internal constant PPM = 1e12;

    function trading(VammParams storage p) internal view returns (uint256 w) {
        assembly ("memory-safe") {
            w := sload(p.slot)
        }
    }

    function band(uint256 w) internal pure returns (uint256) {
        return uint24(w);
    }

    /// @notice WAD.
    function baseFee(uint256 w) internal pure returns (uint256) {
        unchecked {
            return uint24(w >> 24) * PPM;
        }
    }

    /// @notice WAD.
    function distanceFee(uint256 w) internal pure returns (uint256) {
        unchecked {
            return uint24(w >> 48) * PPM;
        }
    }

    /// @notice WAD.
    function ageFee(uint256 w) internal pure returns (uint256) {
        unchecked {
            return uint24(w >> 72) * PPM;
        }
    }

    /// @notice WAD.
    function feeCap(uint256 w) internal pure returns (uint256) {
        unchecked {
            return uint24(w >> 96) * PPM;
        }
    }

    function returnSpeed(uint256 w) internal pure returns (uint256) {
        return uint24(w >> 120);
    }

    function returnCap(uint256 w) internal pure returns (uint256) {
        return uint24(w >> 144);
    }

    function houseShare(uint256 w) internal pure returns (uint256) {
        return uint24(w >> 168);
    }

    function depth(uint256 w) internal pure returns (uint256) {
        return uint8(w >> 192);
    }

    function follow(uint256 w) internal pure returns (bool) {
        return uint8(w >> 200) != 0;
    }
}

using VammParamsLib for VammParams global;
