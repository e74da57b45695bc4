// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBacking} from "../interfaces/IBacking.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Account, House, Words} from "../types/Ledger.sol";
import {MarketView} from "../types/Market.sol";
import {Clearing} from "./Clearing.sol";

/// @title Backing: what stands behind a market's open interest, told to the market.
/// @dev It runs in the clearing house's storage, as Backstop does, and stores nothing there but a touched venue account.
abstract contract Backing is Clearing, IBacking {
    using Fixed for int256;

    /// @dev The insurance fund's account.
    function _insurance() internal view virtual returns (AccountId);

    /// @inheritdoc IBacking
    function back(uint256 market, bool leaving) external locked returns (uint256 openInterest, uint256 cap) {
        IPerpMarket contract_ = _market(market);
        address venue = venueFor[market];
        bool counts = venues[venue].marketPlusOne == market + 1;
        uint256 money = counts ? _equityOf(AccountIds.from(venue, 0)) / 2 : 0;
        MarketView memory m;
        contract_.accrue().unpackInto(m);
        if (!m.live) contract_.requirePrice();
        AccountId fund = _insurance();
        money += IInsuranceFund(fund.owner()).coverAt(market, Words.capitalOf(accounts[fund]));
        openInterest = m.openInterest;
        cap = contract_.setBacking(money * 1e18 / m.index);
        if (leaving && counts && msg.sender == venue && openInterest > cap) {
            revert BackingTooLow(market, openInterest, cap);
        }
    }

    /// @dev Capital and pnl of a touched account, not below 0.
    function _equityOf(AccountId id) private returns (uint256) {
        House memory h = _loadHouse();
        Account memory a = _touchAlone(id, h).a;
        _saveHouse(h);
        return uint256((int256(a.capital) + a.pnl).positive());
    }
}
