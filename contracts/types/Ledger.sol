// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "./AccountId.sol";

/// @notice A ledger account, unpacked. Stored in one word: capital 96 | pnl 96 | bitmap 64 = 256 bits.
/// @param capital Senior money, WAD quote, never negative.
/// @param pnl Junior profit (positive) or loss not yet covered (negative, only when capital is 0), WAD quote.
/// @param bitmap Bit i: the account holds market i. Bit 62: it has other collateral. Bit 63: a venue owns it.
struct Account {
    uint256 capital;
    int256 pnl;
    uint256 bitmap;
}

/// @notice A position, unpacked. Stored in one word: units 96 | k 128 | epoch 32 = 256 bits.
/// @param units Share of its side, WAD, positive when long. Size in lots is units * O / N of that side.
/// @param k The side's cumulative profit index when the position was last touched, 1e27 quote per unit lot.
/// @param epoch The side's epoch that `units` and `k` belong to.
struct Position {
    int256 units;
    int256 k;
    uint256 epoch;
}

/// @notice Totals over all accounts, unpacked. Stored in one word: capital 96 | profit 96 | fees 64 = 256 bits.
/// @param capitalTotal Sum of capital, WAD quote.
/// @param profitTotal Sum of positive pnl, WAD quote.
/// @param feesPending Fees of the house not yet credited to the treasury account, 1e-6 quote.
struct House {
    uint256 capitalTotal;
    uint256 profitTotal;
    uint256 feesPending;
}

/// @notice What a venue asks the clearing house to do to one account.
/// @param account Whose leg it is.
/// @param size Change of the position, WAD lots, positive when the account buys.
/// @param cash Quote that comes with it, WAD, positive when the account receives (it sold).
/// @param transfer Fee or other transfer, WAD quote, positive when the account receives.
struct Leg {
    AccountId account;
    int256 size;
    int256 cash;
    int256 transfer;
}

/// @notice Health of an account at prices that hold now; all WAD quote.
/// @param equity capital + pnl + other collateral at maintenance value; dead markets at their worse price.
/// @param maintenance What `equity` may not fall below.
/// @param initialEquity Equity for growing a position: strict prices, positive pnl at the profit weight.
/// @param initial What `initialEquity` must reach before a position may grow.
/// @param free What a withdrawal of capital may take at most: positive pnl counts 0, never negative.
struct Health {
    int256 equity;
    uint256 maintenance;
    int256 initialEquity;
    uint256 initial;
    uint256 free;
}

/// @notice Thrown when an amount does not fit its packed field.
error AmountOverflow(uint256 amount, uint256 maximum);

/// @notice Packs and unpacks the ledger's words, and names the bits of the bitmap.
library Words {
    uint256 internal constant COLLATERAL_BIT = 1 << 62;
    uint256 internal constant VENUE_BIT = 1 << 63;
    uint256 internal constant MARKETS_MASK = COLLATERAL_BIT - 1;
    /// @notice Unit of `House.feesPending`: 1e12 wei of WAD quote.
    uint256 internal constant FEE_UNIT = 1e12;

    /// @dev pnl saturates at the ends of int96, so that a touch never reverts: beyond it an account is bankrupt anyway.
    function pack(Account memory a) internal pure returns (uint256) {
        if (a.capital > type(uint96).max) revert AmountOverflow(a.capital, type(uint96).max);
        if (a.pnl > type(int96).max) a.pnl = type(int96).max;
        if (a.pnl < type(int96).min) a.pnl = type(int96).min;
        return a.capital | (uint256(uint96(int96(a.pnl))) << 96) | (a.bitmap << 192);
    }

    function account(uint256 word) internal pure returns (Account memory a) {
        read(a, word);
    }

    /// @notice Fills `a`. The hot path fills what it has: a struct that is returned is allocated twice.
    function read(Account memory a, uint256 word) internal pure {
        (a.capital, a.pnl, a.bitmap) = (capitalOf(word), pnlOf(word), word >> 192);
    }

    function capitalOf(uint256 word) internal pure returns (uint256) {
        return uint96(word);
    }

    function pnlOf(uint256 word) internal pure returns (int256) {
        return int96(uint96(word >> 96));
    }

    function pack(Position memory p) internal pure returns (uint256) {
        if (p.units > type(int96).max || p.units < -type(int96).max) {
            revert AmountOverflow(uint256(p.units < 0 ? -p.units : p.units), uint256(int256(type(int96).max)));
        }
        return uint256(uint96(int96(p.units))) | (uint256(uint128(int128(p.k))) << 96) | (p.epoch << 224);
    }

    function position(uint256 word) internal pure returns (Position memory p) {
        read(p, word);
    }

    function read(Position memory p, uint256 word) internal pure {
        (p.units, p.k, p.epoch) = (int96(uint96(word)), int128(uint128(word >> 96)), word >> 224);
    }

    function pack(House memory h) internal pure returns (uint256) {
        if (h.capitalTotal > type(uint96).max) revert AmountOverflow(h.capitalTotal, type(uint96).max);
        if (h.profitTotal > type(uint96).max) revert AmountOverflow(h.profitTotal, type(uint96).max);
        if (h.feesPending > type(uint64).max) revert AmountOverflow(h.feesPending, type(uint64).max);
        return h.capitalTotal | (h.profitTotal << 96) | (h.feesPending << 192);
    }

    function read(House memory h, uint256 word) internal pure {
        (h.capitalTotal, h.profitTotal, h.feesPending) = (uint96(word), uint96(word >> 96), word >> 192);
    }
}
