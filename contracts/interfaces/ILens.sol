// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Fill} from "../types/Fill.sol";
import {Account, Health, House} from "../types/Ledger.sol";
import {MarketView} from "../types/Market.sol";
import {IVAMM} from "./IVAMM.sol";

/// @notice Batched views for people and bots: many accounts, markets or quotes in one call, all of one block.
/// @dev Stores nothing and decides nothing; the arithmetic is that of the contracts it asks.
interface ILens {
    /// @notice A position as a touch now would leave it.
    /// @param size WAD lots, positive when long. @param notional At the index, WAD quote.
    struct Holding {
        uint256 market;
        int256 size;
        uint256 notional;
    }

    /// @notice An account as a touch now would leave it.
    /// @param ok Whether it could be read; when not, `reason` is the revert data and the rest is empty.
    struct AccountSummary {
        bool ok;
        bytes reason;
        Account account;
        Health health;
        Holding[] holdings;
    }

    /// @notice A market now. @param fundingRate A day, WAD, positive when longs pay; as the next interval begins.
    /// @param premiumAverage Average of the premium, WAD. @param ok As in AccountSummary.
    struct MarketSummary {
        bool ok;
        bytes reason;
        address market;
        MarketView m;
        int256 premiumAverage;
        int256 fundingRate;
    }

    /// @notice A quote. @param ok Whether the fill could be made (margin and caps apart); else `reason` says why not.
    struct Quote {
        bool ok;
        bytes reason;
        Fill fill;
    }

    /// @notice Totals of the ledger. @param held Settlement tokens, WAD. @param ratio Release ratio h, WAD.
    struct HouseSummary {
        House house;
        uint256 held;
        uint256 ratio;
    }

    /// @notice Accounts, in the order asked; one that cannot be read does not stop the others.
    function accounts(AccountId[] calldata ids) external view returns (AccountSummary[] memory);

    /// @notice What a withdrawal could take of each account now at most, without releasing profit, WAD quote.
    function freeCollateral(AccountId[] calldata ids) external view returns (uint256[] memory);

    /// @notice Markets, in the order asked.
    function markets(uint256[] calldata numbers) external view returns (MarketSummary[] memory);

    /// @notice The fills that `vamm` would make now for each size alone, by the plan of the trade itself.
    function quotes(IVAMM vamm, int256[] calldata sizes) external view returns (Quote[] memory);

    /// @notice Totals.
    function house() external view returns (HouseSummary memory);
}
