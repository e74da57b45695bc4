// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {IBacking} from "../interfaces/IBacking.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IPerpMarket} from "../interfaces/IPerpMarket.sol";
import {IVAMM} from "../interfaces/IVAMM.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Curve} from "../libraries/Curve.sol";
import {Fixed} from "../libraries/Fixed.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Account, AmountOverflow, Leg} from "../types/Ledger.sol";
import {IndexView, MarketView} from "../types/Market.sol";
import {VammParams, VammParamsLib} from "../types/VammParams.sol";

/// @title VammShares: who owns the pool, and how its curve changes without a fill.
/// @dev Stages of a deposit: request (escrow), a newer round, mint at the higher value. Of a withdrawal: request,
/// cooldown, a newer round, burn at the lower value; or in kind. A request not executed in its window lapses.
abstract contract VammShares is IVAMM, AccessManaged {
    using Fixed for int256;
    using VammParamsLib for uint256;

    uint256 internal constant TRADE = 1;
    uint256 internal constant FUND = 4;
    int256 internal constant KEEP_PREMIUM = type(int256).max;
    uint256 internal constant MIN_DEPOSIT = 1e18;
    /// @dev Shares and value that nobody owns, so that the first depositor cannot round the second one down.
    uint256 internal constant VIRTUAL = 1e6;
    /// @dev The peg goes back at most this long at a time.
    uint256 internal constant MAX_RETURN_SECONDS = 60;

    IClearingHouse public immutable clearing;
    uint256 public immutable market;
    AccountId public immutable account;
    AccountId internal immutable ESCROW;

    /// @dev peg 80 | index 80 | root 96 = 256 bits. `peg` stands at `index`; a following peg is peg * indexNow / index.
    struct State {
        uint80 peg;
        uint80 index;
        uint96 root;
    }

    State internal state;
    VammParams internal stored;
    /// @dev total 128 | epoch 32 | pegMovedAt 40 = 200 bits
    uint128 internal total;
    uint32 public shareEpoch;
    uint40 internal pegMovedAt;
    mapping(uint256 epoch => mapping(AccountId => uint256)) internal shares;
    mapping(AccountId => Request) internal deposits;
    /// @dev A request of an ended epoch asks for shares that are gone; it does not count as cooled for new ones.
    mapping(uint256 epoch => mapping(AccountId => Request)) internal asked;

    constructor(address authority_, address clearing_, uint256 market_, VammParams memory p) AccessManaged(authority_) {
        clearing = IClearingHouse(clearing_);
        market = market_;
        account = AccountIds.from(address(this), 0);
        ESCROW = AccountIds.from(address(this), 1);
        _setParams(p);
    }

    // Curve

    function _reserve(State memory s, int256 held) internal pure returns (uint256) {
        int256 x;
        unchecked {
            x = int256(uint256(s.root)) + held; // an inventory has 80 bits
        }
        if (x <= 0) revert VammDepleted(s.root, held.abs());
        return uint256(x);
    }

    function _pegAt(State memory s, uint256 p, uint256 index) internal pure returns (uint256) {
        return p.follow() ? FixedPointMathLib.fullMulDiv(s.peg, index, s.index) : s.peg;
    }

    /// @dev The peg after its return toward the index: at bounded speed, at most a minute of it, and never so far that
    /// the mid passes the index by more than the cap.
    function _pegReturned(State memory s, uint256 p, uint256 index, uint256 x) internal view returns (uint256 peg) {
        peg = _pegAt(s, p, index);
        if (peg == index || p.returnSpeed() == 0) return peg;
        // Prices have 80 bits, rates 24, a time never goes back.
        unchecked {
            uint256 step = index * p.returnSpeed() * Fixed.min(block.timestamp - pegMovedAt, MAX_RETURN_SECONDS) / 1e6;
            uint256 away = index * p.returnCap() / 1e6;
            if (peg < index) {
                uint256 most = _pegFor(index + away, s.root, x);
                uint256 to = Fixed.min(Fixed.min(peg + step, index), most);
                return to > peg ? to : peg;
            }
            uint256 least = _pegFor(index - away, s.root, x);
            uint256 down = peg - Fixed.min(step, peg - index);
            if (down < least) down = least;
            return down < peg ? down : peg;
        }
    }

    /// @dev The peg at which the mid is `mid`: mid * x^2 / root^2.
    function _pegFor(uint256 mid, uint256 root, uint256 x) internal pure returns (uint256) {
        unchecked {
            return FixedPointMathLib.fullMulDiv(mid, x * x, root * root);
        }
    }

    function _setCurve(uint256 root, uint256 peg, uint256 index) internal {
        if (root == 0 || root >= Curve.MAX_ROOT) revert VammOutOfBounds("root", root, Curve.MAX_ROOT);
        if (peg == 0 || peg > type(uint80).max) revert VammOutOfBounds("peg", peg, type(uint80).max);
        state = State(uint80(peg), uint80(index), uint96(root));
        pegMovedAt = uint40(block.timestamp);
        emit CurveSet(root, peg, index);
    }

    /// @dev Scales the base reserve by after / before and keeps the mid: X' = X * after / before, root' = X' - q',
    /// peg' = mid * X'^2 / root'^2. Depth never passes `depth` times the equity.
    /// @param held Inventory before. @param left Inventory after. Equities at the index, WAD.
    function _rescale(IndexView memory m, int256 held, int256 left, uint256 before, uint256 after_) internal {
        State memory s = state;
        uint256 p = stored.trading();
        uint256 most = after_ * p.depth() * 1e18 / m.index;
        if (s.root == 0) {
            _setCurve(most, m.index, m.index);
        } else {
            uint256 x = _reserve(s, held);
            uint256 mid = Curve.mid(_pegReturned(s, p, m.index, x), s.root, x);
            uint256 x1 = FixedPointMathLib.fullMulDiv(x, after_, before);
            if (after_ > before) x1 = x > most ? x : Fixed.min(x1, most);
            if (int256(x1) <= left) revert VammDepleted(x1, left.abs());
            uint256 root = uint256(int256(x1) - left);
            _setCurve(root, FixedPointMathLib.fullMulDiv(mid, x1 * x1, root * root), m.index);
        }
    }

    /// @dev Lots that move the mid to the band.
    function _push() internal view returns (uint256) {
        return Curve.pushDown(state.root, stored.trading().band() * VammParamsLib.PPM);
    }

    /// @inheritdoc IVenue
    function inventoryMoved(IndexView memory m, int256 before, int256 after_) external returns (uint256) {
        if (msg.sender != address(clearing)) revert VammNotAuthorised(account, msg.sender);
        if (state.root != 0) _rescale(m, before, after_, 1, 1);
        return _push();
    }

    /// @dev After an exit. What was released below 1 for 1 is gone too, so the equity left is read. A pool that nobody
    /// owns and that holds nothing has no curve.
    function _shrink(IndexView memory m, int256 held, int256 left, uint256 before) internal {
        Account memory a = _money();
        uint256 after_ = uint256(int256(a.capital) + a.pnl);
        if (total == 0 && left == 0) {
            _clearCurve(m.index);
        } else if (after_ != 0 && after_ < before) {
            _rescale(m, held, left, before, after_);
            _setDepth(_push());
        }
    }

    function _clearCurve(uint256 index) internal {
        delete state;
        emit CurveSet(0, 0, index);
        _setDepth(0);
    }

    // Value

    /// @dev Equity of the pool's account at the index, and what strict prices take or add for either direction.
    function _equities(IndexView memory m, Account memory a, int256 held)
        internal
        view
        returns (int256 low, int256 high)
    {
        int256 gap = held.mulWadFloor(int256(m.strict) - int256(m.index));
        int256 junior = a.pnl > 0 ? int256(FixedPointMathLib.mulWad(uint256(a.pnl), clearing.releaseRatio())) : a.pnl;
        low = int256(a.capital) + junior + (gap < 0 ? gap : int256(0));
        high = int256(a.capital) + a.pnl + (gap > 0 ? gap : int256(0));
    }

    /// @dev Brings the pool's account to now.
    function _poolNow() internal returns (IndexView memory m, int256 held, Account memory a) {
        AccountId[] memory ids = new AccountId[](1);
        ids[0] = account;
        clearing.touch(ids);
        (m, held,) = clearing.accrueFor(market, account, ESCROW);
        a = _money();
    }

    /// @inheritdoc IVAMM
    function value() external view returns (int256 low, int256 high) {
        (Account memory a,) = clearing.health(account);
        return _equities(_peek(), a, clearing.sizeOf(account, market));
    }

    function _view() internal view returns (MarketView memory) {
        return IPerpMarket(clearing.marketOf(market)).peek();
    }

    function _peek() internal view returns (IndexView memory) {
        MarketView memory m = _view();
        return IndexView(m.index, m.strict, m.updatedAt, m.variance, m.live);
    }

    // The clearing house; in functions of their own because each call takes a hundred bytes of code

    function _money() internal view returns (Account memory) {
        return clearing.account(account);
    }

    function _move(AccountId from, AccountId to, uint256 amount) internal {
        clearing.transfer(from, to, amount);
    }

    function _setDepth(uint256 depth) internal {
        clearing.setDepth(market, depth);
    }

    /// @dev The cap of open interest follows the pool's money; money that leaves may not fall short of what is open.
    function _back(bool leaving) internal {
        IBacking(address(clearing)).back(market, leaving);
    }

    // Deposits

    /// @inheritdoc IVAMM
    function requestDeposit(AccountId id, uint256 amount) external {
        _requireFund(id);
        if (amount < MIN_DEPOSIT) revert VammDepositTooSmall(amount, MIN_DEPOSIT);
        if (deposits[id].madeAt != 0) revert VammRequestOpen(id);
        deposits[id] = Request(uint128(amount), uint40(block.timestamp), 0);
        _move(id, ESCROW, amount);
        emit DepositRequested(id, amount, block.timestamp);
    }

    /// @inheritdoc IVAMM
    function executeDeposit(AccountId id) external returns (uint256 minted) {
        Request memory r = deposits[id];
        if (r.madeAt == 0) revert VammNoRequest(id);
        if (block.timestamp > r.madeAt + stored.window) revert VammTooLate(block.timestamp, r.madeAt + stored.window);
        (IndexView memory m, int256 held, Account memory a) = _poolNow();
        _requireRound(m, r.madeAt);
        (, int256 high) = _equities(m, a, held);
        int256 before = int256(a.capital) + a.pnl;
        if (before < 0 || (total != 0 && (high <= 0 || before == 0))) revert VammInsolvent(high);
        uint256 net = r.amount - FixedPointMathLib.fullMulDivUp(r.amount, stored.lpFee, 1e6);
        minted = total == 0 ? net : FixedPointMathLib.fullMulDiv(net, total + VIRTUAL, uint256(high) + VIRTUAL);
        if (minted == 0) revert VammDepositTooSmall(r.amount, MIN_DEPOSIT);
        if (minted > type(uint128).max) revert AmountOverflow(minted, type(uint128).max);
        // Nobody owns an empty pool: its curve begins anew at the index.
        if (total == 0 && held == 0) delete state;
        delete deposits[id];
        shares[shareEpoch][id] += minted;
        total += uint128(minted);
        _move(ESCROW, account, r.amount);
        uint256 after_ = uint256(before + int256(uint256(r.amount)));
        _rescale(m, held, held, uint256(before), after_);
        _setDepth(_push());
        _back(false);
        emit SharesMinted(id, minted, r.amount, total);
    }

    // Withdrawals

    /// @inheritdoc IVAMM
    function requestWithdrawal(AccountId id, uint256 amount, uint64 minRatio) external {
        _requireFund(id);
        if (asked[shareEpoch][id].madeAt != 0) revert VammRequestOpen(id);
        uint256 has = shares[shareEpoch][id];
        if (amount == 0 || amount > has) revert VammSharesTooLow(id, has, amount);
        asked[shareEpoch][id] = Request(uint128(amount), uint40(block.timestamp), minRatio);
        emit WithdrawalRequested(id, amount, block.timestamp);
    }

    /// @dev Takes the shares of a cooled request out; still in the window unless `late` is allowed.
    function _takeCooled(AccountId id, bool late) internal returns (Request memory r, uint256 all) {
        r = asked[shareEpoch][id];
        if (r.madeAt == 0) revert VammNoRequest(id);
        uint256 from = uint256(r.madeAt) + stored.cooldown;
        if (block.timestamp < from) revert VammTooEarly(block.timestamp, from);
        if (!late && block.timestamp > from + stored.window) revert VammTooLate(block.timestamp, from + stored.window);
        delete asked[shareEpoch][id];
        all = total;
        shares[shareEpoch][id] -= r.amount;
        total = uint128(all - r.amount);
    }

    /// @inheritdoc IVAMM
    function executeWithdrawal(AccountId id) external returns (uint256 amount) {
        (Request memory r, uint256 all) = _takeCooled(id, false);
        (IndexView memory m, int256 held, Account memory a) = _poolNow();
        _requireRound(m, uint256(r.madeAt) + stored.cooldown);
        (int256 low,) = _equities(m, a, held);
        if (low <= 0) revert VammInsolvent(low);
        amount = FixedPointMathLib.fullMulDiv(r.amount, uint256(low) + VIRTUAL, all + VIRTUAL);
        amount -= FixedPointMathLib.fullMulDivUp(amount, stored.lpFee, 1e6);
        uint256 capital = a.capital;
        if (a.pnl > 0) {
            // His part of the profit becomes capital first, at his minimum, and not while the market is shut; all of
            // the profit where that costs nobody anything, because the pool's margin counts none of it.
            uint256 part = uint256(a.pnl);
            if (clearing.releaseRatio() < 1e18) part = FixedPointMathLib.fullMulDiv(part, r.amount, all);
            clearing.release(account, part, new AccountId[](0), r.minRatio);
            capital = _money().capital;
        }
        // The virtual shares would give the last LP of a pool that lost a wei more than there is.
        amount = Fixed.min(amount, capital);
        _move(account, id, amount);
        _shrink(m, held, held, uint256(int256(a.capital) + a.pnl));
        _back(true);
        emit SharesBurned(id, r.amount, amount, 0, total);
    }

    /// @inheritdoc IVAMM
    function executeInKind(AccountId id) external returns (uint256 amount, int256 size) {
        _requireFund(id);
        (Request memory r, uint256 all) = _takeCooled(id, true);
        (IndexView memory m, int256 held, Account memory a) = _poolNow();
        if (a.pnl < 0) revert VammInsolvent(a.pnl);
        amount = FixedPointMathLib.fullMulDiv(a.capital, r.amount, all);
        amount -= FixedPointMathLib.fullMulDivUp(amount, stored.lpFee, 1e6);
        uint256 junior = FixedPointMathLib.fullMulDiv(uint256(a.pnl), r.amount, all);
        uint256 lots = FixedPointMathLib.fullMulDiv(held.abs(), r.amount, all);
        // A position too small to be held stays with the pool: at the index it is worth nothing.
        if (Fixed.mulWadUp(lots, m.index) < _view().minNotional) lots = 0;
        size = held < 0 ? -int256(lots) : int256(lots);
        int256 cash = int256(junior) - size.mulWadFloor(int256(m.index));
        Leg memory lp = Leg(id, size, cash, int256(amount));
        Leg memory pool = Leg(account, -size, -cash, -int256(amount));
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = id.key() < account.key() ? (lp, pool) : (pool, lp);
        clearing.clear(market, legs, 0, KEEP_PREMIUM);
        _shrink(m, held, held - size, a.capital + uint256(a.pnl));
        _back(false);
        emit SharesBurned(id, r.amount, amount, size, total);
    }

    /// @inheritdoc IVAMM
    function lapse(AccountId id, bool deposit) external {
        Request memory r = deposit ? deposits[id] : asked[shareEpoch][id];
        if (r.madeAt == 0) revert VammNoRequest(id);
        uint256 until = uint256(r.madeAt) + stored.window + (deposit ? 0 : stored.cooldown);
        if (block.timestamp <= until) revert VammTooEarly(block.timestamp, until);
        if (deposit) {
            delete deposits[id];
            _move(ESCROW, id, r.amount);
        } else {
            delete asked[shareEpoch][id];
        }
        emit RequestLapsed(id, deposit, r.amount);
    }

    /// @inheritdoc IVAMM
    function endShareEpoch() external {
        (IndexView memory m, int256 held, Account memory a) = _poolNow();
        int256 equity = int256(a.capital) + a.pnl;
        if (equity > 0 || held != 0 || total == 0) revert VammPoolHasValue(equity, held);
        emit ShareEpochEnded(shareEpoch++);
        total = 0;
        _clearCurve(m.index);
    }

    /// @inheritdoc IVAMM
    function totalShares() external view returns (uint256) {
        return total;
    }

    /// @inheritdoc IVAMM
    function requestsOf(AccountId id) external view returns (Request memory, Request memory) {
        return (deposits[id], asked[shareEpoch][id]);
    }

    /// @inheritdoc IVAMM
    function sharesOf(AccountId id) external view returns (uint256) {
        return shares[shareEpoch][id];
    }

    function _requireFund(AccountId id) internal view {
        if (!clearing.isAuthorised(id, msg.sender, FUND)) revert VammNotAuthorised(id, msg.sender);
    }

    function _requireRound(IndexView memory m, uint256 after_) internal view {
        if (!m.live) IPerpMarket(clearing.marketOf(market)).requirePrice();
        if (m.updatedAt <= after_) revert VammNoNewRound(m.updatedAt, after_);
    }

    // Parameters

    /// @inheritdoc IVAMM
    function setParams(VammParams calldata p) external restricted {
        if (state.root != 0) {
            (IndexView memory m, int256 held,) = clearing.accrueFor(market, account, ESCROW);
            State memory s = state;
            uint256 peg = _pegReturned(s, stored.trading(), m.index, _reserve(s, held));
            _setCurve(s.root, peg, m.index);
            _setDepth(Curve.pushDown(s.root, p.band * VammParamsLib.PPM));
        }
        _setParams(p);
    }

    function _setParams(VammParams memory p) internal {
        _bound("band", p.band, 1_000, 200_000); // (0.1 % to 20 %)
        _bound("baseFee", p.baseFee, 0, 10_000); // (1 %)
        _bound("distanceFee", p.distanceFee, 0, 1_000_000);
        _bound("ageFee", p.ageFee, 0, 5_000_000);
        _bound("feeCap", p.feeCap, p.baseFee, 40_000); // (4 %: below the clearing house's 5 %)
        _bound("returnSpeed", p.returnSpeed, 0, 1_000); // (10 bps a second)
        _bound("returnCap", p.returnCap, 0, p.band);
        _bound("houseShare", p.houseShare, 0, 500_000);
        _bound("depth", p.depth, 1, 10);
        _bound("lpFee", p.lpFee, 0, 10_000);
        _bound("cooldown", p.cooldown, 1 hours, 30 days);
        _bound("window", p.window, 1 hours, 30 days);
        stored = p;
        emit VammParamsSet(p);
    }

    function _bound(bytes32 field, uint256 v, uint256 least, uint256 most) internal pure {
        if (v < least) revert VammOutOfBounds(field, v, least);
        if (v > most) revert VammOutOfBounds(field, v, most);
    }

    /// @inheritdoc IVAMM
    function params() external view returns (VammParams memory) {
        return stored;
    }
}
