// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBacking} from "../interfaces/IBacking.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Position, Words} from "../types/Ledger.sol";
import {MarketState, MarketView} from "../types/Market.sol";
import {Clearing} from "./Clearing.sol";

/// @title Backing: what stands behind a market's open interest, told to the market.
/// @dev It runs in the clearing house's storage, as Backstop does, and writes nothing there.
abstract contract Backing is Clearing, IBacking {
    using Fixed for int256;
    using Words for Position;

    /// @dev The insurance fund's account.
    function _insurance() internal view virtual returns (AccountId);

    /// @inheritdoc IBacking
    function back(uint256 market, bool leaving) external locked returns (uint256 openInterest, uint256 cap) {
        IPerpMarket contract_ = _market(market);
        MarketView memory m;
        contract_.accrue().unpackInto(m);
        if (!m.live) contract_.requirePrice();
        openInterest = m.openInterest;
        AccountId fund = _insurance();
        uint256 money = IInsuranceFund(fund.owner()).coverAt(market, Words.capitalOf(accounts[fund]));
        address venue = venueFor[market];
        bool counts = venues[venue].marketPlusOne == market + 1;
        if (counts) money += _equityOf(AccountIds.from(venue, 0), market, m) / 2;
        cap = contract_.setBacking(money * 1e18 / m.index);
        bool open = m.state < MarketState.Settling;
        if (leaving && open && counts && msg.sender == venue && openInterest > cap) {
            revert BackingTooLow(market, openInterest, cap);
        }
    }

    /// @dev What capital and pnl of an account would come to after a touch, not below 0. `market` is as in `m`.
    function _equityOf(AccountId id, uint256 market, MarketView memory m) private returns (uint256) {
        Touched memory t;
        _read(t, id);
        uint256 others = t.a.bitmap & Words.MARKETS_MASK & ~(1 << market);
        if (others != 0) _plan(t, _heldAccrued(id, others));
        t.p.read(positions[id][market]);
        (int256 gain,) = _sync(market, m, t.p);
        return uint256((int256(t.a.capital) + t.a.pnl + gain).positive());
    }
}
