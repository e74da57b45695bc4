// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A market's changeable risk parameters, in the units people set them in.
/// @param imr Initial margin rate, ppm of notional.
/// @param mmr Maintenance margin rate, ppm; a rise ramps over `rampSeconds`.
/// @param rampSeconds How long a rise of `mmr` takes, at least a day.
/// @param profitWeight Share of positive pnl that counts for initial margin, ppm, at most 50 %.
/// @param fundingCap Largest funding rate a day, ppm.
/// @param velocity Rise of the funding rate per hour of full skew, ppm a day.
/// @param interestRate Rise of the initial rate per unit of open interest over depth, ppm of that rate.
/// @param sizeScale Notional at which an account's margin rates have doubled, whole quote.
/// @param minNotional Least notional of a position, whole quote.
/// @param accountCap Most notional an account may grow to, whole quote.
/// @param openInterestCap Most open interest of a side, WAD lots, whatever backs the market.
/// @param backingMultiple Most open interest of a side over what backs the market, whole number: 1 over the modelled gap
/// loss, the share of open interest that a jump leaves as deficits.
struct RiskParams {
    uint24 imr;
    uint24 mmr;
    uint24 rampSeconds;
    uint24 profitWeight;
    uint24 fundingCap;
    uint24 velocity;
    uint24 interestRate;
    uint56 sizeScale;
    uint16 minNotional;
    uint48 accountCap;
    uint80 openInterestCap;
    uint8 backingMultiple;
}
