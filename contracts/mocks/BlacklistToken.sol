// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockToken} from "./MockToken.sol";

/// @title BlacklistToken: refuses transfers from and to listed addresses, or all, as USDC and USDT can.
/// @custom:stop tests only.
contract BlacklistToken is MockToken {
    mapping(address => bool) public listed;
    bool public paused;

    error Blacklisted(address who);
    error Paused();

    constructor(uint8 decimals_) MockToken("Blacklist", "BLACK", decimals_) {}

    function setListed(address who, bool listed_) external {
        listed[who] = listed_;
    }

    function setPaused(bool paused_) external {
        paused = paused_;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (paused) revert Paused();
        if (listed[from]) revert Blacklisted(from);
        if (listed[to]) revert Blacklisted(to);
        super._update(from, to, value);
    }
}
