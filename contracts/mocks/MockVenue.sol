// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {AccountId} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {IndexView} from "../types/Market.sol";

/// @notice A venue that answers the plan it was told to, however wrong; `touchesBack` has it call the clearing house first.
contract MockVenue is IVenue {
    IClearingHouse public immutable clearing;
    bool public touchesBack;
    Fill internal plan;

    constructor(address clearing_) {
        clearing = IClearingHouse(clearing_);
    }

    function fill(uint256 market, AccountId taker, Fill calldata plan_, bool touchesBack_) external {
        (plan, touchesBack) = (plan_, touchesBack_);
        clearing.fill(market, taker, Ask(0, 0, 0, false));
    }

    /// @inheritdoc IVenue
    function planFill(uint256, IndexView calldata, AccountId, int256, int256, Ask calldata)
        external
        view
        returns (Fill memory)
    {
        if (touchesBack) clearing.house();
        return plan;
    }

    /// @inheritdoc IVenue
    function filled(AccountId, Fill calldata) external pure {}

    /// @inheritdoc IVenue
    function inventoryMoved(IndexView calldata, int256, int256) external pure returns (uint256) {
        return 0;
    }
}
