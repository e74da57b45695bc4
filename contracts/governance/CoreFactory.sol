// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title CoreFactory: creates the contracts that name each other in their constructors.
/// @notice The clearing house and the vault are immutable to each other, so each address must be known before either
/// exists. By CREATE they are a function of this contract's address and of how many it created before, and of nothing
/// else: the first is at nonce 1, the second at nonce 2.
/// @dev Holds no role and no tokens. Of no use after the deployment.
/// @custom:stop nothing to stop: it cannot touch what it created.
contract CoreFactory {
    /// @notice A contract was created, and its creation code.
    event Created(address indexed created, bytes32 initCodeHash);

    /// @notice Thrown when the caller is not the owner.
    error FactoryNotOwner(address caller, address owner);

    /// @notice The one account that may create; the next nonce would be anybody's otherwise.
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    /// @notice Creates a contract by CREATE. Reverts with what its constructor reverted with.
    /// @param initCode Creation code followed by the encoded constructor arguments.
    function deploy(bytes calldata initCode) external returns (address created) {
        if (msg.sender != owner) revert FactoryNotOwner(msg.sender, owner);
        bytes memory code = initCode;
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
            if iszero(created) {
                let pointer := mload(0x40)
                returndatacopy(pointer, 0, returndatasize())
                revert(pointer, returndatasize())
            }
        }
        emit Created(created, keccak256(initCode));
    }
}
