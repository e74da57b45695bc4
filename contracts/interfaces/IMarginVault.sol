// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";

/// @notice Custody of every token: the settlement token behind the ledger, and other collateral with haircuts and caps.
/// @dev Counts what it received, so that tokens sent to it by transfer change nothing. Only tokens whose balance delta
/// equals the amount are taken: no fee on transfer, no rebasing. Donated tokens stay where they are. Claims on the
/// protocol itself (LP or insurance shares) must never be listed.
///
/// Value of other collateral, per token, WAD quote: V market value, h haircut, S haircutScale.
///     counted = V * (1 - h * (1 + V / S)),   V at most S * (1 - h) / (2h), where that is greatest
/// so that more is never worth less. A dead feed doubles h.
///
/// Throttle, per token, token units: H held now, A slow average of H (weight of the past exp(-seconds / THROTTLE_SECONDS)),
/// s the share. A withdrawal of x that leaves the vault needs
///     H - x >= A * (1 - s),   the right side rounded down
/// or x within the owner's exemption. Deposits do not move A, so that neither a deposit taken out again nor one on loan
/// for a transaction changes what others may take. Of A at any time, more than A * (1 - s)^2 is still held an hour
/// later, but for exempt withdrawals. Nothing that moves inside the ledger is throttled.
interface IMarginVault {
    /// @notice Terms of a collateral token.
    /// @param oracle IOracle in WAD quote per whole token; the zero address only in an empty slot.
    /// @param haircut Part of the value that never counts, ppm.
    /// @param haircutScale Value at which the haircut has doubled, whole quote; the haircut grows with the account's own amount.
    /// @param cap Most that the vault takes in all, token units; never more than 96 bits hold.
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
    /// @notice Settlement tokens became surplus, which is nobody's. Token units.
    event Seeded(address indexed from, uint256 amount, uint256 held);
    event CollateralListed(address indexed token, uint256 indexed slot, address oracle, uint256 decimals);
    event CollateralSet(address indexed token, uint256 haircut, uint256 haircutScale, uint256 cap);
    /// @notice Maintenance values go linearly from these terms to those of CollateralSet until `endAt`.
    event CollateralRamp(address indexed token, uint256 fromHaircut, uint256 fromScale, uint256 endAt);
    /// @notice The last good price of a collateral changed, WAD quote per whole token.
    event CollateralPriced(address indexed token, uint256 price);
    /// @notice Other collateral of `from` was sold to `to` inside the vault. @param amount Token units.
    /// @param paid WAD quote. @param left,has What the two now have of the token, token units.
    event CollateralSold(
        AccountId indexed from,
        AccountId indexed to,
        address indexed token,
        uint256 amount,
        uint256 paid,
        uint256 left,
        uint256 has
    );
    /// @notice Terms of losses behind other collateral; `index` is the interest index up to now, WAD.
    event LossTermsSet(uint256 rate, uint256 threshold, uint256 cap, uint256 index);
    /// @notice The throttle of a token was set. Its average follows from this and `held` of deposits and withdrawals.
    event ThrottleSet(address indexed token, uint256 share, uint256 exempt);

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
    /// @notice Thrown when a withdrawal is more than the throttle lets go now, and more than the owner's exemption.
    /// @param available The most that this owner could take now, token units.
    error VaultThrottled(address token, uint256 wanted, uint256 available);
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
    /// @notice Thrown when the caller is not the clearing house.
    error VaultNotClearing(address caller);

    // Tokens in and out

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

    /// @notice Pays `amount` of `token` out of `account` to `to`. Settlement: releases only the pnl that capital lacks
    /// for the amount and for the initial margin that must stay.
    /// @dev Afterwards capital and other collateral alone cover initial margin at strict prices. A flat account can
    /// always withdraw its capital, whatever any oracle says, as fast as the throttle lets it. The owner names any `to`; a delegate with WITHDRAW pays
    /// out to the owner only.
    /// @param amount Token units.
    /// @param touch Accounts to touch first, so that losses are collected in the same call. Settlement token only.
    /// @param minRelease Least release ratio h that the caller accepts, WAD; 1e18 refuses any cut. Settlement only.
    function withdraw(
        AccountId account,
        address token,
        uint256 amount,
        address to,
        AccountId[] calldata touch,
        uint256 minRelease
    ) external;

    /// @notice Takes settlement tokens from the caller and credits nobody: they are surplus for good. A few cents pay for
    /// what the rounding of ended epochs can cost beyond what roundings have left.
    /// @param amount Token units.
    function seed(uint256 amount) external;

    /// @notice Stores the present price of a collateral as its last good one; does nothing while its feed is dead.
    /// @dev Anyone may. Deposits and withdrawals of the token do the same.
    function poke(address token) external;

    // Listing and terms

    /// @notice Lists a token as collateral, for ever. Restricted.
    /// @param oracle WAD quote per whole token; it must answer now.
    function listCollateral(address token, address oracle, uint24 haircut, uint64 haircutScale, uint128 cap) external;

