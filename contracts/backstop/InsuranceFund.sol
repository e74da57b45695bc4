// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {IResolver} from "../interfaces/IResolver.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Account, Words} from "../types/Ledger.sol";

/// @title InsuranceFund: shares of the ledger account that pays deficits, market by market.
/// @custom:stop setAllotment(market, 0) ends the cover of a market; deposits and the way out are never shut.
contract InsuranceFund is IInsuranceFund, ERC4626, AccessManaged, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev Of one share epoch.
    struct Epoch {
        uint256 supply;
        uint256 requested;
        mapping(address holder => uint256) balances;
        mapping(address holder => Request) requests;
    }

    uint256 public constant MIN_TIME = 1 hours;
    uint256 public constant MAX_TIME = 30 days;
    uint256 public constant USED_DECAY = 7 days;
    /// @notice Of the stake, ppm (1 %).
    uint256 public constant CLAIMS_BOUND = 10_000;
    uint256 internal constant PPM = 1e6;
    uint8 internal constant OFFSET = 6;
    uint256 internal constant VIRTUAL = 10 ** OFFSET; // shares that nobody owns
    uint256 internal constant SPENT = VIRTUAL * 1e6; // shares per token unit at 1e-6 of the first price
    uint256 internal constant LEAST_WORTH = 9_999; // of 10,000 (99.99 %)

    IClearingHouse public immutable clearing;
    IMarginVault public immutable vault;
    /// @inheritdoc IInsuranceFund
    AccountId public immutable account;
    uint256 internal immutable _scale;

    /// @dev cooldown 40 + window 40 + allotted 24 + shareEpoch 64 = 168 bits.
    uint40 internal _cooldown;
    uint40 internal _window;
    /// @inheritdoc IInsuranceFund
    uint24 public allotted;
    /// @inheritdoc IInsuranceFund
    uint64 public shareEpoch;
    mapping(uint256 epoch => Epoch) internal _epochs;
    mapping(uint256 market => Cover) internal _covers;

    constructor(address authority_, address clearing_, address vault_, uint256 cooldown_, uint256 window_)
        ERC20("Novation Insurance", "nvINS")
        ERC4626(IERC20(IMarginVault(vault_).settlementToken()))
        AccessManaged(authority_)
    {
        address served = IMarginVault(vault_).clearing();
        if (served != clearing_) revert InsuranceOtherClearing(served, clearing_);
        (clearing, vault) = (IClearingHouse(clearing_), IMarginVault(vault_));
        account = AccountIds.from(address(this), 0);
        _scale = IMarginVault(vault_).settlementScale();
        // The vault takes tokens from its caller only, and none stay here between calls.
        IERC20(asset()).forceApprove(vault_, type(uint256).max);
        _setTimes(cooldown_, window_);
    }

    // Shares

    function balanceOf(address holder) public view override(ERC20, IERC20) returns (uint256) {
        return _epochs[shareEpoch].balances[holder];
    }

    function totalSupply() public view override(ERC20, IERC20) returns (uint256) {
        return _epochs[shareEpoch].supply;
    }

    /// @dev As ERC20, on the balances of the present epoch; shares in a request stay. A supply has less than 160 bits: a
    /// share costs at least 1e-12 of a token unit, and the vault holds less than 2^96 units.
    function _update(address from, address to, uint256 value) internal override {
        Epoch storage e = _epochs[shareEpoch];
        if (from == address(0)) {
            e.supply += value;
        } else {
            uint256 balance = e.balances[from];
            if (balance < value) revert ERC20InsufficientBalance(from, balance, value);
            uint256 free = balance - e.requests[from].shares;
            if (free < value) revert InsuranceSharesRequested(from, free, value);
            e.balances[from] = balance - value;
        }
        if (to == address(0)) e.supply -= value;
        else e.balances[to] += value;
        emit Transfer(from, to, value);
    }

    /// @inheritdoc IERC4626
    function totalAssets() public view override(ERC4626, IERC4626) returns (uint256) {
        return clearing.account(account).capital / _scale;
    }

    function _decimalsOffset() internal pure override returns (uint8) {
        return OFFSET;
    }

    /// @dev Whether shares are worth nothing, or so little that new ones would be too many.
    function _isSpent(uint256 assets, uint256 supply) internal pure returns (bool) {
        return supply != 0 && (assets == 0 || (assets + 1) * SPENT < supply + VIRTUAL);
    }

    // In

    /// @inheritdoc IERC4626
    function deposit(uint256 assets, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 shares)
    {
        (uint256 all, uint256 supply) = _requireUnspent();
        shares = FixedPointMathLib.fullMulDiv(assets, supply + VIRTUAL, all + 1);
        uint256 worth = FixedPointMathLib.fullMulDiv(shares, (all + 1) * 10_000, supply + VIRTUAL);
        if (worth < assets * LEAST_WORTH) revert InsuranceDepositTooSmall(assets, worth / 10_000);
        _deposit(msg.sender, receiver, assets, shares);
    }

    /// @inheritdoc IERC4626
    function mint(uint256 shares, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 assets)
    {
        (uint256 all, uint256 supply) = _requireUnspent();
        assets = FixedPointMathLib.fullMulDivUp(shares, all + 1, supply + VIRTUAL);
        _deposit(msg.sender, receiver, assets, shares);
    }

    function _requireUnspent() internal view returns (uint256 assets, uint256 supply) {
        (assets, supply) = (totalAssets(), totalSupply());
        if (_isSpent(assets, supply)) revert InsuranceSpent(assets, supply);
        (uint256 value, uint256 most) = _otherAssets();
        if (value > most) revert InsuranceHoldsCollateral(value, most);
    }

    /// @dev What other collateral of the fund counts, and how much of it new shares may ignore; WAD quote.
    function _otherAssets() internal view returns (uint256 value, uint256 most) {
        Account memory a = clearing.account(account);
        if (a.bitmap & Words.COLLATERAL_BIT != 0) (value,) = vault.collateralValue(account);
        most = a.capital * CLAIMS_BOUND / PPM;
    }

    function _transferIn(address from, uint256 assets) internal override {
        super._transferIn(from, assets);
        vault.deposit(account, asset(), assets);
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) public view override(ERC4626, IERC4626) returns (uint256) {
        (uint256 value, uint256 most) = _otherAssets();
        if (value > most || _isSpent(totalAssets(), totalSupply())) return 0;
        return type(uint96).max / _scale - vault.settlementHeld();
    }

    /// @inheritdoc IERC4626
    function maxMint(address receiver) public view override(ERC4626, IERC4626) returns (uint256) {
        return convertToShares(maxDeposit(receiver));
    }

    // Out

    /// @inheritdoc IInsuranceFund
    function request(uint256 shares) external nonReentrant {
        Epoch storage e = _epochs[shareEpoch];
        uint256 has = e.balances[msg.sender];
        if (shares == 0 || shares > has) revert InsuranceSharesTooLow(msg.sender, has, shares);
        uint40 from = uint40(block.timestamp) + _cooldown;
        uint96 assets = uint96(totalAssets());
        _setRequest(e, msg.sender, Request(uint160(shares), from, from + _window, assets, uint160(e.supply)));
    }

    /// @inheritdoc IInsuranceFund
    function cancel() external nonReentrant {
        (Epoch storage e,) = _requestOf(msg.sender);
        _setRequest(e, msg.sender, Request(0, 0, 0, 0, 0));
    }

    /// @inheritdoc IInsuranceFund
    function lapse(address holder) external nonReentrant {
        (Epoch storage e, Request memory r) = _requestOf(holder);
        if (block.timestamp <= r.until) revert InsuranceTooEarly(block.timestamp, r.until);
        _setRequest(e, holder, Request(0, 0, 0, 0, 0));
    }

    /// @dev The one writer of requests and of their sum.
    function _setRequest(Epoch storage e, address holder, Request memory r) internal {
        e.requested = e.requested - e.requests[holder].shares + r.shares;
        e.requests[holder] = r;
        emit RequestSet(holder, r.shares, r.assets, r.supply, r.from, r.until);
    }

    function _requestOf(address holder) internal view returns (Epoch storage e, Request memory r) {
        e = _epochs[shareEpoch];
        r = e.requests[holder];
        if (r.shares == 0) revert InsuranceNoRequest(holder);
    }

    /// @inheritdoc IERC4626
    function redeem(uint256 shares, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 assets)
    {
        (Epoch storage e, Request memory r) = _requireCooled(owner);
        assets = _worth(r, shares);
        _claim(e, r, shares, assets, receiver, owner);
    }

    /// @inheritdoc IERC4626
    function withdraw(uint256 assets, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 shares)
    {
        (Epoch storage e, Request memory r) = _requireCooled(owner);
        shares = FixedPointMathLib.fullMulDivUp(assets, r.supply + VIRTUAL, uint256(r.assets) + 1);
        uint256 atNow = FixedPointMathLib.fullMulDivUp(assets, e.supply + VIRTUAL, totalAssets() + 1);
        if (atNow > shares) shares = atNow;
        _claim(e, r, shares, assets, receiver, owner);
    }

    function _requireCooled(address holder) internal view returns (Epoch storage e, Request memory r) {
        (e, r) = _requestOf(holder);
        if (block.timestamp < r.from) revert InsuranceTooEarly(block.timestamp, r.from);
        if (block.timestamp > r.until) revert InsuranceTooLate(block.timestamp, r.until);
        (uint256 bare, uint256 most) = _bareLosses();
        if (bare > most) revert InsuranceClaimsWait(bare, most);
    }

    /// @dev Losses that nothing of the bankrupt covers, and how much of them claims do not wait for; WAD quote.
    function _bareLosses() internal view returns (uint256 bare, uint256 most) {
        (, bare,) = IResolver(address(clearing)).losses();
        most = clearing.account(account).capital * CLAIMS_BOUND / PPM;
    }

    /// @dev Token units, at the lower of the prices at request and now, rounded down.
    function _worth(Request memory r, uint256 shares) internal view returns (uint256) {
        uint256 then = FixedPointMathLib.fullMulDiv(shares, uint256(r.assets) + 1, r.supply + VIRTUAL);
        return Fixed.min(then, FixedPointMathLib.fullMulDiv(shares, totalAssets() + 1, totalSupply() + VIRTUAL));
    }

    function _claim(Epoch storage e, Request memory r, uint256 shares, uint256 assets, address receiver, address owner)
        internal
    {
        if (shares > r.shares) revert InsuranceSharesTooLow(owner, r.shares, shares);
        if (assets == 0) revert InsuranceNothingToPay(shares);
        r.shares -= uint160(shares);
        _setRequest(e, owner, r.shares == 0 ? Request(0, 0, 0, 0, 0) : r);
        _withdraw(msg.sender, receiver, owner, assets, shares);
    }

    function _transferOut(address to, uint256 assets) internal override {
        vault.withdraw(account, asset(), assets, to, new AccountId[](0), 1e18);
    }

    /// @inheritdoc IInsuranceFund
    function previewClaim(address holder, uint256 shares) external view returns (uint256) {
        Request memory r = requestOf(holder);
        return r.shares == 0 ? 0 : _worth(r, shares);
    }

    /// @inheritdoc IERC4626
    function maxRedeem(address holder) public view override(ERC4626, IERC4626) returns (uint256 shares) {
        (shares,) = _claimable(holder);
    }

    /// @inheritdoc IERC4626
    function maxWithdraw(address holder) public view override(ERC4626, IERC4626) returns (uint256 assets) {
        (, assets) = _claimable(holder);
    }

    /// @dev Nothing outside the window, nor while claims wait, nor what would pay nothing.
    function _claimable(address holder) internal view returns (uint256 shares, uint256 assets) {
        Request memory r = requestOf(holder);
        if (r.shares == 0 || block.timestamp < r.from || block.timestamp > r.until) return (0, 0);
        (uint256 bare, uint256 most) = _bareLosses();
        if (bare > most) return (0, 0);
        assets = _worth(r, r.shares);
        if (assets != 0) shares = r.shares;
    }

    /// @inheritdoc IERC4626
    function previewRedeem(uint256) public pure override(ERC4626, IERC4626) returns (uint256) {
        revert InsuranceNoPreview();
    }

    /// @inheritdoc IERC4626
    function previewWithdraw(uint256) public pure override(ERC4626, IERC4626) returns (uint256) {
        revert InsuranceNoPreview();
    }

    // Income and the end of a stake

    /// @inheritdoc IInsuranceFund
    function release(uint256 amount, AccountId[] calldata touchFirst) external nonReentrant returns (uint256) {
        return clearing.release(account, amount, touchFirst, 1e18);
    }

    /// @inheritdoc IInsuranceFund
    function restart() external nonReentrant {
        Account memory a = clearing.account(account);
        (,, uint256 interest) = IResolver(address(clearing)).losses();
        (uint256 value,) = _otherAssets();
        uint256 assets = (a.capital + uint256(Fixed.positive(a.pnl)) + interest + value) / _scale;
        uint256 supply = totalSupply();
        if (!_isSpent(assets, supply)) revert InsuranceNotSpent(assets, supply);
        emit ShareEpochEnded(shareEpoch++, supply);
    }

    // Cover

    /// @inheritdoc IInsuranceFund
    function draw(uint256 market, uint256 wanted, uint256 capital) external returns (uint256 amount) {
        if (msg.sender != address(clearing)) revert InsuranceNotClearing(msg.sender);
        Cover storage c = _covers[market];
        uint256 used = _usedUp(c);
        amount = Fixed.min(wanted, _allotment(c.ppm, used, capital));
        // A draw of nothing must not hold up the decay.
        if (amount == 0) return 0;
        // Together at most the capital, of 96 bits.
        (c.used, c.drawnAt) = (uint128(used + amount), uint40(block.timestamp));
        emit Drawn(market, amount, used + amount);
    }

    /// @inheritdoc IInsuranceFund
    function allotmentOf(uint256 market) external view returns (uint256) {
        Cover storage c = _covers[market];
        return _allotment(c.ppm, _usedUp(c), clearing.account(account).capital);
    }

    /// @inheritdoc IInsuranceFund
    function coverAt(uint256 market, uint256 capital) external view returns (uint256) {
        Cover storage c = _covers[market];
        return _allotment(c.ppm, _usedUp(c), capital);
    }

    function _allotment(uint256 ppm, uint256 used, uint256 capital) internal view returns (uint256) {
        uint256 whole = _uncooled(capital) * ppm / PPM;
        return whole > used ? whole - used : 0;
    }

    function _uncooled(uint256 capital) internal view returns (uint256) {
        Epoch storage e = _epochs[shareEpoch];
        uint256 all = e.supply + VIRTUAL;
        return FixedPointMathLib.fullMulDiv(capital, all - e.requested, all);
    }

    function _usedUp(Cover storage c) internal view returns (uint256) {
        uint256 age = block.timestamp - c.drawnAt;
        return age >= USED_DECAY ? 0 : Fixed.divUp(c.used * (USED_DECAY - age), USED_DECAY);
    }

    /// @inheritdoc IInsuranceFund
    function usedOf(uint256 market) external view returns (uint256) {
        return _usedUp(_covers[market]);
    }

    /// @inheritdoc IInsuranceFund
    function uncooled() external view returns (uint256) {
        return _uncooled(clearing.account(account).capital);
    }

    // Parameters

    /// @inheritdoc IInsuranceFund
    function setTimes(uint256 cooldown, uint256 window) external restricted {
        _setTimes(cooldown, window);
    }

    function _setTimes(uint256 cooldown, uint256 window) internal {
        _bound("cooldown", cooldown);
        _bound("window", window);
        (_cooldown, _window) = (uint40(cooldown), uint40(window));
        emit TimesSet(cooldown, window);
    }

    function _bound(bytes32 field, uint256 value) internal pure {
        if (value < MIN_TIME) revert InsuranceOutOfBounds(field, value, MIN_TIME);
        if (value > MAX_TIME) revert InsuranceOutOfBounds(field, value, MAX_TIME);
    }

    /// @inheritdoc IInsuranceFund
    function setAllotment(uint256 market, uint24 ppm) external restricted {
        uint256 total = uint256(allotted) - _covers[market].ppm + ppm;
        if (total > PPM) revert InsuranceOverAllotted(total, PPM);
        (allotted, _covers[market].ppm) = (uint24(total), ppm);
        emit AllotmentSet(market, ppm, total);
    }

    // Stored

    /// @inheritdoc IInsuranceFund
    function requestOf(address holder) public view returns (Request memory) {
        return _epochs[shareEpoch].requests[holder];
    }

    /// @inheritdoc IInsuranceFund
    function sharesRequested() external view returns (uint256) {
        return _epochs[shareEpoch].requested;
    }

    /// @inheritdoc IInsuranceFund
    function coverOf(uint256 market) external view returns (Cover memory) {
        return _covers[market];
    }

    /// @inheritdoc IInsuranceFund
    function times() external view returns (uint256 cooldown, uint256 window) {
        return (_cooldown, _window);
    }
}
