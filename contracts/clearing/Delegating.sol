// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Delegating: runs the calls that a contract does not know by another's code, in its own storage.
/// @dev Nothing is left to choose: the address is fixed with the contract, and so is the code there.
abstract contract Delegating {
    fallback() external {
        address to = _next();
        assembly ("memory-safe") {
            let p := mload(0x40)
            calldatacopy(p, 0, calldatasize())
            let done := delegatecall(gas(), to, p, calldatasize(), 0, 0)
            returndatacopy(p, 0, returndatasize())
            if iszero(done) { revert(p, returndatasize()) }
            return(p, returndatasize())
        }
    }

    /// @dev An immutable of the contract.
    function _next() internal view virtual returns (address);
}
