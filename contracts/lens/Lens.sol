// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LibBit} from "solady/utils/LibBit.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ILedger} from "../interfaces/ILedger.sol";
import {ILens} from "../interfaces/ILens.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {IVAMM} from "../interfaces/IVAMM.sol";
import {Accrual} from "../libraries/Accrual.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId} from "../types/AccountId.sol";
import {Fill} from "../types/Fill.sol";
import {Health, Words} from "../types/Ledger.sol";
import {MarketWords} from "../types/MarketWords.sol";
import {RiskParams} from "../types/RiskParams.sol";

/// @title Lens: batched views over the clearing house, its markets and their vAMMs.
/// @custom:stop nothing to stop: it holds no state.
contract Lens is ILens {
    using Fixed for int256;

    IClearingHouse public immutable clearing;

    constructor(address clearing_) {
        clearing = IClearingHouse(clearing_);
    }

    /// @inheritdoc ILens
    function accounts(AccountId[] calldata ids) external view returns (AccountSummary[] memory out) {
        out = new AccountSummary[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            try this.accountNow(ids[i]) returns (AccountSummary memory s) {
                out[i] = s;
            } catch (bytes memory reason) {
                out[i].reason = reason;
            }
        }
    }

    /// @notice One account; reverts as the clearing house does.
    function accountNow(AccountId id) external view returns (AccountSummary memory s) {
        s.ok = true;
        (s.account, s.health) = clearing.health(id);
        uint256 bits = s.account.bitmap & Words.MARKETS_MASK;
        s.holdings = new Holding[](LibBit.popCount(bits));
        for (uint256 i; bits != 0; ++i) {
            uint256 number = LibBit.ffs(bits);
            bits &= bits - 1;
            int256 size = clearing.sizeOf(id, number);
            uint256 index = IPerpMarket(clearing.marketOf(number)).peek().index;
            s.holdings[i] = Holding(number, size, Fixed.mulWadUp(size.abs(), index));
        }
    }

    /// @inheritdoc ILens
    function freeCollateral(AccountId[] calldata ids) external view returns (uint256[] memory free) {
        free = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            (, Health memory h) = clearing.health(ids[i]);
            free[i] = h.free;
        }
    }

    /// @inheritdoc ILens
    function markets(uint256[] calldata numbers) external view returns (MarketSummary[] memory out) {
        out = new MarketSummary[](numbers.length);
        for (uint256 i; i < numbers.length; ++i) {
            try this.marketNow(numbers[i]) returns (MarketSummary memory s) {
                out[i] = s;
            } catch (bytes memory reason) {
                out[i].reason = reason;
            }
        }
    }

    /// @notice One market; reverts when there is none.
    function marketNow(uint256 number) external view returns (MarketSummary memory s) {
        s.market = clearing.marketOf(number);
        if (s.market == address(0)) revert ILedger.ClearingUnknownMarket(number);
        IPerpMarket market = IPerpMarket(s.market);
        MarketWords memory w = market.words();
        RiskParams memory p = market.params();
        (s.ok, s.m) = (true, market.peek());
        s.premiumAverage = w.premiumAverage * Accrual.PREMIUM_UNIT;
        int256 rate = s.premiumAverage;
        if (s.m.depth < s.m.openInterest) rate = rate * int256(s.m.depth) / int256(s.m.openInterest);
        rate = rate * Accrual.PREMIUM_PAYMENTS_PER_DAY + w.velocity * Accrual.VELOCITY_UNIT;
        s.fundingRate = rate.clamp(int256(uint256(p.fundingCap)) * 1e12);
    }

    /// @inheritdoc ILens
    function quotes(IVAMM vamm, int256[] calldata sizes) external view returns (Quote[] memory out) {
        out = new Quote[](sizes.length);
        for (uint256 i; i < sizes.length; ++i) {
            try vamm.quoteTrade(sizes[i]) returns (Fill memory fill) {
                (out[i].ok, out[i].fill) = (true, fill);
            } catch (bytes memory reason) {
                out[i].reason = reason;
            }
        }
    }

    /// @inheritdoc ILens
    function house() external view returns (HouseSummary memory s) {
        s.house = clearing.house();
        s.held = IMarginVault(clearing.vault()).settlementWad();
        s.ratio = clearing.releaseRatio();
    }
}
