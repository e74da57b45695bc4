// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LibCall} from "solady/utils/LibCall.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ICollector} from "../interfaces/ICollector.sol";
import {AccountId} from "../types/AccountId.sol";

/// @title Collector: touches many accounts, each by itself and within its own gas.
/// @custom:stop nothing to stop: it holds no state and no right.
contract Collector is ICollector {
    using LibCall for address;

    /// @notice Half as much again as a touch of sixteen markets with new rounds, the most that an account holds.
    uint256 public constant MIN_GAS = 3_000_000;
    /// @notice What a transaction may use at most (2^24, EIP-7825).
    uint256 public constant MAX_GAS = 16_777_216;
    /// @notice Bytes of a reason that are kept: any error of ours fits.
    uint16 public constant MAX_REASON = 256;
    /// @dev Gas of a cold call and of its data, on top of what the call is given.
    uint256 internal constant CALL_GAS = 5_000;

    /// @inheritdoc ICollector
    IClearingHouse public immutable clearing;

    constructor(address clearing_) {
        clearing = IClearingHouse(clearing_);
    }

    /// @inheritdoc ICollector
    function tryTouch(AccountId[] calldata accounts, uint256 gasEach)
        external
        returns (Outcome[] memory outcomes, uint256 done)
    {
        if (gasEach < MIN_GAS) revert CollectorGasEach(gasEach, MIN_GAS);
        if (gasEach > MAX_GAS) revert CollectorGasEach(gasEach, MAX_GAS);
        // A call gets at most 63 of 64 parts of what is left (EIP-150).
        uint256 needed = gasEach * 64 / 63 + CALL_GAS;
        outcomes = new Outcome[](accounts.length);
        AccountId[] memory one = new AccountId[](1);
        for (uint256 i; i < accounts.length; ++i) {
            one[0] = accounts[i];
            bytes memory call = abi.encodeCall(IClearingHouse.touch, (one));
            uint256 left = gasleft();
            if (left < needed) revert CollectorGas(left, needed);
            bytes memory reason;
            (outcomes[i].done,, reason) = address(clearing).tryCall(0, gasEach, MAX_REASON, call);
            if (outcomes[i].done) ++done;
            else outcomes[i].reason = reason;
        }
    }
}
