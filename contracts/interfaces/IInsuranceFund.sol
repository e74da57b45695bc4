// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {AccountId} from "../types/AccountId.sol";

/// @notice Shares of the stake that pays deficits, after the bankrupt's own money and before the other side of a market.
/// @dev ERC-4626 over one ledger account, (this, 0): assets are its capital in settlement tokens, its pnl never counts.
/// Anyone may add to the account by a deposit to the vault; tokens sent here by transfer stay here.
///
/// Price of a share, A assets in token units, S shares:   (A + 1) / (S + 1e6)
/// The 1 and the 1e6 belong to nobody. At first a token unit buys 1e6 shares.
///
/// Way out: 1. `request`; 2. the cooldown, in which the shares bear losses as all others and cannot move; 3. inside the
/// window `redeem` or `withdraw`, at the lower of the prices at request and now. What that leaves unpaid stays with those
/// who remain. After the window the request has lapsed: the shares still cannot move, and still do not stand for cover,
/// until somebody calls `lapse` or the holder asks anew or cancels.
///
/// Differences from ERC-4626: what has no answer without a request is refused (`previewRedeem`, `previewWithdraw`; see
/// `previewClaim`), as ERC-7540 wants of a vault with a delay; `deposit` refuses to round away more than 1e-4; all that
/// asks for assets reverts with ClearingLocked in the middle of a call of the clearing house.
interface IInsuranceFund is IERC4626 {
    /// @notice A holder's open request; shares 0: there is none.
    /// @param shares Still to be claimed. @param from First second of the window. @param until Its last second.
    /// @param assets Assets at the request, token units. @param supply Shares at the request.
    struct Request {
        uint160 shares;
        uint40 from;
        uint40 until;
        uint96 assets;
        uint160 supply;
    }

    /// @notice Cover of one market. @param ppm Part of the stake not in cooldown. @param drawnAt Last draw, seconds.
    /// @param used What counted as drawn right after it, WAD quote.
    struct Cover {
        uint24 ppm;
        uint40 drawnAt;
        uint128 used;
    }

    /// @notice The open request of a holder after a change; shares 0: there is none any more.
    event RequestSet(
        address indexed holder, uint256 shares, uint256 assets, uint256 supply, uint256 from, uint256 until
    );
    /// @notice `total` is the sum over all markets, ppm.
    event AllotmentSet(uint256 indexed market, uint256 ppm, uint256 total);
    /// @notice A market drew `amount`; `used` counts as drawn from now on and decays. WAD quote.
    event Drawn(uint256 indexed market, uint256 amount, uint256 used);
    event TimesSet(uint256 cooldown, uint256 window);
    /// @notice All shares and requests of `epoch` ended, without a Transfer; balances and the supply are 0.
    event ShareEpochEnded(uint256 indexed epoch, uint256 shares);

    /// @notice Thrown when the caller is not the clearing house.
    error InsuranceNotClearing(address caller);
    /// @notice Thrown at construction when the vault serves another clearing house.
    error InsuranceOtherClearing(address vaultClearing, address clearing);
    /// @notice Thrown when the holder has no open request.
    error InsuranceNoRequest(address holder);
    /// @notice Thrown before the window, or before a request has lapsed.
    error InsuranceTooEarly(uint256 time, uint256 from);
    /// @notice Thrown after the window.
    error InsuranceTooLate(uint256 time, uint256 until);
    /// @notice Thrown when more shares (or none) are asked than the holder has, or claimed than he asked.
    error InsuranceSharesTooLow(address holder, uint256 shares, uint256 wanted);
    /// @notice Thrown when shares in a request would move.
    error InsuranceSharesRequested(address holder, uint256 free, uint256 wanted);
    /// @notice Thrown while losses of bankrupt accounts, recorded and not yet resolved, pass CLAIMS_BOUND of the stake: a
    /// loss that everybody sees is borne before anybody leaves. Whoever wants his claim resolves them. WAD quote.
    error InsuranceClaimsWait(uint256 losses, uint256 maximum);
    /// @notice Thrown when shares would be made while the fund holds other collateral that counts more than CLAIMS_BOUND of
    /// its capital: their price does not know it. Whoever wants shares buys it first (IResolver.convert). WAD quote.
    error InsuranceHoldsCollateral(uint256 value, uint256 maximum);
    /// @notice Thrown when a claim would pay nothing.
    error InsuranceNothingToPay(uint256 shares);
    /// @notice Thrown when a deposit would get shares worth less than 99.99 % of it. Token units.
    error InsuranceDepositTooSmall(uint256 assets, uint256 worth);
    /// @notice Thrown when the stake was paid out, and `restart` was not called yet. Token units, shares.
    error InsuranceSpent(uint256 assets, uint256 shares);
    /// @notice Thrown by `restart` when shares are worth something.
    error InsuranceNotSpent(uint256 assets, uint256 shares);
    /// @notice Thrown when allotments would add up to more than the stake, ppm.
    error InsuranceOverAllotted(uint256 total, uint256 maximum);
    /// @notice Thrown when a setting is outside its bound.
    error InsuranceOutOfBounds(bytes32 field, uint256 value, uint256 bound);
    /// @notice Thrown by `previewRedeem` and `previewWithdraw`: what a share pays depends on its request.
    error InsuranceNoPreview();

