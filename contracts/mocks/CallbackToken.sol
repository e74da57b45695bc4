// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockToken} from "./MockToken.sol";

/// @title CallbackToken: calls out in the middle of a transfer, as ERC-777 hooks do, and remembers what came back.
/// @custom:stop tests only.
contract CallbackToken is MockToken {
    address public target;
    bytes public data;
    bool public afterUpdate;
    /// @notice What the last call out gave, and how many there were.
    bool public success;
    bytes public returned;
    uint256 public calls;

    constructor(uint8 decimals_) MockToken("Callback", "CALL", decimals_) {}

    /// @notice From now on each transfer calls `target_` with `data_`, before or after balances move; 0 calls nobody.
    function setCallback(address target_, bytes calldata data_, bool afterUpdate_) external {
        (target, data, afterUpdate, calls) = (target_, data_, afterUpdate_, 0);
    }

    function _update(address from, address to, uint256 value) internal override {
        bool hook = target != address(0) && from != address(0) && to != address(0);
        if (hook && !afterUpdate) _callOut();
        super._update(from, to, value);
        if (hook && afterUpdate) _callOut();
    }

    function _callOut() private {
        ++calls;
        (success, returned) = target.call(data);
    }
}
