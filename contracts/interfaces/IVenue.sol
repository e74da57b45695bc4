// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {IndexView} from "../types/Market.sol";

/// @notice A venue that fills against its own account 0 by `IClearingHouse.fill`.
interface IVenue {
    /// @notice Plans the fill that the venue just asked for, at the price of this block; reverts to refuse it.
    /// @dev Called by the clearing house, statically and under its lock: the venue cannot call back.
    /// @param m The market now. @param held What the venue holds, WAD lots, positive when long. @param has What `taker` has.
    function planFill(uint256 market, IndexView calldata m, AccountId taker, int256 held, int256 has, Ask calldata ask)
        external
        view
        returns (Fill memory);

    /// @notice Tells the venue that a fill of its plan was booked which it did not ask for: a takeover that was sold to it.
    /// Only the clearing house.
    function filled(AccountId taker, Fill calldata f) external;

    /// @notice Tells the venue that something else than a fill moved what it holds, WAD lots. Only the clearing house.
    /// @return depth Lots that move its mid from the index to its band now, WAD.
    function inventoryMoved(IndexView calldata m, int256 before, int256 after_) external returns (uint256 depth);
}
