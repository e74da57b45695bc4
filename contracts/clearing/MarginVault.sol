// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {AccountId} from "../types/AccountId.sol";
import {CollateralBook} from "./CollateralBook.sol";

/// @title MarginVault: the one mover of tokens; custody, other collateral, haircuts and caps.
/// @dev The lock is the clearing house's: every path that calls a token holds it, so that no token can come back in.
/// @custom:stop tightenCap(token, 0) shuts deposits of a collateral; tightenThrottle slows withdrawals, nothing shuts them.
contract MarginVault is CollateralBook, Multicall {
    using SafeERC20 for IERC20;

    uint256 private constant WITHDRAW = 2; // permission of a delegate

    /// @inheritdoc IMarginVault
    uint256 public immutable settlementScale;
    /// @dev More than this the ledger's 96 bits could not hold.
    uint256 private immutable _settlementCap;

    constructor(address authority_, address clearing_, address settlementToken_)
        CollateralBook(authority_, clearing_, settlementToken_)
    {
        settlementScale = 10 ** (MAX_DECIMALS - _decimals(settlementToken_));
        _settlementCap = type(uint96).max / settlementScale;
    }

    // Tokens in and out

    /// @inheritdoc IMarginVault
    function deposit(AccountId account, address token, uint256 amount) public {
        if (amount == 0) revert VaultZeroAmount();
        if (account.owner() == address(0)) revert VaultNoOwner(account);
        if (token == settlementToken) _depositSettlement(account, amount);
        else _depositCollateral(account, token, amount);
    }

    /// @inheritdoc IMarginVault
    function depositWithPermit(
        AccountId account,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        _requireToken(token);
        // Whoever sees the permit may have used it first; the allowance is then there, and the transfer will tell.
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        deposit(account, token, amount);
    }

    /// @inheritdoc IMarginVault
    function withdraw(
        AccountId account,
        address token,
        uint256 amount,
        address to,
        AccountId[] calldata touch,
        uint256 minRelease
    ) external {
        if (amount == 0) revert VaultZeroAmount();
        address owner = account.owner();
        if (msg.sender != owner) {
            bool allowed = to == owner && IClearingHouse(clearing).isAuthorised(account, msg.sender, WITHDRAW);
            if (!allowed) revert VaultNotAuthorised(account, msg.sender);
        }
        if (token == settlementToken) _withdrawSettlement(account, amount, to, touch, minRelease);
        else _withdrawCollateral(account, token, amount, to);
    }

    /// @inheritdoc IMarginVault
    function seed(uint256 amount) external {
        if (amount == 0) revert VaultZeroAmount();
        IClearingHouse(clearing).enter();
        uint256 held = _countIn(settlementToken, amount, _settlementCap);
        _pull(settlementToken, amount);
        emit Seeded(msg.sender, amount, held);
        IClearingHouse(clearing).exit();
    }

    function _depositSettlement(AccountId account, uint256 amount) private {
        IClearingHouse(clearing).enter();
        uint256 held = _countIn(settlementToken, amount, _settlementCap);
        _pull(settlementToken, amount);
        emit Deposited(account, settlementToken, msg.sender, amount, 0, held);
        IClearingHouse(clearing).credit(account, amount * settlementScale);
    }

    function _withdrawSettlement(
        AccountId account,
        uint256 amount,
        address to,
        AccountId[] calldata touch,
        uint256 minRelease
    ) private {
        uint256 word = _holdingsNow(settlementToken);
        uint256 held = uint96(word);
        if (amount > held) revert VaultBalanceTooLow(account, settlementToken, held, amount);
        _checkThrottle(word, settlementToken, account.owner(), amount);
        IClearingHouse(clearing).debit(account, amount * settlementScale, touch, minRelease);
        held = _countOut(settlementToken, word, amount);
        emit Withdrawn(account, settlementToken, to, amount, 0, held);
        _push(settlementToken, to, amount);
        IClearingHouse(clearing).exit();
    }

    function _depositCollateral(AccountId account, address token, uint256 amount) private {
        uint256 slot = _slotOf(token);
        Slot storage c = _slots[slot];
        IClearingHouse(clearing).enter();
        uint256 held = _countIn(token, amount, c.cap);
        _pull(token, amount);
        uint256 balance = _balances[account][slot] + amount;
        _balances[account][slot] = balance;
        _holds[account] |= 1 << slot;
        _price(c);
        emit Deposited(account, token, msg.sender, amount, balance, held);
        IClearingHouse(clearing).setCollateral(account, true, false);
        IClearingHouse(clearing).exit();
    }

    function _withdrawCollateral(AccountId account, address token, uint256 amount, address to) private {
        uint256 slot = _slotOf(token);
        uint256 balance = _balances[account][slot];
        if (amount > balance) revert VaultBalanceTooLow(account, token, balance, amount);
        IClearingHouse(clearing).enter();
        uint256 word = _holdingsNow(token);
        _checkThrottle(word, token, account.owner(), amount);
        uint256 held = _countOut(token, word, amount);
        balance -= amount;
        _balances[account][slot] = balance;
        uint256 holds = _holds[account];
        if (balance == 0) _holds[account] = holds &= ~(1 << slot);
        _price(_slots[slot]);
        // The margin check asks `collateralValue`, which already counts what is left.
        IClearingHouse(clearing).setCollateral(account, holds != 0, true);
        emit Withdrawn(account, token, to, amount, balance, held);
        _push(token, to, amount);
        IClearingHouse(clearing).exit();
    }

    /// @dev Takes exactly `amount` from the caller.
    function _pull(address token, uint256 amount) private {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 now_ = IERC20(token).balanceOf(address(this));
        uint256 got = now_ > before ? now_ - before : 0;
        if (got != amount) revert VaultBalanceDelta(token, got, amount);
    }

    /// @dev Gives exactly `amount`: a fee on top would come out of what others have here, and `to` may not be this vault.
    function _push(address token, address to, uint256 amount) private {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(to, amount);
        uint256 now_ = IERC20(token).balanceOf(address(this));
        uint256 gone = before > now_ ? before - now_ : 0;
        if (gone != amount) revert VaultBalanceDelta(token, gone, amount);
    }

    // Views

    /// @inheritdoc IMarginVault
    function settlementWad() external view settled returns (uint256) {
        return _heldOf(settlementToken) * settlementScale;
    }

    /// @inheritdoc IMarginVault
    function settlementHeld() external view settled returns (uint256) {
        return _heldOf(settlementToken);
    }
}
