// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RiskParams} from "../types/RiskParams.sol";

/// @notice Bounds of the risk parameters, and the ramp of the maintenance rate.
library RiskBounds {
    uint256 internal constant MIN_RAMP = 1 days;
    uint256 internal constant MIN_MMR = 2_500; // (0.25 %)
    uint256 internal constant MAX_PROFIT_WEIGHT = 500_000; // (50 %)
    uint256 internal constant MAX_FUNDING_CAP = 50_000; // (5 % a day)
    uint256 internal constant MAX_VELOCITY = 50_000; // (5 % a day per hour of full skew)
    uint256 internal constant MAX_INTEREST_RATE = 1_000_000; // (doubles where open interest equals depth)
    uint256 internal constant MIN_SIZE_SCALE = 10_000;
    /// @notice A side's units may not pass this either: then it would begin a new epoch at every fill.
    uint256 internal constant MAX_OPEN_INTEREST = 1 << 79;

    /// @notice A gap loss of 5 %: the worst day that we know left 4.4 % at margin rates of 8 and 5 %.
    uint256 internal constant MAX_BACKING_MULTIPLE = 20;

    /// @notice Thrown when a parameter is outside its bounds; `field` is its name.
    error RiskOutOfBounds(bytes32 field, uint256 value, uint256 bound);

    /// @notice Refuses parameters outside the bounds. Always 0 < mmr < imr <= 1.
    function check(RiskParams memory p) internal pure {
        if (p.imr > 1e6) revert RiskOutOfBounds("imr", p.imr, 1e6);
        if (p.mmr < MIN_MMR) revert RiskOutOfBounds("mmr", p.mmr, MIN_MMR);
        if (p.mmr >= p.imr) revert RiskOutOfBounds("mmr", p.mmr, p.imr);
        if (p.rampSeconds < MIN_RAMP) revert RiskOutOfBounds("rampSeconds", p.rampSeconds, MIN_RAMP);
        if (p.profitWeight > MAX_PROFIT_WEIGHT) {
            revert RiskOutOfBounds("profitWeight", p.profitWeight, MAX_PROFIT_WEIGHT);
        }
        if (p.fundingCap > MAX_FUNDING_CAP) revert RiskOutOfBounds("fundingCap", p.fundingCap, MAX_FUNDING_CAP);
        if (p.velocity > MAX_VELOCITY) revert RiskOutOfBounds("velocity", p.velocity, MAX_VELOCITY);
        if (p.interestRate > MAX_INTEREST_RATE) {
            revert RiskOutOfBounds("interestRate", p.interestRate, MAX_INTEREST_RATE);
        }
        if (p.sizeScale < MIN_SIZE_SCALE) revert RiskOutOfBounds("sizeScale", p.sizeScale, MIN_SIZE_SCALE);
        if (p.minNotional == 0) revert RiskOutOfBounds("minNotional", 0, 1);
        if (p.openInterestCap > MAX_OPEN_INTEREST) {
            revert RiskOutOfBounds("openInterestCap", p.openInterestCap, MAX_OPEN_INTEREST);
        }
        if (p.backingMultiple == 0) revert RiskOutOfBounds("backingMultiple", 0, 1);
        if (p.backingMultiple > MAX_BACKING_MULTIPLE) {
            revert RiskOutOfBounds("backingMultiple", p.backingMultiple, MAX_BACKING_MULTIPLE);
        }
    }

    /// @notice The maintenance rate at `time`, ppm scaled to WAD, on the straight line from `from` to `to`; rounded up.
    function ramp(uint256 from, uint256 to, uint256 start, uint256 duration, uint256 time)
        internal
        pure
        returns (uint256)
    {
        // Rates and the duration have 24 bits, times 40.
        unchecked {
            if (to <= from || time >= start + duration) return to * 1e12;
            return from * 1e12 + ((to - from) * 1e12 * (time - start) + duration - 1) / duration;
        }
    }
}
