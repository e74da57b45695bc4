// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {RiskBounds} from "../risk/RiskBounds.sol";
import {MarketCaps, MarketLimits, MarketRisk} from "../types/MarketNow.sol";
import {RiskParams} from "../types/RiskParams.sol";

/// @title PerpParams: a market's changeable parameters, and the cap of open interest that follows from them and its backing.
abstract contract PerpParams is IPerpMarket, AccessManaged {
    /// @notice Stands for the backing that nobody told yet; its backed cap is above every static one.
    uint80 internal constant UNTOLD = type(uint80).max;

    address public immutable clearing;

    MarketRisk internal risk;
    MarketCaps internal caps;
    MarketLimits internal limits;

    modifier onlyClearing() {
        if (msg.sender != clearing) revert MarketOnlyClearing(msg.sender);
        _;
    }

    constructor(address authority_, address clearing_) AccessManaged(authority_) {
        clearing = clearing_;
    }

    // Rates and caps

    function _firstParams(RiskParams memory p) internal {
        risk.mmrFrom = risk.mmrTo = p.mmr;
        limits.backing = UNTOLD;
        _setParams(p);
    }

    function _setParams(RiskParams memory p) internal {
        RiskBounds.check(p);
        MarketRisk memory r = risk;
        // It divides the maintenance margin of large positions and does not ramp: it may only rise.
        if (p.sizeScale < r.sizeScale) revert RiskBounds.RiskOutOfBounds("sizeScale", p.sizeScale, r.sizeScale);
        r.mmrFrom = uint24(Fixed.divUp(_mmr(risk.word()), 1e12));
        (r.mmrTo, r.rampStart, r.rampSeconds) = (p.mmr, uint32(block.timestamp), p.rampSeconds);
        (r.imr, r.profitWeight, r.velocity) = (p.imr, p.profitWeight, p.velocity);
        (r.minNotional, r.sizeScale) = (p.minNotional, p.sizeScale);
        risk = r;
        MarketLimits memory l = limits;
        (l.openInterestCap, l.backingMultiple) = (p.openInterestCap, p.backingMultiple);
        limits = l;
        MarketCaps memory c = caps;
        (c.openInterestCap, c.accountCap) = (_cap(l), p.accountCap);
        (c.fundingCap, c.interestRate) = (p.fundingCap, p.interestRate);
        caps = c;
        emit ParamsSet(p);
    }

    /// @inheritdoc IPerpMarket
    function tightenCaps(uint80 openInterestCap, uint48 accountCap) external restricted {
        (MarketLimits memory l, uint256 current) = (limits, caps.accountCap);
        if (openInterestCap > l.openInterestCap) revert MarketNotTighter(l.openInterestCap, openInterestCap);
        if (accountCap > current) revert MarketNotTighter(current, accountCap);
        limits.openInterestCap = l.openInterestCap = openInterestCap;
        (caps.openInterestCap, caps.accountCap) = (_cap(l), accountCap);
        emit CapsTightened(openInterestCap, accountCap);
    }

    /// @inheritdoc IPerpMarket
    function params() external view returns (RiskParams memory p) {
        MarketRisk memory r = risk;
        MarketCaps memory c = caps;
        MarketLimits memory l = limits;
        p = RiskParams(
            r.imr,
            r.mmrTo,
            r.rampSeconds,
            r.profitWeight,
            c.fundingCap,
            r.velocity,
            c.interestRate,
            r.sizeScale,
            r.minNotional,
            c.accountCap,
            l.openInterestCap,
            l.backingMultiple
        );
    }

    /// @dev The maintenance rate now, WAD, from the stored slot of MarketRisk.
    function _mmr(uint256 riskWord) internal view returns (uint256) {
        (uint24 from, uint24 to) = (uint24(riskWord >> 24), uint24(riskWord >> 48));
        return RiskBounds.ramp(from, to, uint32(riskWord >> 72), uint24(riskWord >> 104), block.timestamp);
    }

    // Backing

    /// @inheritdoc IPerpMarket
    function setBacking(uint256 lots) external onlyClearing returns (uint256 cap) {
        MarketLimits memory l = limits;
        limits.backing = l.backing = uint80(Fixed.min(lots, UNTOLD - 1));
        caps.openInterestCap = _cap(l);
        emit BackingSet(l.backing);
        return _backedCap(l);
    }

    function _backedCap(MarketLimits memory l) internal pure returns (uint256) {
        return uint256(l.backing) * l.backingMultiple;
    }

    /// @dev The cap in force. Below what is open it stops growth only.
    function _cap(MarketLimits memory l) internal pure returns (uint80) {
        return uint80(Fixed.min(l.openInterestCap, _backedCap(l)));
    }

    /// @inheritdoc IPerpMarket
    function backing() external view returns (uint256 lots, uint256 cap, bool told) {
        MarketLimits memory l = limits;
        return (l.backing, _backedCap(l), l.backing != UNTOLD);
    }
}
