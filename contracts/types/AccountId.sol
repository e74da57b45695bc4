// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Name of a ledger account: owner address (high 20 bytes), then a 12-byte sub-account number.
type AccountId is bytes32;

/// @notice Makes account names and takes them apart.
library AccountIds {
    /// @notice The account number `sub` of `owner_`.
    function from(address owner_, uint96 sub) internal pure returns (AccountId) {
        return AccountId.wrap(bytes32((uint256(uint160(owner_)) << 96) | sub));
    }

    /// @notice The address that owns `id`.
    function owner(AccountId id) internal pure returns (address) {
        return address(uint160(uint256(AccountId.unwrap(id)) >> 96));
    }

    /// @notice `id` as a number, the order in which legs are sorted.
    function key(AccountId id) internal pure returns (uint256) {
        return uint256(AccountId.unwrap(id));
    }
}

using AccountIds for AccountId global;
