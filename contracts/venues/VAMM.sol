// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Multicallable} from "solady/utils/Multicallable.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IVAMM} from "../interfaces/IVAMM.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Curve} from "../libraries/Curve.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId} from "../types/AccountId.sol";
import {Ask, Fill} from "../types/Fill.sol";
import {IndexView} from "../types/Market.sol";
import {VammParams, VammParamsLib} from "../types/VammParams.sol";
import {VammShares} from "./VammShares.sol";

/// @title VAMM: fills traders against its own ledger account, along a constant-product curve around the index.
/// @custom:stop guardian: `PerpMarket.reduceOnly`, or `ClearingHouse.stopVenue`; LPs can still leave in cash.
contract VAMM is VammShares, Multicallable {
    using Fixed for int256;
    using VammParamsLib for uint256;

    int256 internal constant MAX_SIZE = 1 << 79;
    /// @dev Of what a fill costs and of the mid that it leaves.
    uint256 internal constant MAX_QUOTE = 1 << 120;
    uint256 internal constant MAX_AGE = 10 minutes;
    uint256 internal constant FEE_UNIT = 1e12;
    uint256 internal constant MAX_FEE = 0.05e18;

    constructor(address authority_, address clearing_, uint256 market_, VammParams memory p)
        VammShares(authority_, clearing_, market_, p)
    {}

    /// @inheritdoc IVAMM
    function trade(AccountId id, int256 size, uint256 limitPrice, uint256 deadline) external returns (Fill memory f) {
        f = _fill(id, Ask(size, 0, limitPrice, false), deadline);
    }

    /// @inheritdoc IVAMM
    function tradeQuote(AccountId id, int256 quote, uint256 limitPrice, uint256 deadline)
        external
        returns (Fill memory f)
    {
        f = _fill(id, Ask(0, quote, limitPrice, false), deadline);
    }

    /// @inheritdoc IVAMM
    function close(AccountId id, uint256 limitPrice, uint256 deadline) external returns (Fill memory f) {
        f = _fill(id, Ask(0, 0, limitPrice, true), deadline);
    }

    /// @dev Has the clearing house book what `planFill` answers it.
    function _fill(AccountId id, Ask memory ask, uint256 deadline) internal returns (Fill memory f) {
        if (block.timestamp > deadline) revert VammExpired(block.timestamp, deadline);
        if (id.owner() != msg.sender && !clearing.isAuthorised(id, msg.sender, TRADE)) {
            revert VammNotAuthorised(id, msg.sender);
        }
        f = clearing.fill(market, id, ask);
        _keep(id, f);
    }

    /// @inheritdoc IVenue
    function filled(AccountId taker, Fill memory f) external {
        if (msg.sender != address(clearing)) revert VammNotAuthorised(taker, msg.sender);
        _keep(taker, f);
    }

    /// @dev After a fill: a peg that returned stays where it is.
    function _keep(AccountId id, Fill memory f) internal {
        State memory s = state;
        if (f.peg != _pegAt(s, stored.trading(), f.index)) _setCurve(s.root, f.peg, f.index);
        emit Filled(id, f.size, f.quote, f.fee, f.mid);
    }

    /// @inheritdoc IVenue
    function planFill(uint256, IndexView memory m, AccountId taker, int256 held, int256 has, Ask calldata ask)
        external
        view
        returns (Fill memory f)
    {
        if (msg.sender != address(clearing)) revert VammNotAuthorised(taker, msg.sender);
        if (ask.closing && has == 0) revert VammNoPosition(taker);
        _plan(f, state, m, held, ask.closing ? -has : ask.size, ask.quote);
        _checkLimit(f, ask.limitPrice);
    }

    /// @dev The one plan of a fill, for trades and quotes: exact `size`, or exact `quote` when size is 0.
    function _plan(Fill memory f, State memory s, IndexView memory m, int256 held, int256 size, int256 quote)
        internal
        view
    {
        if (s.root == 0) revert VammNoLiquidity();
        uint256 p = stored.trading();
        uint256 x = _reserve(s, held);
        (f.index, f.peg) = (m.index, _pegReturned(s, p, m.index, x));
        f.size = size == 0 ? _sizeFor(f.peg, s.root, x, quote) : size;
        if (f.size == 0 || f.size >= MAX_SIZE || f.size <= -MAX_SIZE) revert VammSizeOutOfRange(f.size);
        if (f.size >= int256(x)) revert VammDepleted(x, uint256(f.size));
        uint256 x1;
        unchecked {
            x1 = uint256(int256(x) - f.size); // less than what is there leaves
        }
        if (x1 >= Curve.MAX_ROOT) revert VammSizeOutOfRange(f.size);
        if (size == 0) f.quote = quote.abs();
        else f.quote = size > 0 ? Curve.quoteUp(f.peg, s.root, x, x1) : Curve.quoteDown(f.peg, s.root, x, x1);
        f.mid = Curve.mid(f.peg, s.root, x1);
        if ((f.quote | f.mid) >= MAX_QUOTE) revert VammSizeOutOfRange(f.size);
        _checkBand(p, m.index, f.mid, held, f.size);
        uint256 distance = Curve.distanceFeeUp(f.peg, s.root, x, x1, m.index, p.distanceFee());
        uint256 flat;
        uint256 most;
        unchecked {
            f.premium = (int256(f.mid) - int256(m.index)) * 1e18 / int256(m.index);
            uint256 age = m.updatedAt < block.timestamp ? block.timestamp - m.updatedAt : 0;
            uint256 rate = Curve.flatRateUp(p.baseFee(), p.ageFee(), p.feeCap(), m.variance, Fixed.min(age, MAX_AGE));
            flat = Fixed.mulWadUpRaw(f.quote, rate);
            most = Fixed.mulWadUpRaw(f.quote, MAX_FEE);
        }
        // The clearing house takes no fee above MAX_FEE; a mid far off the index must not shut a closing fill.
        f.fee = Fixed.min(flat + distance, most);
        unchecked {
            f.houseFee = f.fee * p.houseShare() / 1e6 / FEE_UNIT * FEE_UNIT;
        }
    }

    function _sizeFor(uint256 peg, uint256 root, uint256 x, int256 quote) internal pure returns (int256) {
        if (quote == 0 || quote.abs() >= MAX_QUOTE) revert VammSizeOutOfRange(quote);
        if (quote > 0) return int256(Curve.baseForQuoteDown(peg, root, x, uint256(quote)));
        uint256 size = Curve.baseForQuoteUp(peg, root, x, uint256(-quote));
        if (size == 0) revert VammDepleted(Curve.quoteReserveDown(peg, root, x), uint256(-quote));
        return -int256(size);
    }

    /// @dev The band binds fills that grow the inventory; a fill that shrinks it may end anywhere.
    function _checkBand(uint256 p, uint256 index, uint256 mid, int256 held, int256 size) internal pure {
        uint256 band;
        unchecked {
            if ((held - size).abs() <= held.abs()) return;
            band = index * p.band() / 1e6;
        }
        if (FixedPointMathLib.dist(mid, index) > band) revert VammOutsideBand(mid, index, band);
    }

    /// @dev The price with fee, rounded against the trader, is held to the limit.
    function _checkLimit(Fill memory f, uint256 limit) internal pure {
        uint256 lots = f.size.abs();
        // Of 120 bits, and a fee is a part of it.
        unchecked {
            if (f.size > 0) {
                uint256 price = Fixed.divUp((f.quote + f.fee) * 1e18, lots);
                if (price > limit) revert VammPriceLimit(price, limit);
            } else {
                uint256 price = (f.quote - f.fee) * 1e18 / lots;
                if (price < limit) revert VammPriceLimit(price, limit);
            }
        }
    }

    /// @inheritdoc IVAMM
    function quoteTrade(int256 size) external view returns (Fill memory f) {
        if (size == 0) revert VammSizeOutOfRange(0);
        _plan(f, state, _peek(), clearing.sizeOf(account, market), size, 0);
    }

    /// @inheritdoc IVAMM
    function quoteTradeQuote(int256 quote) external view returns (Fill memory f) {
        _plan(f, state, _peek(), clearing.sizeOf(account, market), 0, quote);
    }

    /// @inheritdoc IVAMM
    function curve() external view returns (uint256 mid, uint256 peg, uint256 reserve, uint256 root) {
        State memory s = state;
        if (s.root == 0) return (0, 0, 0, 0);
        IndexView memory m = _peek();
        reserve = _reserve(s, clearing.sizeOf(account, market));
        peg = _pegReturned(s, stored.trading(), m.index, reserve);
        return (Curve.mid(peg, s.root, reserve), peg, reserve, s.root);
    }
}
