// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a trader asks a venue for; the clearing house hands it on unread.
/// @param size Exact lots, WAD, positive buys; 0 when `quote` is exact. @param quote WAD without fee, positive buys.
/// @param limitPrice Worst price with fee, WAD quote per lot. @param closing All that the taker holds; the sizes are 0.
struct Ask {
    int256 size;
    int256 quote;
    uint256 limitPrice;
    bool closing;
}

/// @notice A fill, planned. @param size WAD lots, positive when the trader buys.
/// @param quote What the lots cost, WAD, without fee. @param fee All of it, WAD. @param houseFee Part of `fee`.
/// @param peg After the return of the peg, WAD quote per lot. @param mid After the fill, WAD quote per lot.
/// @param index The price it was planned at. @param premium (mid - index) / index after the fill, WAD.
struct Fill {
    int256 size;
    uint256 quote;
    uint256 fee;
    uint256 houseFee;
    uint256 peg;
    uint256 mid;
    uint256 index;
    int256 premium;
}
