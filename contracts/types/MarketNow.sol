// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MarketState, MarketView} from "./Market.sol";

/// @notice A market at this moment in the words that it stores, as it hands itself to the clearing house: seven words
/// to copy and check instead of the 25 of `MarketView`.
/// @param prices,rates,indices,sides See MarketWords.
/// @param risk The stored slot of `MarketRisk`. @param caps The stored slot of `MarketCaps`.
/// @param seen updatedAt 64 | mmr 64 | live 1 | isolated 1 = 130 bits; see MarketView.
struct MarketNow {
    uint256 prices;
    uint256 rates;
    uint256 indices;
    uint256 sides;
    uint256 risk;
    uint256 caps;
    uint256 seen;
}

/// @dev imr 24 | mmrFrom 24 | mmrTo 24 | rampStart 32 | rampSeconds 24 | profitWeight 24 | velocity 24 | state 8
/// | minNotional 16 | sizeScale 56 = 256 bits
struct MarketRisk {
    uint24 imr;
    uint24 mmrFrom;
    uint24 mmrTo;
    uint32 rampStart;
    uint24 rampSeconds;
    uint24 profitWeight;
    uint24 velocity;
    MarketState state;
    uint16 minNotional;
    uint56 sizeScale;
}

/// @dev depth 80 | openInterestCap 80 | accountCap 48 | fundingCap 24 | interestRate 24 = 256 bits. The cap here is the
/// one in force; what it is made of stands in MarketLimits.
struct MarketCaps {
    uint80 depth;
    uint80 openInterestCap;
    uint48 accountCap;
    uint24 fundingCap;
    uint24 interestRate;
}

/// @dev settlementAt 40 | openInterestCap 80 | backing 80 | backingMultiple 8 = 208 bits. What a fill does not read.
/// `backing` is in lots at the index of its day, UNTOLD from the birth of the market until the clearing house tells it.
struct MarketLimits {
    uint40 settlementAt;
    uint80 openInterestCap;
    uint80 backing;
    uint8 backingMultiple;
}

/// @notice Reads a market's words. A field's width bounds its value, so nothing here can overflow.
library MarketNowLib {
    uint256 internal constant LIVE = 1 << 128;
    uint256 internal constant ISOLATED = 1 << 129;
    uint256 private constant PREMIUM_UNIT = 1e9;
    uint256 private constant VARIANCE_UNIT = 1e5;

    /// @notice The slot as it is stored: one read for all of its fields.
    function word(MarketRisk storage r) internal view returns (uint256 w) {
        assembly ("memory-safe") {
            w := sload(r.slot)
        }
    }

    /// @notice The slot as it is stored.
    function word(MarketCaps storage c) internal view returns (uint256 w) {
        assembly ("memory-safe") {
            w := sload(c.slot)
        }
    }

    function index(MarketNow memory w) internal pure returns (uint256) {
        return uint80(w.prices);
    }

    function state(MarketNow memory w) internal pure returns (MarketState) {
        return MarketState(uint8(w.risk >> 176));
    }

    function depth(MarketNow memory w) internal pure returns (uint256) {
        return uint80(w.caps);
    }

    /// @notice Largest funding rate a day, WAD.
    function fundingCap(MarketNow memory w) internal pure returns (int256) {
        unchecked {
            return int256(uint256(uint24(w.caps >> 208))) * 1e12;
        }
    }

    /// @notice Rise of the funding rate per hour of full skew, WAD a day.
    function velocityRate(MarketNow memory w) internal pure returns (int256) {
        unchecked {
            return int256(uint256(uint24(w.risk >> 152))) * 1e12;
        }
    }

    /// @notice Fills `m` with every field, in full words.
    function unpackInto(MarketNow memory w, MarketView memory m) internal pure {
        uint256 r = w.risk;
        unchecked {
            m.imr = uint24(r) * uint256(1e12);
            m.profitWeight = uint24(r >> 128) * uint256(1e12);
            m.state = MarketState(uint8(r >> 176));
            m.minNotional = uint16(r >> 184) * uint256(1e18);
            m.sizeScale = (r >> 200) * 1e18;
            r = w.caps;
            m.depth = uint80(r);
            m.openInterestCap = uint80(r >> 80);
            m.accountCap = uint48(r >> 160) * uint256(1e18);
            m.interestRate = (r >> 232) * 1e12;
            r = w.prices;
            m.index = uint80(r);
            m.strict = m.state >= MarketState.Settling ? m.index : uint80(r >> 80);
            m.interruptedUntil = uint40(r >> 160) + (r >> 240);
            r = w.rates;
            m.openInterest = uint80(r >> 80);
            m.premium = int256(int32(uint32(r >> 192))) * int256(PREMIUM_UNIT);
            m.variance = (r >> 224) * VARIANCE_UNIT;
        }
        r = w.indices;
        (m.k[0], m.k[1]) = (int128(uint128(r)), int128(uint128(r >> 128)));
        r = w.sides;
        (m.units[0], m.units[1]) = (uint80(r), uint80(r >> 80));
        (m.epoch[0], m.epoch[1]) = (uint24(r >> 160), uint24(r >> 184));
        r = w.seen;
        (m.updatedAt, m.mmr) = (uint64(r), uint64(r >> 64));
        (m.live, m.isolated) = (r & LIVE != 0, r & ISOLATED != 0);
    }
}

using MarketNowLib for MarketNow global;
using MarketNowLib for MarketRisk global;
using MarketNowLib for MarketCaps global;
