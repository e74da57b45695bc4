// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {Accrual} from "../libraries/Accrual.sol";
import {Curve} from "../libraries/Curve.sol";
import {Decay} from "../libraries/Decay.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {Sides} from "../libraries/Sides.sol";
import {LiquidationMath} from "../risk/LiquidationMath.sol";
import {Position} from "../types/Ledger.sol";
import {LiquidationTerms} from "../types/Liquidation.sol";
import {MarketView} from "../types/Market.sol";
import {MarketWords, MarketWordsLib} from "../types/MarketWords.sol";

/// @title MathHarness: the libraries, callable from outside, many values at a time.
/// @custom:stop tests only.
contract MathHarness {
    using MarketWordsLib for MarketWords;

    // Solady's, declared so that the ABI names them
    error ExpOverflow();
    error LnWadUndefined();
    error FullMulDivFailed();

    /// @notice Makes each call to this contract; says which succeeded and what came back.
    function each(bytes[] calldata calls) external view returns (bool[] memory oks, bytes[] memory results) {
        oks = new bool[](calls.length);
        results = new bytes[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            (oks[i], results[i]) = address(this).staticcall(calls[i]);
        }
    }

    // Solady

    function expWad(int256 x) external pure returns (int256) {
        return FixedPointMathLib.expWad(x);
    }

    function lnWad(int256 x) external pure returns (int256) {
        return FixedPointMathLib.lnWad(x);
    }

    function sqrt(uint256 x) external pure returns (uint256) {
        return FixedPointMathLib.sqrt(x);
    }

    function fullMulDiv(uint256 a, uint256 b, uint256 d) external pure returns (uint256) {
        return FixedPointMathLib.fullMulDiv(a, b, d);
    }

    function fullMulDivUp(uint256 a, uint256 b, uint256 d) external pure returns (uint256) {
        return FixedPointMathLib.fullMulDivUp(a, b, d);
    }

    // Fixed

    function divFloor(int256 a, int256 b) external pure returns (int256) {
        return Fixed.divFloor(a, b);
    }

    /// @notice The EVM's own signed division.
    function tdiv(int256 a, int256 b) external pure returns (int256) {
        return a / b;
    }

    function mulWadFloor(int256 a, int256 b) external pure returns (int256) {
        return Fixed.mulWadFloor(a, b);
    }

    function mulWadUp(uint256 a, uint256 b) external pure returns (uint256) {
        return Fixed.mulWadUp(a, b);
    }

    function divUp(uint256 a, uint256 b) external pure returns (uint256) {
        return Fixed.divUp(a, b);
    }

    function clamp(int256 a, int256 bound) external pure returns (int256) {
        return Fixed.clamp(a, bound);
    }

    // Curve

    function mid(uint256 p, uint256 r, uint256 x) external pure returns (uint256) {
        return Curve.mid(p, r, x);
    }

    function quoteUp(uint256 p, uint256 r, uint256 x0, uint256 x1) external pure returns (uint256) {
        return Curve.quoteUp(p, r, x0, x1);
    }

    function quoteDown(uint256 p, uint256 r, uint256 x0, uint256 x1) external pure returns (uint256) {
        return Curve.quoteDown(p, r, x0, x1);
    }

    function baseForQuoteDown(uint256 p, uint256 r, uint256 x, uint256 quote) external pure returns (uint256) {
        return Curve.baseForQuoteDown(p, r, x, quote);
    }

    function baseForQuoteUp(uint256 p, uint256 r, uint256 x, uint256 quote) external pure returns (uint256) {
        return Curve.baseForQuoteUp(p, r, x, quote);
    }

    function distanceFeeUp(uint256 p, uint256 r, uint256 x0, uint256 x1, uint256 index, uint256 rate)
        external
        pure
        returns (uint256)
    {
        return Curve.distanceFeeUp(p, r, x0, x1, index, rate);
    }

    function flatRateUp(uint256 base, uint256 age, uint256 cap, uint256 variance, uint256 seconds_)
        external
        pure
        returns (uint256)
    {
        return Curve.flatRateUp(base, age, cap, variance, seconds_);
    }

    function pushDown(uint256 r, uint256 band) external pure returns (uint256) {
        return Curve.pushDown(r, band);
    }

    // Time

    function weight(uint256 dt, uint256 tau) external pure returns (int256) {
        return Decay.weight(dt, tau);
    }

    function toward(int256 average, int256 target, int256 w) external pure returns (int256) {
        return Decay.toward(average, target, w);
    }

    function elapse(MarketWords memory s, Accrual.Terms memory c, uint256 dt)
        external
        pure
        returns (int256 g, MarketWords memory)
    {
        g = Accrual.elapse(s, c, dt);
        return (g, s);
    }

    function move(MarketWords memory s, int256 dP, int256 g) external pure returns (MarketWords memory) {
        Accrual.move(s, dP, g);
        return s;
    }

    function observe(MarketWords memory s, int256 dP, uint256 seconds_) external pure returns (MarketWords memory) {
        Accrual.observe(s, dP, seconds_);
        return s;
    }

    function gapSeconds(uint256 index, uint256 short, uint256 threshold, uint256 tau) external pure returns (uint256) {
        return Accrual.gapSeconds(index, short, threshold, tau);
    }

    // Sides

    function sizeOf(MarketView memory m, int256 units) external pure returns (int256) {
        return Sides.sizeOf(m, units);
    }

    function unitsDown(MarketView memory m, uint256 side, uint256 size) external pure returns (uint256) {
        return Sides.unitsDown(m, side, size);
    }

    function unitsUp(MarketView memory m, uint256 side, uint256 size) external pure returns (uint256) {
        return Sides.unitsUp(m, side, size);
    }

    function profit(Position memory p, int256 k) external pure returns (int256) {
        return Sides.profit(p, k);
    }

    // Liquidation

    function plan(
        LiquidationTerms memory t,
        uint256 equity,
        uint256 maintenance,
        uint256 size,
        uint256 index,
        uint256 own,
        uint256 maxSize
    ) external pure returns (uint256 x, uint256 reward, uint256 penalty) {
        return LiquidationMath.plan(t, equity, maintenance, size, index, own, maxSize);
    }

    // Words

    /// @notice The four words of a market, unpacked and packed again.
    function repack(uint256 a, uint256 b, uint256 c, uint256 d)
        external
        pure
        returns (MarketWords memory s, uint256, uint256, uint256, uint256)
    {
        s = MarketWordsLib.unpack(a, b, c, d);
        return (s, s.prices(), s.rates(), s.indices(), s.sides());
    }
}
