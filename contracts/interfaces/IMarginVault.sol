// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";

/// @notice Custody of every token: the settlement token behind the ledger, and other collateral with haircuts and caps.
/// @dev Counts what it received, so that tokens sent to it by transfer change nothing. Only tokens whose balance delta
/// equals the amount are taken: no fee on transfer, no rebasing. Donated tokens stay where they are.
interface IMarginVault {
    /// @notice Terms of a collateral token.
    /// @param oracle IOracle in WAD quote per whole token; the zero address only in an empty slot.
    /// @param haircut Part of the value that never counts, ppm.
    /// @param haircutScale Value at which the haircut has doubled, whole quote; the haircut grows with the account's own amount.
    /// @param cap Most that the vault takes in all, token units.
    /// @param decimals Of the token, 0 to 18.
    struct Collateral {
        address token;
        uint8 decimals;
        uint24 haircut;
        uint64 haircutScale;
        address oracle;
        uint128 cap;
        uint128 held;
    }

    /// @notice `held` is what the vault now holds of the token for accounts, token units; so is `balance` for the account
    /// (0 for the settlement token: that account's money is in the ledger).
    event Deposited(
        AccountId indexed account, address indexed token, address from, uint256 amount, uint256 balance, uint256 held
    );
    event Withdrawn(
        AccountId indexed account, address indexed token, address to, uint256 amount, uint256 balance, uint256 held
    );
    event CollateralListed(address indexed token, uint256 indexed slot, address oracle, uint256 decimals);
    event CollateralSet(address indexed token, uint256 haircut, uint256 haircutScale, uint256 cap);

    /// @notice Thrown when an amount is zero.
    error VaultZeroAmount();
    /// @notice Thrown when an account has no owner.
    error VaultNoOwner(AccountId account);
    /// @notice Thrown when a token is neither the settlement token nor listed.
    error VaultUnknownToken(address token);
    /// @notice Thrown when the caller may not withdraw for the account.
    error VaultNotAuthorised(AccountId account, address caller);
    /// @notice Thrown when the vault's balance did not change by the amount (fee on transfer, rebasing).
    error VaultBalanceDelta(address token, uint256 got, uint256 expected);
    /// @notice Thrown when a deposit would pass the token's cap.
    error VaultCapExceeded(address token, uint256 total, uint256 cap);
    /// @notice Thrown when an account withdraws more collateral than it has.
    error VaultBalanceTooLow(AccountId account, address token, uint256 balance, uint256 amount);
    /// @notice Thrown at listing: decimals above 18, no code, listed twice, or no slot left.
    error VaultDecimals(address token, uint256 decimals, uint256 maximum);
    error VaultNoCode(address token);
    error VaultAlreadyListed(address token);
    error VaultSlotsFull(uint256 slots);
    /// @notice Thrown when a setting is outside its bound.
    error VaultOutOfBounds(bytes32 field, uint256 value, uint256 bound);
    /// @notice Thrown when a guardian's change would loosen a limit.
    error VaultNotTighter(uint256 current, uint256 proposed);
    /// @notice Thrown when a view is read while the protocol is in the middle of a call.
    error VaultLocked();

    /// @notice Takes `amount` of `token` from the caller and credits `account`, which may be anybody's.
    /// @param amount Token units. The settlement token becomes capital (WAD), any other listed token collateral.
    function deposit(AccountId account, address token, uint256 amount) external;

    /// @notice `deposit` after an ERC-2612 permit of the caller for this vault; a permit already used is passed over.
    function depositWithPermit(
        AccountId account,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Pays `amount` of `token` out of `account` to `to`. Settlement: releases only the pnl that capital lacks.
    /// @dev Afterwards capital and other collateral alone cover initial margin at strict prices. A flat account can
    /// always withdraw its capital, whatever any oracle says.
    /// @param amount Token units.
    /// @param touch Accounts to touch first, so that losses are collected in the same call.
    /// @param minRelease Least release ratio h that the caller accepts, WAD; 1e18 refuses any cut.
    function withdraw(
        AccountId account,
        address token,
        uint256 amount,
        address to,
        AccountId[] calldata touch,
        uint256 minRelease
    ) external;

    /// @notice Settlement tokens held for accounts, as WAD quote: V of the identity.
    function settlementWad() external view returns (uint256);

    /// @notice Haircut value of the other collateral of `account`, WAD quote.
    /// @return maintenance A dead feed counts at its last good price with the haircut doubled.
    /// @return initial A dead feed counts nothing.
    function collateralValue(AccountId account) external view returns (uint256 maintenance, uint256 initial);

    /// @notice Token units of `token` that `account` has as other collateral.
    function collateralOf(AccountId account, address token) external view returns (uint256);
}
