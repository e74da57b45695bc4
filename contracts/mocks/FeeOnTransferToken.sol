// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockToken} from "./MockToken.sol";

/// @title FeeOnTransferToken: burns a part of what is transferred, or takes it from the sender on top.
/// @custom:stop tests only.
contract FeeOnTransferToken is MockToken {
    /// @notice Part that the receiver does not get, bps; changeable, as a token with an owner is.
    uint256 public feeBps;
    /// @notice Part that the sender loses on top, bps.
    uint256 public extraBps;

    constructor(uint8 decimals_, uint256 feeBps_) MockToken("Fee on transfer", "FEE", decimals_) {
        feeBps = feeBps_;
    }

    function setFees(uint256 feeBps_, uint256 extraBps_) external {
        feeBps = feeBps_;
        extraBps = extraBps_;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, value);
        uint256 fee = value * feeBps / 10_000;
        super._update(from, to, value - fee);
        uint256 burnt = fee + value * extraBps / 10_000;
        if (burnt != 0) super._update(from, address(0), burnt);
    }
}
