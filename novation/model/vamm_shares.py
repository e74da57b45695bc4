"""Who owns a pool, and how its curve changes without a fill (venues/VammShares.sol).

Deposit: request (escrow), a newer round, mint at the higher value. Withdrawal: request, cooldown, a
newer round, burn at the lower value; or in kind. A request not executed in its window lapses.
Each public method is one transaction; `sender` is the 20-byte address that calls.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from novation.model import curve
from novation.model.atomic import atomic
from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.fixed import full_mul_div, full_mul_div_up, mul_wad, mul_wad_floor, mul_wad_up
from novation.model.legs import Ask, Fill, Leg
from novation.model.market import MarketView, PerpMarket
from novation.model.vamm_types import Request, State, VammParams
from novation.units import PPM, PPM_IN_WAD, WAD

TRADE, FUND = 1, 4
MIN_DEPOSIT = WAD
VIRTUAL = 10**6
"""Shares and value that nobody owns: the first depositor cannot round the second one down."""
MAX_RETURN_SECONDS = 60
MAX_PEG = 2**80 - 1
MAX_SHARES = 2**128 - 1


class Money(Protocol):
    """An account of the ledger: capital and pnl, WAD quote."""

    @property
    def capital(self) -> int: ...
    @property
    def pnl(self) -> int: ...


class Clearing(Protocol):
    """What a vAMM asks of the clearing house."""

    def market(self, number: int) -> PerpMarket: ...
    def accrue_for(self, market: int, a: bytes, b: bytes) -> tuple[MarketView, int, int]: ...
    def set_depth(self, market: int, depth: int, sender: bytes) -> None: ...
    def back(self, market: int, leaving: bool, sender: bytes) -> tuple[int, int]: ...
    def touch(self, accounts: Sequence[bytes]) -> None: ...
    def transfer(self, from_: bytes, to: bytes, amount: int, sender: bytes) -> None: ...
    def stored(self, account: bytes) -> Money: ...
    def health(self, account: bytes) -> tuple[Money, Any]: ...
    def size_of(self, account: bytes, market: int) -> int: ...
    def is_authorised(self, account: bytes, who: bytes, permission: int) -> bool: ...
    def release_ratio(self) -> int: ...
    def snapshot(self) -> Any: ...
    def restore(self, kept: Any) -> None: ...
    def fill(self, market: int, taker: bytes, ask: Ask, venue: Any) -> Fill: ...
    def clear(
        self,
        market: int,
        legs: Sequence[Leg],
        house_fee: int,
        premium: int | None,
        sender: bytes,
    ) -> None: ...
    def release(
        self,
        account: bytes,
        amount: int,
        touch_first: Sequence[bytes],
        min_ratio: int,
        sender: bytes,
    ) -> int: ...


class VammShares:
    """`address` is the vAMM's own; its ledger account is number 0, the escrow of deposits 1."""

    def __init__(
        self, clock: Clock, clearing: Clearing, market: int, address: bytes, params: VammParams
    ) -> None:
        params.check()
        self.clock = clock
        self.clearing = clearing
        self.market = market
        self.address = address
        self.account = address + bytes(12)
        self.escrow = address + bytes(11) + b"\x01"
        self.params = params
        self.state = State()
        self.peg_moved_at = 0
        self.total = 0
        self.share_epoch = 0
        self.shares: dict[tuple[int, bytes], int] = {}
        self.deposits: dict[bytes, Request] = {}
        self.withdrawals: dict[bytes, Request] = {}

    def snapshot(self) -> Any:
        """Everything that calls change, here and in the clearing house."""
        own = (self.params, self.state, self.peg_moved_at, self.total, self.share_epoch)
        books = (dict(self.shares), dict(self.deposits), dict(self.withdrawals))
        return own, books, self.clearing.snapshot()

    def restore(self, kept: Any) -> None:
        own, (shares, deposits, withdrawals), ledger = kept
        self.params, self.state, self.peg_moved_at, self.total, self.share_epoch = own
        self.shares = dict(shares)
        self.deposits, self.withdrawals = dict(deposits), dict(withdrawals)
        self.clearing.restore(ledger)

    # Curve

    def _reserve(self, held: int) -> int:
        """Base reserve X = root + inventory, WAD lots."""
        x = self.state.root + held
        if x <= 0:
            raise Refused("VammDepleted", reserve=self.state.root, wanted=abs(held))
        return x

    def _peg_at(self, index: int) -> int:
        s = self.state
        return full_mul_div(s.peg, index, s.index) if self.params.follow else s.peg

    def _peg_returned(self, index: int, x: int) -> int:
        """The peg after its return toward the index.

        At bounded speed, at most a minute of it, and never so far that the mid passes the index by
        more than the cap.
        """
        p, root, peg = self.params, self.state.root, self._peg_at(index)
        if peg == index or p.return_speed == 0:
            return peg
        seconds = min(self.clock.now - self.peg_moved_at, MAX_RETURN_SECONDS)
        step = index * p.return_speed * seconds // PPM
        past = index * p.return_cap // PPM
        if peg < index:
            return max(min(peg + step, index, _peg_for(index + past, root, x)), peg)
        down = max(peg - min(step, peg - index), _peg_for(index - past, root, x))
        return min(down, peg)

    def _set_curve(self, root: int, peg: int, index: int) -> None:
        if root == 0 or root >= curve.MAX_ROOT:
            raise Refused("VammOutOfBounds", field="root", value=root, bound=curve.MAX_ROOT)
        if peg == 0 or peg > MAX_PEG:
            raise Refused("VammOutOfBounds", field="peg", value=peg, bound=MAX_PEG)
        self.state = State(peg, index, root)
        self.peg_moved_at = self.clock.now

    def _rescale(self, m: MarketView, held: int, left: int, before: int, after: int) -> None:
        """Scales the base reserve by after / before and keeps the mid.

        X' = X * after / before, root' = X' - q', peg' = mid * X'^2 / root'^2, all down; depth never
        passes `depth` times the equity. Equities at the index, WAD; inventories before and after.
        """
        most = after * self.params.depth * WAD // m.index
        if self.state.root == 0:
            self._set_curve(most, m.index, m.index)
        else:
            x = self._reserve(held)
            mid = curve.mid(self._peg_returned(m.index, x), self.state.root, x)
            x1 = full_mul_div(x, after, before)
            if after > before:
                x1 = x if x > most else min(x1, most)
            if x1 <= left:
                raise Refused("VammDepleted", reserve=x1, wanted=abs(left))
            self._set_curve(x1 - left, _peg_for(mid, x1 - left, x1), m.index)

    def _push(self) -> int:
        """Lots that move the mid to the band."""
        return curve.push_down(self.state.root, self.params.band * PPM_IN_WAD)

    def inventory_moved(self, m: MarketView, before: int, after: int) -> int:
        """Keeps the mid when something else than a fill moved the inventory; the depth then."""
        if self.state.root:
            self._rescale(m, before, after, 1, 1)
        return self._push()

    def _shrink(self, m: MarketView, held: int, left: int, before: int) -> None:
        """After an exit: scales to the equity that is left, which a release below 1 lowers too.

        A pool that nobody owns and that holds nothing has no curve.
        """
        a = self.clearing.stored(self.account)
        after = a.capital + a.pnl
        if self.total == 0 and left == 0:
            self._clear_curve()
        elif 0 < after < before:
            self._rescale(m, held, left, before, after)
            self._set_depth()

    def _clear_curve(self) -> None:
        self.state = State()
        self.clearing.set_depth(self.market, 0, sender=self.address)

    def _set_depth(self) -> None:
        self.clearing.set_depth(self.market, self._push(), sender=self.address)

    def _back(self, leaving: bool) -> None:
        """The backed cap follows; money that leaves may not fall short of what is open."""
        self.clearing.back(self.market, leaving, sender=self.address)

    # Value

    def _equities(self, m: MarketView, a: Money, held: int) -> tuple[int, int]:
        """Lower and higher equity of the pool at the index; `low` counts junior profit at h."""
        gap = mul_wad_floor(held, m.strict - m.index)
        junior = mul_wad(a.pnl, self.clearing.release_ratio()) if a.pnl > 0 else a.pnl
        return a.capital + junior + min(gap, 0), a.capital + a.pnl + max(gap, 0)

    def _pool_now(self) -> tuple[MarketView, int, Money]:
        """Brings the pool's account to now: the market, the inventory, the account."""
        self.clearing.touch([self.account])
        m, held, _ = self.clearing.accrue_for(self.market, self.account, self.escrow)
        return m, held, self.clearing.stored(self.account)

    def value(self) -> tuple[int, int]:
        """Value for withdrawals (lower) and deposits (higher) now, WAD quote."""
        a, _ = self.clearing.health(self.account)
        return self._equities(self._peek(), a, self._held())

    def _peek(self) -> MarketView:
        return self.clearing.market(self.market).peek()

    def _held(self) -> int:
        return self.clearing.size_of(self.account, self.market)

    def shares_of(self, account: bytes) -> int:
        return self.shares.get((self.share_epoch, account), 0)

    # Deposits

    @atomic
    def request_deposit(self, account: bytes, amount: int, sender: bytes) -> None:
        """Puts `amount` of capital (WAD quote) into escrow."""
        self._require_fund(account, sender)
        if amount < MIN_DEPOSIT:
            raise Refused("VammDepositTooSmall", amount=amount, minimum=MIN_DEPOSIT)
        if account in self.deposits:
            raise Refused("VammRequestOpen", account=account)
        self.deposits[account] = Request(amount, self.clock.now)
        self.clearing.transfer(account, self.escrow, amount, sender=self.address)

    @atomic
    def execute_deposit(self, account: bytes) -> int:
        """Mints at the higher value once a newer round has come; the shares, rounded down."""
        r = _open_request(self.deposits, account)
        if self.clock.now > (until := r.made_at + self.params.window):
            raise Refused("VammTooLate", time=self.clock.now, until=until)
        m, held, a = self._pool_now()
        self._require_round(m, r.made_at)
        high = self._equities(m, a, held)[1]
        before = a.capital + a.pnl
        if before < 0 or (self.total and (high <= 0 or before == 0)):
            raise Refused("VammInsolvent", value=high)
        net = r.amount - full_mul_div_up(r.amount, self.params.lp_fee, PPM)
        minted = full_mul_div(net, self.total + VIRTUAL, high + VIRTUAL) if self.total else net
        if minted == 0:
            raise Refused("VammDepositTooSmall", amount=r.amount, minimum=MIN_DEPOSIT)
        if minted > MAX_SHARES:
            raise Refused("AmountOverflow", amount=minted, maximum=MAX_SHARES)
        if self.total == 0 and held == 0:
            self.state = State()
        del self.deposits[account]
        self.shares[self.share_epoch, account] = self.shares_of(account) + minted
        self.total += minted
        self.clearing.transfer(self.escrow, self.account, r.amount, sender=self.address)
        self._rescale(m, held, held, before, before + r.amount)
        self._set_depth()
        self._back(leaving=False)
        return minted

    # Withdrawals

    @atomic
    def request_withdrawal(
        self, account: bytes, amount: int, min_ratio: int, sender: bytes
    ) -> None:
        """Asks for the value of `amount` shares after the cooldown."""
        self._require_fund(account, sender)
        if account in self.withdrawals:
            raise Refused("VammRequestOpen", account=account)
        has = self.shares_of(account)
        if amount == 0 or amount > has:
            raise Refused("VammSharesTooLow", account=account, shares=has, amount=amount)
        self.withdrawals[account] = Request(amount, self.clock.now, min_ratio)

    def _take_cooled(self, account: bytes, late: bool) -> tuple[Request, int]:
        """Takes the shares of a cooled request out; all shares as they were before."""
        r = _open_request(self.withdrawals, account)
        now, start = self.clock.now, r.made_at + self.params.cooldown
        if now < start:
            raise Refused("VammTooEarly", time=now, from_=start)
        if not late and now > start + self.params.window:
            raise Refused("VammTooLate", time=now, until=start + self.params.window)
        del self.withdrawals[account]
        everything = self.total
        self.shares[self.share_epoch, account] -= r.amount
        self.total -= r.amount
        return r, everything

    @atomic
    def execute_withdrawal(self, account: bytes) -> int:
        """Pays a cooled request at the lower value; the amount, WAD quote, rounded down."""
        r, everything = self._take_cooled(account, False)
        m, held, a = self._pool_now()
        capital, pnl = a.capital, a.pnl
        self._require_round(m, r.made_at + self.params.cooldown)
        low = self._equities(m, a, held)[0]
        if low <= 0:
            raise Refused("VammInsolvent", value=low)
        amount = full_mul_div(r.amount, low + VIRTUAL, everything + VIRTUAL)
        amount -= full_mul_div_up(amount, self.params.lp_fee, PPM)
        if pnl > 0:
            part = pnl
            if self.clearing.release_ratio() < WAD:
                part = full_mul_div(part, r.amount, everything)
            self.clearing.release(self.account, part, [], r.min_ratio, sender=self.address)
        amount = min(amount, self.clearing.stored(self.account).capital)
        self.clearing.transfer(self.account, account, amount, sender=self.address)
        self._shrink(m, held, held, capital + pnl)
        self._back(leaving=True)
        return amount

    @atomic
    def execute_in_kind(self, account: bytes, sender: bytes) -> tuple[int, int]:
        """The LP's part of money and of the position, at the index: amount and size."""
        self._require_fund(account, sender)
        r, everything = self._take_cooled(account, True)
        m, held, a = self._pool_now()
        if a.pnl < 0:
            raise Refused("VammInsolvent", value=a.pnl)
        amount = full_mul_div(a.capital, r.amount, everything)
        amount -= full_mul_div_up(amount, self.params.lp_fee, PPM)
        junior = full_mul_div(a.pnl, r.amount, everything)
        lots = full_mul_div(abs(held), r.amount, everything)
        if mul_wad_up(lots, m.index) < self._peek().min_notional:
            lots = 0
        size = -lots if held < 0 else lots
        cash = junior - mul_wad_floor(size, m.index)
        legs = [Leg(account, size, cash, amount), Leg(self.account, -size, -cash, -amount)]
        legs.sort(key=lambda leg: leg.account)
        self.clearing.clear(self.market, legs, 0, None, sender=self.address)
        self._shrink(m, held, held - size, a.capital + a.pnl)
        self._back(leaving=False)
        return amount, size

    @atomic
    def lapse(self, account: bytes, deposit: bool) -> None:
        """Ends a request whose window has passed; escrowed money goes back."""
        requests = self.deposits if deposit else self.withdrawals
        r = _open_request(requests, account)
        until = r.made_at + self.params.window + (0 if deposit else self.params.cooldown)
        if self.clock.now <= until:
            raise Refused("VammTooEarly", time=self.clock.now, from_=until)
        del requests[account]
        if deposit:
            self.clearing.transfer(self.escrow, account, r.amount, sender=self.address)

    @atomic
    def end_share_epoch(self) -> None:
        """Ends the shares of a pool that is worth nothing and holds nothing."""
        _, held, a = self._pool_now()
        equity = a.capital + a.pnl
        if equity > 0 or held != 0 or self.total == 0:
            raise Refused("VammPoolHasValue", value=equity, size=held)
        self.share_epoch += 1
        self.total = 0
        self.withdrawals = {}  # what was asked of shares that are gone
        self._clear_curve()

    def _require_fund(self, account: bytes, sender: bytes) -> None:
        if not self.clearing.is_authorised(account, sender, FUND):
            raise Refused("VammNotAuthorised", account=account, caller=sender)

    def _require_round(self, m: MarketView, after: int) -> None:
        if not m.live:
            self.clearing.market(self.market).require_price()
        if m.updated_at <= after:
            raise Refused("VammNoNewRound", round=m.updated_at, after_=after)

    # Parameters

    @atomic
    def set_params(self, params: VammParams) -> None:
        """Sets all; keeps the mid that the returned peg gives."""
        if self.state.root:
            m, held, _ = self.clearing.accrue_for(self.market, self.account, self.escrow)
            peg = self._peg_returned(m.index, self._reserve(held))
            self._set_curve(self.state.root, peg, m.index)
        params.check()
        self.params = params
        if self.state.root:
            self._set_depth()


def _peg_for(mid: int, root: int, x: int) -> int:
    """The peg at which the mid is `mid`: mid * x^2 / root^2, rounded down."""
    return full_mul_div(mid, x * x, root * root)


def _open_request(requests: dict[bytes, Request], account: bytes) -> Request:
    if account not in requests:
        raise Refused("VammNoRequest", account=account)
    return requests[account]
