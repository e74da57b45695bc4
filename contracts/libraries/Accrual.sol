// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {Decay} from "./Decay.sol";
import {Fixed} from "./Fixed.sol";
import {MarketWords} from "../types/MarketWords.sol";

/// @notice How time and a new price move a market: funding, averages, side indices, the clearing interruption.
/// @dev Averages advance by the value that stood during the interval, so that n touches equal one up to rounding.
/// Unchecked where fields bound the numbers: prices, sizes and units have 80 bits, k 128, rates 63 as WAD, windows 17,
/// intervals 40; the longest product has 222.
library Accrual {
    using Fixed for int256;

    /// @notice The premium is paid in full over 8 hours: three times a day.
    int256 internal constant PREMIUM_PAYMENTS_PER_DAY = 3;
    int256 internal constant DAY = 1 days;
    uint256 internal constant VARIANCE_WINDOW = 1 hours;
    /// @notice Units of the stored rates in WAD: premium 1e-9, velocity 1e-12; variance is 1e-13.
    int256 internal constant PREMIUM_UNIT = 1e9;
    int256 internal constant VELOCITY_UNIT = 1e6;
    uint256 internal constant VARIANCE_UNIT = 1e5;

    /// @notice What funding and averages are computed with; see IPerpMarket.Listing and RiskParams for units.
    /// @param cap Largest funding rate a day, WAD. @param velocity Rise of the rate per hour of full skew, WAD a day.
    struct Terms {
        uint256 strictWindow;
        uint256 premiumWindow;
        int256 fullPremium;
        int256 cap;
        int256 velocity;
        uint256 depth;
    }

    /// @notice Lets `dt` live seconds pass: their funding, then the premium's and the strict average advance.
    /// @return g Funding of the interval, WAD quote per lot; positive when longs pay.
    function elapse(MarketWords memory s, Terms memory c, uint256 dt) internal pure returns (int256 g) {
        int256 w = Decay.weight(dt, c.premiumWindow);
        unchecked {
            g = _fundingArea(s, c, dt, w).clamp(c.cap * int256(dt)) * int256(s.index) / (DAY * 1e18);
        }
        s.premiumAverage = Decay.toward(s.premiumAverage, s.premium, w);
        s.strict = uint256(Decay.toward(int256(s.strict), int256(s.index), Decay.weight(dt, c.strictWindow)));
    }

    /// @dev Area under the funding rate before its cap, WAD seconds a day. @param w Weight of the old premium average.
    function _fundingArea(MarketWords memory s, Terms memory c, uint256 dt, int256 w)
        private
        pure
        returns (int256 area)
    {
        int256 premium = s.premium * PREMIUM_UNIT;
        int256 average = s.premiumAverage * PREMIUM_UNIT;
        // integral of the average over the interval, WAD seconds: p * dt + (e - p) * tau * (1 - w)
        area = premium * int256(dt) + (average - premium) * int256(c.premiumWindow) * (1e18 - w) / 1e18;
        if (c.depth < s.openInterest) area = area * int256(c.depth) / int256(s.openInterest);
        area = area * PREMIUM_PAYMENTS_PER_DAY + _velocity(s, c, premium, dt);
    }

    /// @dev Velocity: v' = v + velocity * skew * dt per hour, skew = premium / fullPremium in [-1, 1]; the mean of v and
    /// v' stands for the interval. Returns its area, WAD seconds a day.
    function _velocity(MarketWords memory s, Terms memory c, int256 premium, uint256 dt) private pure returns (int256) {
        unchecked {
            // Without a venue's depth there is no skew to tax: what it had built up ends.
            if (c.depth == 0) s.velocity = 0;
            if (c.depth == 0 || (c.velocity == 0 && s.velocity == 0)) return 0;
            int256 skew = (premium * 1e18 / c.fullPremium).clamp(1e18);
            int256 before = s.velocity * VELOCITY_UNIT;
            int256 after_ = (before + c.velocity * skew / 1e18 * int256(dt) / 3600).clamp(c.cap);
            s.velocity = after_ / VELOCITY_UNIT;
            return (before + after_) * int256(dt) / 2;
        }
    }

    /// @notice Moves the side indices by an index change and funding: K_long += floor(O * (dP - g) / N_long), and so on.
    function move(MarketWords memory s, int256 dP, int256 g) internal pure {
        unchecked {
            if (s.openInterest == 0) return;
            int256 total = int256(s.openInterest) * 1e9 * (dP - g);
            if (total == 0) return;
            s.k[0] += total.divFloor(int256(s.units[0]));
            s.k[1] += (-total).divFloor(int256(s.units[1]));
        }
    }

    /// @notice Lets the short average follow `s.index` for `dt` seconds.
    function follow(MarketWords memory s, uint256 dt, uint256 shortWindow) internal pure {
        if (dt == 0) return;
        s.short = uint256(Decay.toward(int256(s.short), int256(s.index), Decay.weight(dt, shortWindow)));
    }

    /// @notice Takes a new round's squared return per second into the variance; saturates at uint32.
    function observe(MarketWords memory s, int256 dP, uint256 seconds_) internal pure {
        uint256 r = dP.abs() * 1e18 / s.index;
        uint256 rate = r * r / 1e18 / seconds_ / VARIANCE_UNIT;
        uint256 v = uint256(Decay.toward(int256(s.variance), int256(rate), Decay.weight(seconds_, VARIANCE_WINDOW)));
        s.variance = Fixed.min(v, type(uint32).max);
    }

    /// @notice Seconds until |index / short - 1| falls to `threshold` with no new price, rounded up; 0 when it is below.
    /// @dev short' = index - d * exp(-t / tau); it meets the threshold at d' = index * threshold / (1 +- threshold).
    function gapSeconds(uint256 index, uint256 short, uint256 threshold, uint256 tau) internal pure returns (uint256) {
        unchecked {
            uint256 d = index > short ? index - short : short - index;
            if (d * 1e18 <= threshold * short) return 0;
            uint256 end = index * threshold / (index > short ? 1e18 + threshold : 1e18 - threshold);
            if (end == 0) end = 1;
            uint256 ln = uint256(FixedPointMathLib.lnWad(int256(d * 1e18 / end)));
            return Fixed.divUp(ln * tau, 1e18);
        }
    }
}
