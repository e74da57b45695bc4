// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title MockBatch: makes several calls in one transaction, and can withhold gas.
/// @custom:stop tests only.
contract MockBatch {
    /// @notice Calls each target; the first failure is passed on.
    function run(address[] calldata targets, bytes[] calldata data) external returns (bytes[] memory results) {
        results = new bytes[](targets.length);
        for (uint256 i; i < targets.length; ++i) {
            bool ok;
            (ok, results[i]) = targets[i].call(data[i]);
            if (!ok) _fail(results[i]);
        }
    }

    /// @notice Calls with a limited amount of gas and says what came back.
    function withGas(address target, bytes calldata data, uint256 limit) external returns (bool ok, bytes memory out) {
        (ok, out) = target.call{gas: limit}(data);
    }

    function _fail(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
