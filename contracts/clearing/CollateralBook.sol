// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {IOracle} from "../interfaces/IOracle.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId} from "../types/AccountId.sol";
import {Price, PriceStatus} from "../types/Market.sol";
import {Throttle} from "./Throttle.sol";

/// @title CollateralBook: what accounts have besides the settlement token, what it counts, and its sale behind a loss.
abstract contract CollateralBook is Throttle {
    /// @dev oracle 160 + decimals 8 + haircut 24 + fromHaircut 24 + endAt 40 = 256 bits.
    /// haircutScale 64 + fromScale 64 + lastPrice 96 = 224 bits. cap 128 bits. token 160 bits.
    struct Slot {
        address oracle;
        uint8 decimals;
        uint24 haircut;
        uint24 fromHaircut;
        uint40 endAt;
        uint64 haircutScale;
        uint64 fromScale;
        uint96 lastPrice;
        uint128 cap;
        address token;
    }

    /// @dev index 128 + setAt 40 + rate 24 + threshold 24 + cap 40 = 256 bits.
    struct LossTerms {
        uint128 index;
        uint40 setAt;
        uint24 rate;
        uint24 threshold;
        uint40 cap;
    }

    uint256 public constant MAX_SLOTS = 8;
    uint256 public constant MAX_DECIMALS = 18;
    uint256 public constant MIN_HAIRCUT = 10_000; // (1 %)
    uint256 public constant MAX_HAIRCUT = 900_000; // (90 %)
    uint256 public constant MIN_SCALE = 1_000; // whole quote
    uint256 public constant MAX_SCALE = 1e12; // whole quote
    uint256 public constant TERMS_RAMP = 1 days;
    uint256 public constant MAX_DISCOUNT = 50_000; // (5 %)
    uint256 public constant MAX_INTEREST = 500_000; // (50 % a year)
    uint256 public constant MAX_THRESHOLD = 10_000; // whole quote

    /// @inheritdoc IMarginVault
    address public immutable clearing;
    /// @inheritdoc IMarginVault
    address public immutable settlementToken;

    uint256 internal _count;
    mapping(uint256 slot => Slot) internal _slots;
    /// @dev Slot + 1, so that 0 is unknown.
    mapping(address token => uint256) internal _slotPlusOne;
    /// @dev Bit i: the account has some of slot i.
    mapping(AccountId account => uint256) internal _holds;
    mapping(AccountId account => mapping(uint256 slot => uint256)) internal _balances;
    LossTerms internal _lossTerms;

    /// @dev Views are shut in the middle of a call, when tokens and entries may disagree.
    modifier settled() {
        _requireSettled();
        _;
    }

    modifier onlyClearing() {
        if (msg.sender != clearing) revert VaultNotClearing(msg.sender);
        _;
    }

    /// @param clearing_ May have no code yet: the two contracts are each other's immutables.
    constructor(address authority_, address clearing_, address settlementToken_) AccessManaged(authority_) {
        if (clearing_ == address(0)) revert VaultNoCode(clearing_);
        (clearing, settlementToken) = (clearing_, settlementToken_);
    }

    // Listing and terms

    /// @inheritdoc IMarginVault
    function listCollateral(address token, address oracle, uint24 haircut, uint64 haircutScale, uint128 cap)
        external
        restricted
    {
        if (token == settlementToken || _slotPlusOne[token] != 0) revert VaultAlreadyListed(token);
        uint256 slot = _count;
        if (slot == MAX_SLOTS) revert VaultSlotsFull(MAX_SLOTS);
        _checkTerms(haircut, haircutScale);
        if (oracle.code.length == 0) revert VaultNoCode(oracle);
        uint256 maximum = IOracle(oracle).maximum();
        if (maximum > type(uint96).max) revert VaultOutOfBounds("oracle.maximum", maximum, type(uint96).max);
        uint256 decimals = _decimals(token);
        IOracle(oracle).required();
        _count = slot + 1;
        _slotPlusOne[token] = slot + 1;
        Slot storage c = _slots[slot];
        (c.oracle, c.decimals, c.token, c.cap) = (oracle, uint8(decimals), token, cap);
        (c.haircut, c.fromHaircut, c.haircutScale, c.fromScale) = (haircut, haircut, haircutScale, haircutScale);
        emit CollateralListed(token, slot, oracle, decimals);
        emit CollateralSet(token, haircut, haircutScale, cap);
        _price(c);
    }

    /// @inheritdoc IMarginVault
    function setCollateralTerms(address token, uint24 haircut, uint64 haircutScale, uint128 cap) external restricted {
        _checkTerms(haircut, haircutScale);
        Slot storage c = _slots[_slotOf(token)];
        if (haircut != c.haircut || haircutScale != c.haircutScale) {
            (uint256 fromHaircut, uint256 fromScale) = _termsNow(c);
            (c.fromHaircut, c.fromScale) = (uint24(fromHaircut), uint64(fromScale));
            (c.haircut, c.haircutScale) = (haircut, haircutScale);
            c.endAt = uint40(block.timestamp + TERMS_RAMP);
            emit CollateralRamp(token, fromHaircut, fromScale, block.timestamp + TERMS_RAMP);
        }
        c.cap = cap;
        emit CollateralSet(token, haircut, haircutScale, cap);
    }

    /// @inheritdoc IMarginVault
    function tightenCap(address token, uint128 cap) external restricted {
        Slot storage c = _slots[_slotOf(token)];
        if (cap >= c.cap) revert VaultNotTighter(c.cap, cap);
        c.cap = cap;
        emit CollateralSet(token, c.haircut, c.haircutScale, cap);
    }

    function _checkTerms(uint256 haircut, uint256 scale) internal pure {
        if (haircut < MIN_HAIRCUT) revert VaultOutOfBounds("haircut", haircut, MIN_HAIRCUT);
        if (haircut > MAX_HAIRCUT) revert VaultOutOfBounds("haircut", haircut, MAX_HAIRCUT);
        if (scale < MIN_SCALE) revert VaultOutOfBounds("haircutScale", scale, MIN_SCALE);
        if (scale > MAX_SCALE) revert VaultOutOfBounds("haircutScale", scale, MAX_SCALE);
    }

    // Value

    /// @inheritdoc IMarginVault
    function collateralValue(AccountId account) external view settled returns (uint256 maintenance, uint256 initial) {
        uint256 holds = _holds[account];
        for (uint256 slot; holds != 0; (holds >>= 1, ++slot)) {
            if (holds & 1 == 0) continue;
            (uint256 m, uint256 i) = _valueOf(_slots[slot], _balances[account][slot]);
            maintenance += m;
            initial += i;
        }
    }

    /// @dev Maintenance at the terms of the ramp; initial at the worse of those and the terms set.
    function _valueOf(Slot storage c, uint256 amount) internal view returns (uint256 maintenance, uint256 initial) {
        Price memory price = IOracle(c.oracle).peek();
        bool live = price.status == PriceStatus.Ok;
        uint256 value = amount * (live ? price.value : c.lastPrice) / 10 ** c.decimals;
        (uint256 haircut, uint256 scale) = _termsNow(c);
        maintenance = _countedDown(value, live ? haircut : 2 * haircut, scale);
        if (!live) return (maintenance, 0);
        initial = _countedDown(value, c.haircut, c.haircutScale);
        if (initial > maintenance) initial = maintenance;
    }

    /// @notice The part of a market value that counts; the formula is in IMarginVault. Never more than `value`.
    /// @param value WAD quote. @param haircut ppm. @param scale Whole quote.
    function _countedDown(uint256 value, uint256 haircut, uint256 scale) internal pure returns (uint256) {
        if (haircut >= PPM) return 0;
        uint256 scaleWad = scale * 1e18;
        uint256 best = scaleWad * (PPM - haircut) / (2 * haircut);
        if (value > best) value = best;
        return value * ((PPM - haircut) * scaleWad - haircut * value) / (PPM * scaleWad);
    }

    /// @dev Linear from (fromHaircut, fromScale) to (haircut, haircutScale), which holds from `endAt` on.
    function _termsNow(Slot storage c) internal view returns (uint256 haircut, uint256 scale) {
        (haircut, scale) = (c.haircut, c.haircutScale);
        if (block.timestamp >= c.endAt) return (haircut, scale);
        uint256 left = c.endAt - block.timestamp;
        haircut = (c.fromHaircut * left + haircut * (TERMS_RAMP - left)) / TERMS_RAMP;
        scale = (c.fromScale * left + scale * (TERMS_RAMP - left)) / TERMS_RAMP;
    }

    /// @dev Keeps the last good price.
    function _price(Slot storage c) internal {
        Price memory price = IOracle(c.oracle).read();
        if (price.status != PriceStatus.Ok || price.value == c.lastPrice) return;
        c.lastPrice = uint96(price.value);
        emit CollateralPriced(c.token, price.value);
    }

    /// @inheritdoc IMarginVault
    function poke(address token) external {
        _price(_slots[_slotOf(token)]);
    }

    // Losses behind other collateral

    /// @inheritdoc IMarginVault
    function seize(AccountId from, AccountId to, address token, uint256 owed, uint256 budget, uint256 maxAmount)
        external
        onlyClearing
        returns (uint256 amount, uint256 paid, uint256 price, bool left)
    {
        uint256 slot = _slotOf(token);
        price = _salePrice(_slots[slot]);
        if (price == 0) IOracle(_slots[slot].oracle).required();
        (amount, paid) = _sell(from, to, slot, price, owed, budget, maxAmount);
        left = _holds[from] != 0;
    }

    /// @inheritdoc IMarginVault
    function seizeAll(AccountId from, AccountId to, uint256 owed, uint256 budget)
        external
        onlyClearing
        returns (uint256 paid, bool left)
    {
        uint256 holds = _holds[from];
        for (uint256 slot; holds != 0 && paid < owed; (holds >>= 1, ++slot)) {
            if (holds & 1 == 0) continue;
            uint256 price = _salePrice(_slots[slot]);
            if (price == 0) continue;
            (, uint256 more) = _sell(from, to, slot, price, owed - paid, budget - paid, type(uint256).max);
            paid += more;
        }
        left = _holds[from] != 0;
    }

    /// @dev Moves the least that brings `owed` at `price`, within the limits, from one account to the other.
    function _sell(
        AccountId from,
        AccountId to,
        uint256 slot,
        uint256 price,
        uint256 owed,
        uint256 budget,
        uint256 maxAmount
    ) internal returns (uint256 amount, uint256 paid) {
        Slot storage c = _slots[slot];
        uint256 unit = 10 ** c.decimals;
        uint256 balance = _balances[from][slot];
        // Amounts of quote have 96 bits, prices too.
        amount = Fixed.min(Fixed.min(Fixed.divUp(owed * unit, price), balance), maxAmount);
        paid = FixedPointMathLib.fullMulDivUp(amount, price, unit);
        if (paid > budget) {
            amount = budget * unit / price;
            paid = FixedPointMathLib.fullMulDivUp(amount, price, unit);
        }
        if (amount == 0) return (0, 0);
        _balances[from][slot] = balance -= amount;
        if (balance == 0) _holds[from] &= ~(1 << slot);
        uint256 has = _balances[to][slot] + amount;
        _balances[to][slot] = has;
        _holds[to] |= 1 << slot;
        emit CollateralSold(from, to, c.token, amount, paid, balance, has);
    }

    /// @dev WAD quote per whole token, rounded down; 0 without a price.
    function _salePrice(Slot storage c) internal returns (uint256) {
        Price memory price = IOracle(c.oracle).read();
        if (price.status != PriceStatus.Ok) return 0;
        _price(c);
        (uint256 haircut,) = _termsNow(c);
        uint256 discount = Fixed.min(Fixed.min(haircut, c.haircut) / 2, MAX_DISCOUNT);
        return price.value * (PPM - discount) / PPM;
    }

    /// @inheritdoc IMarginVault
    function setLossTerms(uint24 rate, uint24 threshold, uint40 cap) external restricted {
        if (rate > MAX_INTEREST) revert VaultOutOfBounds("rate", rate, MAX_INTEREST);
        if (threshold > MAX_THRESHOLD) revert VaultOutOfBounds("threshold", threshold, MAX_THRESHOLD);
        uint256 index = interestIndex();
        _lossTerms = LossTerms(uint128(index), uint40(block.timestamp), rate, threshold, cap);
        emit LossTermsSet(rate, threshold, cap, index);
    }

    /// @inheritdoc IMarginVault
    function interestIndex() public view returns (uint256) {
        LossTerms memory t = _lossTerms;
        return t.index + uint256(t.rate) * 1e12 * (block.timestamp - t.setAt) / 365 days;
    }

    /// @inheritdoc IMarginVault
    function lossTerms() external view returns (uint256 rate, uint256 threshold, uint256 cap) {
        LossTerms memory t = _lossTerms;
        return (t.rate, uint256(t.threshold) * 1e18, uint256(t.cap) * 1e18);
    }

    // Views

    /// @inheritdoc IMarginVault
    function collateralOf(AccountId account, address token) external view settled returns (uint256) {
        return _balances[account][_slotOf(token)];
    }

    /// @inheritdoc IMarginVault
    function collateralCount() external view returns (uint256) {
        return _count;
    }

    /// @inheritdoc IMarginVault
    function collateralAt(uint256 slot) external view returns (Collateral memory) {
        Slot storage c = _slots[slot];
        return Collateral(c.token, c.decimals, c.haircut, c.haircutScale, c.oracle, c.cap, uint128(_heldOf(c.token)));
    }

    /// @inheritdoc IMarginVault
    function rampOf(uint256 slot)
        external
        view
        returns (uint256 fromHaircut, uint256 fromScale, uint256 endAt, uint256 lastPrice)
    {
        Slot storage c = _slots[slot];
        return (c.fromHaircut, c.fromScale, c.endAt, c.lastPrice);
    }

    function _requireToken(address token) internal view override {
        if (token != settlementToken) _slotOf(token);
    }

    function _requireSettled() internal view override {
        if (msg.sender == clearing) return;
        address holder = IClearingHouse(clearing).lockHolder();
        if (holder != address(0) && holder != msg.sender) revert VaultLocked();
    }

    function _slotOf(address token) internal view returns (uint256) {
        uint256 slotPlusOne = _slotPlusOne[token];
        if (slotPlusOne == 0) revert VaultUnknownToken(token);
        return slotPlusOne - 1;
    }

    function _decimals(address token) internal view returns (uint256 decimals) {
        if (token.code.length == 0) revert VaultNoCode(token);
        decimals = IERC20Metadata(token).decimals();
        if (decimals > MAX_DECIMALS) revert VaultDecimals(token, decimals, MAX_DECIMALS);
    }
}
