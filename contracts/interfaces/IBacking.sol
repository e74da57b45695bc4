// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The clearing house's door for the backed cap of open interest; called at the clearing house's address.
/// @dev What backs a market: the insurance cover that it could draw now, and half of the equity of its venue's account at
/// the index, where the venue may still fill. The market's `backingMultiple` times that, over the index, is the cap.
interface IBacking {
    /// @notice Thrown when the venue's money would leave and what stays does not back what is open. WAD lots.
    error BackingTooLow(uint256 market, uint256 openInterest, uint256 cap);

    /// @notice Reads what backs `market` now and tells the market. Anyone may, at any time that the market has a price.
    /// @param leaving The caller is the market's venue and money left it: refuse when open interest is above the backed cap
    /// (the static one never holds money back). Without effect for any other caller, a stopped venue included.
    /// @return openInterest Size of each side, WAD lots. @return cap The backed cap, WAD lots, rounded down.
    function back(uint256 market, bool leaving) external returns (uint256 openInterest, uint256 cap);
}
