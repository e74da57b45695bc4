// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fixed} from "../libraries/Fixed.sol";
import {Account, Health} from "../types/Ledger.sol";
import {MarketView} from "../types/Market.sol";

/// @notice Margin of linear positions. P index, S strict price, N notional, all WAD; every rounding is against the account.
/// maintenance = N(P) * mmr * f, initial = N(S) * imr * (f + c * O / depth), f = 1 + N / sizeScale; each rate at most 1.
/// Fields bound every sum and product below (prices, sizes 80 bits; rates 60; sums of an account far below 2^250), so
/// the arithmetic is unchecked but for that of equity.
/// S is, for a long, the lower of index and strict average but at least P * (1 - imr); for a short the mirror image.
library MarginMath {
    using Fixed for int256;

    /// @notice Margin rates of an account that a venue owns: leverage 1, maintenance 10 %.
    uint256 internal constant VENUE_IMR = 1e18;
    uint256 internal constant VENUE_MMR = 0.1e18;

    /// @notice Sums over an account's positions, WAD quote.
    /// @param strictLoss What valuing at strict prices takes from equity, never positive.
    /// @param deadLoss What valuing dead markets at their worse price takes, never positive.
    /// @param profitWeight Least weight of the markets held. @param live Whether all of them have a price.
    /// @param interrupted Whether one of them is shut to fills now. @param isolated Whether one of them stands alone.
    struct Sums {
        int256 strictLoss;
        uint256 initial;
        int256 deadLoss;
        uint256 maintenance;
        uint256 profitWeight;
        uint256 markets;
        bool live;
        bool interrupted;
        bool isolated;
    }

    /// @notice Makes new sums those of no position.
    function begin(Sums memory s) internal pure {
        (s.profitWeight, s.live) = (1e18, true);
    }

    /// @notice Adds a position of `size` lots (positive when long) in market `m`.
    function add(Sums memory s, MarketView memory m, int256 size, bool venue) internal pure {
        if (size == 0) return;
        addInitial(s, m, size, venue);
        unchecked {
            s.maintenance += maintenance(s, m, size, venue);
        }
    }

    /// @notice The part of `add` that concerns initial margin.
    function addInitial(Sums memory s, MarketView memory m, int256 size, bool venue) internal pure {
        unchecked {
            if (size == 0) return;
            uint256 lots = size.abs();
            uint256 strict = strictPrice(m, size > 0);
            uint256 notional = Fixed.mulWadUpRaw(lots, strict);
            uint256 rate = VENUE_IMR;
            if (!venue) {
                uint256 crowd = m.openInterest == 0 ? 0 : m.depth == 0 ? 1e18 : m.openInterest * 1e18 / m.depth;
                rate = _rate(m.imr, notional, m.sizeScale, Fixed.min(Fixed.mulWadUpRaw(m.interestRate, crowd), 1e18));
            }
            s.initial += Fixed.mulWadUpRaw(notional, rate);
            s.strictLoss += size.mulWadFloorRaw(int256(strict) - int256(m.index));
            if (m.profitWeight < s.profitWeight) s.profitWeight = m.profitWeight;
        }
    }

    /// @notice Maintenance of the position; a dead market counts at its worse price, doubled, and marks `s`.
    function maintenance(Sums memory s, MarketView memory m, int256 size, bool venue) internal pure returns (uint256) {
        unchecked {
            uint256 price = m.index;
            if (!m.live) {
                price = size > 0 == m.strict < price ? m.strict : price;
                s.deadLoss += size.mulWadFloorRaw(int256(price) - int256(m.index));
                s.live = false;
            }
            uint256 notional = Fixed.mulWadUpRaw(size.abs(), price);
            uint256 required = Fixed.mulWadUpRaw(notional, venue ? VENUE_MMR : _rate(m.mmr, notional, m.sizeScale, 0));
            return m.live ? required : 2 * required;
        }
    }

    /// @notice The price a position is held to for initial margin, WAD quote per lot.
    function strictPrice(MarketView memory m, bool long) internal pure returns (uint256) {
        unchecked {
            uint256 away = m.index * m.imr / 1e18;
            if (long) {
                uint256 least = m.index - away;
                return m.strict >= m.index ? m.index : m.strict > least ? m.strict : least;
            }
            uint256 most = m.index + away;
            return m.strict <= m.index ? m.index : m.strict < most ? m.strict : most;
        }
    }

    function _rate(uint256 base, uint256 notional, uint256 scale, uint256 extra) private pure returns (uint256) {
        unchecked {
            uint256 f = 1e18 + Fixed.divUp(notional * 1e18, scale) + extra;
            return Fixed.min(Fixed.mulWadUpRaw(base, f), 1e18);
        }
    }

    /// @notice Health of an account after a touch. @param collateral Its other collateral for maintenance and initial.
    function health(Account memory a, Sums memory s, uint256 collateral, uint256 collateralInitial)
        internal
        pure
        returns (Health memory h)
    {
        h.equity = equity(a, s, collateral);
        h.maintenance = s.maintenance;
        h.initial = s.initial;
        h.initialEquity = initialEquity(a, s, collateralInitial);
        int256 base = int256(a.capital + collateralInitial) + s.strictLoss;
        int256 spare = base + (a.pnl < 0 ? a.pnl : int256(0)) - int256(s.initial);
        h.free = spare <= 0 || !s.live ? 0 : Fixed.min(uint256(spare), a.capital);
    }

    /// @notice See Health.equity.
    function equity(Account memory a, Sums memory s, uint256 collateral) internal pure returns (int256) {
        return int256(a.capital + collateral) + a.pnl + s.deadLoss;
    }

    /// @notice See Health.initialEquity.
    function initialEquity(Account memory a, Sums memory s, uint256 collateral) internal pure returns (int256) {
        int256 base = int256(a.capital + collateral) + s.strictLoss;
        return base + (a.pnl > 0 ? a.pnl.mulWadFloor(int256(s.profitWeight)) : a.pnl);
    }

    /// @notice Whether risk only fell: E - M and E / M no worse (or M gone) and E not negative.
    function onlyFell(int256 e0, uint256 m0, int256 e1, uint256 m1) internal pure returns (bool) {
        if (e1 < 0) return false;
        if (m1 == 0) return true;
        return e1 - int256(m1) >= e0 - int256(m0) && e1 * int256(m0) >= e0 * int256(m1);
    }
}
