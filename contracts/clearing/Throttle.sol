// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {Decay} from "../libraries/Decay.sol";

/// @title Throttle: what the vault holds of each token, and how fast it may leave.
/// @dev The formula is in IMarginVault. The vault asks `_checkThrottle` before a token leaves and is the one that stores.
abstract contract Throttle is IMarginVault, AccessManaged {
    /// @dev taken 128 + takenAt 40 = 168 bits.
    struct Exempted {
        uint128 taken;
        uint40 takenAt;
    }

    uint256 public constant THROTTLE_SECONDS = 1 hours;
    uint256 public constant MIN_SHARE = 50_000; // (5 %)
    uint256 internal constant PPM = 1e6;

    /// @dev held 96 | average 96 | averagedAt 40 | kept 24 = 256 bits. `kept` is 100 % less the share, ppm: 0, as in a
    /// token that was never set, is no throttle, and then the average stands still.
    mapping(address token => uint256) private _holdings;
    /// @dev Token units an hour that each owner may take whatever the average says.
    mapping(address token => uint256) private _exempt;
    /// @dev Written only by a withdrawal that the average would refuse.
    mapping(address token => mapping(address owner => Exempted)) private _exempted;

    // Settings

    /// @inheritdoc IMarginVault
    function setThrottle(address token, uint24 share, uint128 exempt) external restricted {
        _requireToken(token);
        if (share > PPM) revert VaultOutOfBounds("share", share, PPM);
        _set(token, share, exempt);
    }

    /// @inheritdoc IMarginVault
    function tightenThrottle(address token, uint24 share, uint128 exempt) external restricted {
        _requireToken(token);
        uint256 current = PPM - _kept(_holdings[token]);
        if (share > current) revert VaultNotTighter(current, share);
        if (exempt > _exempt[token]) revert VaultNotTighter(_exempt[token], exempt);
        _set(token, share, exempt);
    }

    function _set(address token, uint256 share, uint256 exempt) private {
        if (share < MIN_SHARE) revert VaultOutOfBounds("share", share, MIN_SHARE);
        uint256 word = _holdingsNow(token);
        uint256 held = uint96(word);
        uint256 average = _kept(word) == 0 ? held : _average(word);
        _holdings[token] = _pack(held, average, block.timestamp, PPM - share);
        _exempt[token] = exempt;
        emit ThrottleSet(token, share, exempt);
    }

    // For the vault

    function _heldOf(address token) internal view returns (uint256) {
        return uint96(_holdings[token]);
    }

    /// @dev The word of a token, with its average as it is now. What is held is the lowest 96 bits.
    function _holdingsNow(address token) internal view returns (uint256 word) {
        word = _holdings[token];
        uint256 kept = _kept(word);
        if (kept == 0) return word;
        (uint256 held, uint256 average) = (uint96(word), _average(word));
        if (average != held) {
            int256 weight = Decay.weight(block.timestamp - uint40(word >> 192), THROTTLE_SECONDS);
            average = uint256(Decay.toward(int256(average), int256(held), weight));
        }
        return _pack(held, average, block.timestamp, kept);
    }

    /// @dev Takes a deposit in. Before the token is called, so that no setting comes between reading and storing.
    function _countIn(address token, uint256 amount, uint256 cap) internal returns (uint256 held) {
        if (cap > type(uint96).max) cap = type(uint96).max;
        uint256 word = _holdingsNow(token);
        held = uint96(word);
        if (amount > cap || held + amount > cap) revert VaultCapExceeded(token, _sum(held, amount), cap);
        _holdings[token] = word + amount;
        held += amount;
    }

    /// @dev Takes a withdrawal out, of `amount` at most what is held. @param word From `_holdingsNow`.
    function _countOut(address token, uint256 word, uint256 amount) internal returns (uint256 held) {
        _holdings[token] = word -= amount;
        return uint96(word);
    }

    /// @dev Refuses what neither the average nor the owner's exemption lets go. `amount` is at most what is held.
    function _checkThrottle(uint256 word, address token, address owner, uint256 amount) internal {
        uint256 available = _available(word);
        if (amount <= available) return;
        uint256 taken = _taken(token, owner);
        uint256 left = FixedPointMathLib.zeroFloorSub(_exempt[token], taken);
        if (amount > left) revert VaultThrottled(token, amount, left > available ? left : available);
        _exempted[token][owner] = Exempted(uint128(taken + amount), uint40(block.timestamp));
    }

    /// @dev Rounded for who withdraws: of a few units one may always go, and the rest later.
    function _available(uint256 word) private pure returns (uint256) {
        return FixedPointMathLib.zeroFloorSub(uint96(word), _average(word) * _kept(word) / PPM);
    }

    /// @dev An hour after the last withdrawal that was exempt, all is forgotten.
    function _taken(address token, address owner) private view returns (uint256) {
        Exempted storage e = _exempted[token][owner];
        return block.timestamp < e.takenAt + THROTTLE_SECONDS ? e.taken : 0;
    }

    function _average(uint256 word) private pure returns (uint256) {
        return uint96(word >> 96);
    }

    function _kept(uint256 word) private pure returns (uint256) {
        return word >> 232;
    }

    function _pack(uint256 held, uint256 average, uint256 at, uint256 kept) private pure returns (uint256) {
        return held | average << 96 | at << 192 | kept << 232;
    }

    /// @dev For an error's number: what the sum would be, cut at the greatest word.
    function _sum(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            return a + b < a ? type(uint256).max : a + b;
        }
    }

    // Views

    /// @inheritdoc IMarginVault
    function throttleOf(address token)
        external
        view
        returns (uint256 share, uint256 exempt, uint256 average, uint256 available)
    {
        _requireSettled();
        _requireToken(token);
        uint256 word = _holdingsNow(token);
        uint256 kept = _kept(word);
        return (PPM - kept, _exempt[token], kept == 0 ? uint96(word) : _average(word), _available(word));
    }

    /// @inheritdoc IMarginVault
    function exemptLeft(address token, address owner) external view returns (uint256) {
        _requireSettled();
        return FixedPointMathLib.zeroFloorSub(_exempt[token], _taken(token, owner));
    }

    // What the vault knows

    /// @dev Refuses a token that the vault does not take.
    function _requireToken(address token) internal view virtual;

    /// @dev Refuses a reader in the middle of a call, when tokens and entries may disagree.
    function _requireSettled() internal view virtual;
}
