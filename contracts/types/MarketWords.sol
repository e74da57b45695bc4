// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A market's moving state, unpacked from its four words; index 0 of a pair is the long side, 1 the short.
/// prices: index 80 | strict 80 | accruedAt 40 | validUntil 40 | interruption 16 = 256 bits
/// rates: short 80 | openInterest 80 | premiumAverage 32 | premium 32 | variance 32 = 256 bits
/// indices: k long 128 | k short 128 = 256 bits
/// sides: units long 80 | units short 80 | epoch long 24 | epoch short 24 | velocity 48 = 256 bits
/// @param index Risk price, WAD quote per lot. @param strict Slow average of it. @param short Fast average of it.
/// @param accruedAt When the state was brought up to date, seconds.
/// @param validUntil When the round behind `index` goes stale, seconds.
/// @param interruption Seconds after `accruedAt` during which nothing fills.
/// @param openInterest WAD lots. @param units WAD. @param k 1e27 quote per unit lot.
/// @param premiumAverage Average of `premium`. @param premium Standing (mid - index) / index; both 1e-9.
/// @param variance Of the index per second, 1e-13.
/// @param velocity Part of the funding rate that skew has built up, 1e-12 a day.
struct MarketWords {
    uint256 index;
    uint256 strict;
    uint256 accruedAt;
    uint256 validUntil;
    uint256 interruption;
    uint256 short;
    uint256 openInterest;
    int256 premiumAverage;
    int256 premium;
    uint256 variance;
    int256[2] k;
    uint256[2] units;
    uint256[2] epoch;
    int256 velocity;
}

/// @notice Packs and unpacks a market's words. Values that can outgrow their field saturate, as noted.
library MarketWordsLib {
    function prices(MarketWords memory s) internal pure returns (uint256) {
        return s.index | (s.strict << 80) | (s.accruedAt << 160) | (s.validUntil << 200) | (s.interruption << 240);
    }

    function rates(MarketWords memory s) internal pure returns (uint256) {
        return s.short | (s.openInterest << 80) | (uint256(uint32(int32(s.premiumAverage))) << 160)
            | (uint256(uint32(int32(s.premium))) << 192) | (s.variance << 224);
    }

    function indices(MarketWords memory s) internal pure returns (uint256) {
        return uint256(uint128(int128(s.k[0]))) | (uint256(uint128(int128(s.k[1]))) << 128);
    }

    function sides(MarketWords memory s) internal pure returns (uint256) {
        return s.units[0] | (s.units[1] << 80) | (s.epoch[0] << 160) | (s.epoch[1] << 184)
            | (uint256(uint48(int48(s.velocity))) << 208);
    }

    /// @notice The rates word with another premium, 1e-9.
    function withPremium(uint256 rates_, int256 premium) internal pure returns (uint256) {
        return (rates_ & ~(uint256(type(uint32).max) << 192)) | (uint256(uint32(int32(premium))) << 192);
    }

    /// @notice The rates word with another open interest.
    function withOpenInterest(uint256 rates_, uint256 openInterest) internal pure returns (uint256) {
        return (rates_ & ~(uint256(type(uint80).max) << 80)) | (openInterest << 80);
    }

    /// @notice The sides word with other units.
    function withUnits(uint256 sides_, uint256 long, uint256 short) internal pure returns (uint256) {
        return (sides_ & ~uint256(type(uint160).max)) | long | (short << 80);
    }

    function unpack(uint256 prices_, uint256 rates_, uint256 indices_, uint256 sides_)
        internal
        pure
        returns (MarketWords memory s)
    {
        unpackInto(s, prices_, rates_, indices_, sides_);
    }

    /// @notice Fills `s`. The hot path fills what it has: a struct that is returned is allocated twice.
    function unpackInto(MarketWords memory s, uint256 prices_, uint256 rates_, uint256 indices_, uint256 sides_)
        internal
        pure
    {
        (s.index, s.strict) = (uint80(prices_), uint80(prices_ >> 80));
        (s.accruedAt, s.validUntil) = (uint40(prices_ >> 160), uint40(prices_ >> 200));
        s.interruption = prices_ >> 240;
        (s.short, s.openInterest) = (uint80(rates_), uint80(rates_ >> 80));
        (s.premiumAverage, s.premium) = (int32(uint32(rates_ >> 160)), int32(uint32(rates_ >> 192)));
        s.variance = rates_ >> 224;
        (s.k[0], s.k[1]) = (int128(uint128(indices_)), int128(uint128(indices_ >> 128)));
        (s.units[0], s.units[1]) = (uint80(sides_), uint80(sides_ >> 80));
        (s.epoch[0], s.epoch[1]) = (uint24(sides_ >> 160), uint24(sides_ >> 184));
        s.velocity = int48(uint48(sides_ >> 208));
    }
}
