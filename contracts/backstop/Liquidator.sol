// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IBackstop} from "../interfaces/IBackstop.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {ILiquidator} from "../interfaces/ILiquidator.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {IResolver} from "../interfaces/IResolver.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId} from "../types/AccountId.sol";
import {LiquidationTerms, Takeover, Taken} from "../types/Liquidation.sol";
import {RiskParams} from "../types/RiskParams.sol";

/// @title Liquidator: who may take what from unhealthy accounts, on which terms; the clearing house moves it.
/// @custom:stop nothing: taking risk off unhealthy accounts has no switch.
contract Liquidator is ILiquidator, AccessManaged {
    uint256 internal constant TRADE = 1;
    uint256 public constant MAX_TARGET = 3_000_000; // 3 times maintenance
    uint256 public constant MIN_TARGET = 1_010_000; // 1.01 times
    uint256 public constant MAX_BUDGET = 100_000; // (10 %) of the allotment a day
    uint256 internal constant MILLI = 1e15;

    /// @dev day 64 | amount 192 = 256 bits
    struct Spent {
        uint64 day;
        uint192 amount;
    }

    IClearingHouse public immutable clearing;
    IInsuranceFund public immutable insurance;

    mapping(uint256 market => LiquidationTerms) internal terms;
    mapping(uint256 market => Spent) internal spent;

    constructor(address authority_, address clearing_, address insurance_) AccessManaged(authority_) {
        (clearing, insurance) = (IClearingHouse(clearing_), IInsuranceFund(insurance_));
    }

    /// @inheritdoc ILiquidator
    function liquidate(Takeover calldata ask) external returns (Taken memory) {
        if (ask.venue != address(0)) revert LiquidatorVenue(ask.venue);
        return _liquidate(ask);
    }

    /// @inheritdoc ILiquidator
    function liquidateToVenue(Takeover calldata ask) external returns (Taken memory) {
        if (ask.venue == address(0)) revert LiquidatorVenue(ask.venue);
        return _liquidate(ask);
    }

    function _liquidate(Takeover calldata ask) internal returns (Taken memory taken) {
        _requireTaker(ask.taker);
        LiquidationTerms memory t = terms[ask.market];
        if (t.target == 0) revert LiquidatorNoTerms(ask.market);
        taken = IBackstop(address(clearing)).takeover(ask, ask.topUp == 0 ? 0 : budgetLeft(ask.market), t);
        _record(ask, taken);
    }

    /// @inheritdoc ILiquidator
    function tryLiquidateMany(Takeover[] calldata asks) external returns (Outcome[] memory out) {
        out = new Outcome[](asks.length);
        for (uint256 i; i < asks.length;) {
            Takeover calldata first = asks[i];
            if (i == 0 || first.taker.key() != asks[i - 1].taker.key()) _requireTaker(first.taker);
            uint256 end = i + 1;
            while (end < asks.length && _together(first, asks[end])) ++end;
            if (!_tryTogether(asks[i:end], i, out)) {
                for (uint256 j = i; j < end; ++j) {
                    _tryTogether(asks[j:j + 1], j, out);
                }
            }
            i = end;
        }
    }

    /// @dev Whether two asks can be one clearing: one market, one taker, no venue.
    function _together(Takeover calldata a, Takeover calldata b) internal pure returns (bool) {
        return a.market == b.market && a.taker.key() == b.taker.key() && a.venue == address(0) && b.venue == address(0);
    }

    /// @dev Asks that go together, whose outcomes begin at `start`. @return done False when several failed as one.
    function _tryTogether(Takeover[] calldata asks, uint256 start, Outcome[] memory out) internal returns (bool done) {
        Takeover calldata first = asks[0];
        LiquidationTerms memory t = terms[first.market];
        if (t.target == 0) {
            for (uint256 i; i < asks.length; ++i) {
                out[start + i].reason = abi.encodeWithSelector(LiquidatorNoTerms.selector, first.market);
            }
            return true;
        }
        uint256 wanted;
        for (uint256 i; i < asks.length && wanted == 0; ++i) {
            wanted = asks[i].topUp;
        }
        uint256 budget = wanted == 0 ? 0 : budgetLeft(first.market);
        if (asks.length == 1) {
            try IBackstop(address(clearing)).takeover(first, budget, t) returns (Taken memory taken) {
                _note(out[start], first, taken);
            } catch (bytes memory reason) {
                out[start].reason = reason;
            }
            return true;
        }
        try IBackstop(address(clearing)).takeoverMany(asks, budget, t) returns (
            Taken[] memory taken, bytes[] memory why
        ) {
            for (uint256 i; i < asks.length; ++i) {
                if (why[i].length == 0) _note(out[start + i], asks[i], taken[i]);
                else out[start + i].reason = why[i];
            }
            return true;
        } catch {
            return false;
        }
    }

    function _note(Outcome memory out, Takeover calldata ask, Taken memory taken) internal {
        (out.done, out.taken) = (true, taken);
        _record(ask, taken);
    }

    /// @inheritdoc ILiquidator
    function resolve(AccountId victim, AccountId taker, uint256 market) external returns (bool done, uint256 paid) {
        LiquidationTerms memory t = terms[market];
        if (t.target == 0) revert LiquidatorNoTerms(market);
        uint256 reward;
        if (taker.owner() != address(0)) {
            _requireTaker(taker);
            reward = Fixed.min(t.minReward * MILLI, budgetLeft(market));
        }
        (done, paid) = IResolver(address(clearing)).resolve(victim, taker, market, reward, t);
        _spend(market, paid);
        emit Resolved(victim, taker, done, paid);
    }

    function _requireTaker(AccountId taker) internal view {
        if (taker.owner() == msg.sender || clearing.isAuthorised(taker, msg.sender, TRADE)) return;
        revert LiquidatorNotAuthorised(taker, msg.sender);
    }

    function _record(Takeover calldata ask, Taken memory taken) internal {
        _spend(ask.market, taken.topUp);
        emit Liquidated(ask.market, ask.victim, ask.taker, taken);
    }

    function _spend(uint256 market, uint256 amount) internal {
        if (amount == 0) return;
        uint256 sum = _spentToday(market) + amount;
        spent[market] = Spent(_today(), uint192(sum));
        emit Spending(market, _today(), sum);
    }

    function _today() internal view returns (uint64) {
        return uint64(block.timestamp / 1 days);
    }

    function _spentToday(uint256 market) internal view returns (uint256) {
        Spent memory s = spent[market];
        return s.day == _today() ? s.amount : 0;
    }

    /// @inheritdoc ILiquidator
    function termsOf(uint256 market) external view returns (LiquidationTerms memory) {
        return terms[market];
    }

    /// @inheritdoc ILiquidator
    function budgetLeft(uint256 market) public view returns (uint256) {
        uint256 most = insurance.allotmentOf(market) * terms[market].budget / 1e6;
        uint256 gone = _spentToday(market);
        return most > gone ? most - gone : 0;
    }

    /// @inheritdoc ILiquidator
    function setTerms(uint256 market, LiquidationTerms calldata t) external restricted {
        address contract_ = clearing.marketOf(market);
        if (contract_ == address(0)) revert LiquidatorUnknownMarket(market);
        RiskParams memory p = IPerpMarket(contract_).params();
        _bound("rewardMin", t.rewardMin, 1, t.rewardMax);
        _bound("rewardMax + penalty", uint256(t.rewardMax) + t.penalty, 1, p.mmr - 1);
        _bound("target", t.target, MIN_TARGET, MAX_TARGET);
        _bound("minLot", t.minLot, 1, t.wholeBelow);
        _bound("wholeBelow", t.wholeBelow, p.minNotional, type(uint32).max);
        _bound("budget", t.budget, 0, MAX_BUDGET);
        // Splitting into least lots must not earn more than it costs: least reward <= (rewardMin + penalty) * minLot.
        uint256 most = (uint256(t.rewardMin) + t.penalty) * t.minLot / 1e3;
        _bound("minReward", t.minReward, 0, most);
        terms[market] = t;
        emit TermsSet(market, t);
    }

    function _bound(bytes32 field, uint256 value, uint256 least, uint256 most) internal pure {
        if (value < least) revert LiquidatorOutOfBounds(field, value, least);
        if (value > most) revert LiquidatorOutOfBounds(field, value, most);
    }
}
