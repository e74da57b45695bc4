// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Life of a market, in order. Only the first two go back and forth.
enum MarketState {
    Active,
    ReduceOnly,
    Settling,
    Closed
}

/// @notice Whether a market shares an account with others.
enum Tier {
    Cross,
    Isolated
}

/// @notice Why a price may not be used; `Ok` when it may.
enum PriceStatus {
    Ok,
    NoAnswer,
    NotPositive,
    Incomplete,
    Stale,
    FromFuture,
    OutOfBounds,
    Diverged,
    SequencerDown,
    SequencerGrace
}

/// @notice A price as the oracle adapter hands it on.
/// @param value WAD quote per lot; 0 when `status` is not Ok.
/// @param updatedAt When the round was written, seconds.
/// @param validUntil When the round goes stale, seconds.
/// @param status Ok, or the first check that failed.
struct Price {
    uint256 value;
    uint256 updatedAt;
    uint256 validUntil;
    PriceStatus status;
}

/// @notice A market at this moment, as it hands itself to the clearing house, venues and lens.
/// @dev Full words throughout, so that passing it costs no masks. Index 0 of a pair is the long side, 1 the short.
/// @param index Risk price, WAD quote per lot.
/// @param strict Slow average of the index, WAD quote per lot.
/// @param openInterest Size of each side, WAD lots.
/// @param units Units of each side, WAD.
/// @param k Cumulative profit index of each side, 1e27 quote per unit lot.
/// @param epoch Epoch of each side.
/// @param imr Initial margin rate, WAD.
/// @param mmr Maintenance margin rate now (it ramps), WAD.
/// @param sizeScale Notional at which an account's margin rates have doubled, WAD quote.
/// @param interestRate Rise of the initial rate per unit of open interest over depth, WAD.
/// @param depth Lots that move the vAMM's mid from the index to its band, WAD.
/// @param profitWeight Share of positive pnl that counts for initial margin, WAD.
/// @param minNotional Least notional of a position, WAD quote.
/// @param openInterestCap Most open interest a side may grow to, WAD lots: the lower of static and backed cap.
/// @param accountCap Most notional one account may grow to, WAD quote.
/// @param updatedAt When the oracle's round was written, seconds; 0 when there is no valid price.
/// @param variance Variance of the index per second, WAD.
/// @param premium Standing (vAMM mid - index) / index, WAD.
/// @param interruptedUntil Nothing fills before this time, seconds.
/// @param live Whether the oracle's price is valid (a settling market is live at its fixed price).
/// @param state See MarketState.
/// @param isolated Whether the market must be alone in its account.
struct MarketView {
    uint256 index;
    uint256 strict;
    uint256 openInterest;
    uint256[2] units;
    int256[2] k;
    uint256[2] epoch;
    uint256 imr;
    uint256 mmr;
    uint256 sizeScale;
    uint256 interestRate;
    uint256 depth;
    uint256 profitWeight;
    uint256 minNotional;
    uint256 openInterestCap;
    uint256 accountCap;
    uint256 updatedAt;
    uint256 variance;
    int256 premium;
    uint256 interruptedUntil;
    bool live;
    MarketState state;
    bool isolated;
}

/// @notice What a venue quotes by; fields as in MarketView.
struct IndexView {
    uint256 index;
    uint256 strict;
    uint256 updatedAt;
    uint256 variance;
    bool live;
}