    /// @notice Sets the terms of a listed token. Restricted. Initial margin counts them at once (the worse of old and
    /// new), maintenance reaches them in TERMS_RAMP, so that nobody is liquidated at once. A cap below what is held
    /// shuts deposits and nothing else.
    function setCollateralTerms(address token, uint24 haircut, uint64 haircutScale, uint128 cap) external;

    /// @notice Lowers the cap of a listed token at once. Restricted; for the guardian.
    function tightenCap(address token, uint128 cap) external;

    // Losses behind other collateral

    /// @notice Sells other collateral of `from` to `to`, inside the vault, at the oracle's price less the discount: half of
    /// the haircut that counts, at most MAX_DISCOUNT. Only the clearing house, which moves the money.
    /// @dev Since the discount is below the haircut, a sale always raises the equity of `from`.
    /// @param owed What the sale should bring, WAD quote. @param budget Most that `to` can pay, WAD quote.
    /// @param maxAmount Most token units.
    /// @return amount Token units: the least that bring `owed`, as far as there are some and the other limits allow.
    /// @return paid WAD quote, rounded up.
    /// @return price WAD quote per whole token, the discount taken off, rounded down.
    /// @return left Whether `from` has any other collateral left.
    function seize(AccountId from, AccountId to, address token, uint256 owed, uint256 budget, uint256 maxAmount)
        external
        returns (uint256 amount, uint256 paid, uint256 price, bool left);

    /// @notice As `seize`, of each token that has a price, in the order of their slots, until `owed` is paid.
    function seizeAll(AccountId from, AccountId to, uint256 owed, uint256 budget)
        external
        returns (uint256 paid, bool left);

    /// @notice Sets what a loss behind other collateral costs, and when the collateral may be converted. Restricted.
    /// @param rate Interest a year, ppm. @param threshold Loss of an account that is left alone, whole quote.
    /// @param cap Losses of all such accounts up to which it is, whole quote.
    function setLossTerms(uint24 rate, uint24 threshold, uint40 cap) external;

    /// @notice Interest on 1 of loss since the beginning, WAD, simple: it grows by the rate, and never falls.
    function interestIndex() external view returns (uint256);

    /// @notice See `setLossTerms`.
    /// @return rate Interest a year, ppm.
    /// @return threshold WAD quote.
    /// @return cap WAD quote.
    function lossTerms() external view returns (uint256 rate, uint256 threshold, uint256 cap);

    // Throttle

    /// @notice Sets how fast a token may leave. Restricted.
    /// @param share Part of the average holdings that may leave at once, and about as much again in each hour, ppm; from
    /// MIN_SHARE to 1e6, which is no throttle. A token that was never set has none.
    /// @param exempt Token units that an owner may take within any hour whatever the average says, all his accounts
    /// together; 0 is no exemption.
    function setThrottle(address token, uint24 share, uint128 exempt) external;

    /// @notice Lowers share and exemption of a token at once, or one of them; the share never below MIN_SHARE, which
    /// leaves in each hour whatever else. Restricted; for the guardian.
    function tightenThrottle(address token, uint24 share, uint128 exempt) external;

    // Views (shut while a call is under way, except to the clearing house and the holder of the lock)

    /// @notice Settlement tokens held for accounts, as WAD quote: V of the identity.
    function settlementWad() external view returns (uint256);

    /// @notice Haircut value of the other collateral of `account`, WAD quote.
    /// @return maintenance A dead feed counts at its last good price with the haircut doubled.
    /// @return initial A dead feed counts nothing.
    function collateralValue(AccountId account) external view returns (uint256 maintenance, uint256 initial);

    /// @notice Token units of `token` that `account` has as other collateral.
    function collateralOf(AccountId account, address token) external view returns (uint256);

    /// @notice Settlement tokens held for accounts, token units.
    function settlementHeld() external view returns (uint256);

    /// @notice The throttle of a token now.
    /// @return share ppm; 1e6 is none.
    /// @return exempt Token units an owner and hour.
    /// @return average Slow average of what is held; what is held, without a throttle.
    /// @return available Token units that may leave now, exemptions aside.
    function throttleOf(address token)
        external
        view
        returns (uint256 share, uint256 exempt, uint256 average, uint256 available);

    /// @notice Token units that `owner` may still take whatever the average says; all is back an hour after his last
    /// withdrawal that needed it.
    function exemptLeft(address token, address owner) external view returns (uint256);

    // Views that are never shut: nothing in them is written while tokens move, but `held`

    /// @notice The token behind the ledger.
    function settlementToken() external view returns (address);
    /// @notice WAD quote per unit of the settlement token: 10^(18 - decimals).
    function settlementScale() external view returns (uint256);
    /// @notice The clearing house that this vault serves.
    function clearing() external view returns (address);
    /// @notice How many collateral tokens are listed; their slots are 0 and up.
    function collateralCount() external view returns (uint256);
    /// @notice Terms and amount held of the collateral in `slot`.
    function collateralAt(uint256 slot) external view returns (Collateral memory);
    /// @notice Where the terms of `slot` come from, and its last good price, WAD quote per whole token.
    function rampOf(uint256 slot)
        external
        view
        returns (uint256 fromHaircut, uint256 fromScale, uint256 endAt, uint256 lastPrice);
}