    // The way out

    /// @notice Asks for `shares` of the caller. Replaces an open request; cooldown and price begin anew.
    function request(uint256 shares) external;

    /// @notice Ends the caller's open request, at any time.
    function cancel() external;

    /// @notice Ends the request of `holder` once its window has passed. Anyone may.
    function lapse(address holder) external;

    /// @notice What `redeem` of `shares` out of the holder's request would pay now, whatever the time; 0 without one.
    /// @return Token units: the lower of shares * price at request and shares * price now, each rounded down.
    function previewClaim(address holder, uint256 shares) external view returns (uint256);

    // Income and the end of a stake

    /// @notice Turns `amount` (WAD quote) of the fund's positive pnl into capital, one for one or not at all. Anyone may.
    /// @param touchFirst Accounts to touch first, so that their losses back it.
    /// @return capital What was added, WAD quote.
    function release(uint256 amount, AccountId[] calldata touchFirst) external returns (uint256 capital);

    /// @notice Ends the share epoch of a stake that was paid out, so that deposits are taken again. Anyone may.
    /// @dev Paid out: with shares, capital, positive pnl, interest that was charged and what other collateral counts are
    /// together below one token unit, or the price is below 1e-6 of the start. Shares of the epoch are worth nothing for ever; what was left goes to the new holders. Allowances
    /// remain.
    function restart() external;

    // Cover

    /// @notice Takes up to `wanted` (WAD quote) of the market's cover. Clearing house only, which then moves the money
    /// out of `account` in the same call, under its own lock.
    /// @param capital Capital of `account` now, WAD quote: the ledger cannot be asked under the lock.
    /// @return amount min(wanted, what `allotmentOf` would say at this capital), WAD quote.
    function draw(uint256 market, uint256 wanted, uint256 capital) external returns (uint256 amount);

    /// @notice What `market` could draw now, WAD quote, rounded down.
    /// @dev max(0, ppm * uncooled - used now). Lapsed requests count as in cooldown until they are cleared.
    function allotmentOf(uint256 market) external view returns (uint256);

    /// @notice As `allotmentOf`, at this capital of `account` (WAD quote): for the clearing house under its lock, as `draw`.
    function coverAt(uint256 market, uint256 capital) external view returns (uint256);

    /// @notice What counts as drawn by `market` now, WAD quote: used * (7 days - age) / 7 days, rounded up.
    /// @dev A draw adds to what is left of earlier ones, and the sum takes 7 days from then.
    function usedOf(uint256 market) external view returns (uint256);

    /// @notice The stake not in cooldown, WAD quote: capital * (S - requested + 1e6) / (S + 1e6), rounded down.
    function uncooled() external view returns (uint256);

    // Parameters (restricted)

    /// @notice Sets the times of requests to come, seconds, each 1 hour to 30 days. Open requests keep theirs.
    function setTimes(uint256 cooldown, uint256 window) external;

    /// @notice Sets the market's cover. The sum over all markets is at most 1,000,000.
    function setAllotment(uint256 market, uint24 ppm) external;

    // Stored

    /// @notice The ledger account that holds the stake.
    function account() external view returns (AccountId);
    function requestOf(address holder) external view returns (Request memory);
    /// @notice Shares in requests, lapsed ones that nobody cleared included.
    function sharesRequested() external view returns (uint256);
    function coverOf(uint256 market) external view returns (Cover memory);
    /// @notice Sum of all allotments, ppm.
    function allotted() external view returns (uint24);
    /// @notice Seconds from a request to its window, and the length of the window.
    function times() external view returns (uint256 cooldown, uint256 window);
    /// @notice How many share epochs ended.
    function shareEpoch() external view returns (uint64);
}
