"""The ledger: accounts, positions, totals, and what a touch does to them.

As contracts/clearing/Ledger.sol. Money is WAD quote, sizes WAD lots, positive when long. An account
is the 32 bytes of its owner and sub-account number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from novation.model.errors import Refused
from novation.model.fixed import div_up, tdiv
from novation.model.legs import Leg
from novation.model.margin import Health, Sums, health_of
from novation.model.market import PerpMarket
from novation.model.market_types import MarketView
from novation.model.sides import DUST, Position, profit, side_of, size_of
from novation.units import FEE_UNIT, RATIO_UNIT, WAD

COLLATERAL_BIT = 1 << 62
VENUE_BIT = 1 << 63
MARKETS_MASK = COLLATERAL_BIT - 1
MAX_U96 = 2**96 - 1
MAX_I96, MIN_I96 = 2**95 - 1, -(2**95)
NO_MARKET = 256


@dataclass
class Account:
    """capital is never negative; pnl is negative only where capital is 0."""

    capital: int = 0
    pnl: int = 0
    bitmap: int = 0

    @property
    def venue(self) -> bool:
        return bool(self.bitmap & VENUE_BIT)

    @property
    def bears(self) -> bool:
        """Whether its loss is covered by other collateral, and so bears interest."""
        return self.pnl < 0 and bool(self.bitmap & COLLATERAL_BIT)

    def collect(self) -> None:
        """A loss eats capital."""
        if self.pnl < 0:
            x = min(self.capital, -self.pnl)
            self.capital -= x
            self.pnl += x


@dataclass
class House:
    """Totals: capital, positive pnl, and fees of the house in 1e-6 quote."""

    capital_total: int = 0
    profit_total: int = 0
    fees_pending: int = 0


@dataclass
class Touched:
    """An account in the middle of a call; fields as in Ledger.sol."""

    id: bytes
    a: Account
    p: Position = field(default_factory=Position)
    rest: Sums = field(default_factory=Sums)
    size: int = 0
    cash: int = 0
    transfer: int = 0
    before: int = 0
    after: int = 0
    value: int = 0
    exempt: bool = False
    """From caps, floors and reduce-only."""
    interest: int = 0
    """What its pnl was charged in this call and the ledger does not know yet."""


class Vault(Protocol):
    """What the ledger asks of the margin vault."""

    def settlement_wad(self) -> int: ...
    def collateral_value(self, account: bytes) -> tuple[int, int]: ...
    def interest_index(self) -> int: ...


@dataclass
class Ledger:
    """Stored state and its only writers."""

    vault: Vault
    markets: list[PerpMarket] = field(default_factory=list)
    accounts: dict[bytes, Account] = field(default_factory=dict)
    positions: dict[tuple[bytes, int], Position] = field(default_factory=dict)
    house: House = field(default_factory=House)
    covered_debt: int = 0
    """Sum of the negative pnl of accounts with other collateral; `bare_debt` of all others."""
    bare_debt: int = 0
    interest_pending: int = 0
    """Charged to accounts and not yet given to insurance."""
    paid_up_to: dict[bytes, int] = field(default_factory=dict)
    """The vault's interest index up to which a bearing account has paid."""
    marks: dict[bytes, int] = field(default_factory=dict)
    """When an account was last found bankrupt without a taker."""

    def stored(self, account: bytes) -> Account:
        return self.accounts.get(account, Account())

    def position(self, account: bytes, market: int) -> Position:
        return self.positions.get((account, market), Position())

    def market(self, number: int) -> PerpMarket:
        if not 0 <= number < len(self.markets):
            raise Refused("ClearingUnknownMarket", market=number)
        return self.markets[number]

    # Touch

    def through_epochs(self, market: int, m: MarketView, p: Position) -> int:
        """Takes a position through the epochs that ended since its last touch; its profit there."""
        pnl = 0
        side = side_of(p.units)
        while p.units and p.epoch != m.epoch[side]:
            end = self.market(market).epoch_end(side, p.epoch)
            pnl += profit(p, end.k)
            p.units = tdiv(p.units * end.ratio, RATIO_UNIT)
            p.k = end.k
            p.epoch += 1
        return pnl

    def sync(self, market: int, m: MarketView, p: Position) -> tuple[int, bool]:
        """Profit since the last touch, and whether the position was dust that left its side."""
        pnl = self.through_epochs(market, m, p)
        if p.units == 0:
            return pnl, False
        side = side_of(p.units)
        pnl += profit(p, m.k[side])
        p.k = m.k[side]
        size = abs(size_of(m, p.units))
        if size >= DUST:
            return pnl, False
        m.units[side] -= abs(p.units)
        m.open_interest -= size
        p.units = 0
        return pnl, True

    def _load(self, account: bytes) -> Touched:
        """The account, with interest on its loss as it stood."""
        t = Touched(account, replace(self.stored(account)))
        if t.a.bears:
            grown = self.vault.interest_index() - self.paid_up_to.get(account, 0)
            t.interest = div_up(-t.a.pnl * grown, WAD)
            t.a.pnl -= t.interest
        return t

    def _position(self, account: bytes, market: int) -> Position:
        return replace(self.position(account, market))

    def _keep(self, account: bytes, market: int, p: Position) -> None:
        if p.units:
            self.positions[account, market] = p
        else:
            self.positions.pop((account, market), None)

    def _touch(self, account: bytes, current: int, m: MarketView | None) -> Touched:
        """Loads and touches all markets; `current`, being cleared, stays with the caller."""
        t = self._load(account)
        held = t.a.bitmap & MARKETS_MASK
        if m is not None and held >> current & 1:
            t.p = self._position(account, current)
            t.a.pnl += self.sync(current, m, t.p)[0]
            if t.p.units == 0:
                t.a.bitmap &= ~(1 << current)
        now = self.markets[0].clock.now if self.markets else 0
        for number in [n for n in range(62) if held >> n & 1 and n != current]:
            market = self.market(number)
            view = market.accrue()
            p = self._position(account, number)
            gain, shrunk = self.sync(number, view, p)
            t.a.pnl += gain
            self._keep(account, number, p)
            if shrunk:
                market.book(view.open_interest, view.units[0], view.units[1], None)
            self._count(t, number, view, p, now)
        t.a.collect()
        return t

    def _count(self, t: Touched, number: int, m: MarketView, p: Position, now: int) -> None:
        if p.units == 0:
            t.a.bitmap &= ~(1 << number)
            return
        t.rest.add(m, size_of(m, p.units), t.a.venue)
        t.rest.markets += 1
        t.rest.interrupted |= m.interrupted_until > now
        t.rest.isolated |= m.isolated

    def _save(self, t: Touched) -> None:
        """Stores the account and moves the totals with it."""
        a = t.a
        if a.capital > MAX_U96:
            raise Refused("AmountOverflow", amount=a.capital, maximum=MAX_U96)
        a.pnl = max(min(a.pnl, MAX_I96), MIN_I96)
        old = self.stored(t.id)
        if a == old and not t.interest:
            return
        self.house.capital_total += a.capital - old.capital
        self.house.profit_total += max(a.pnl, 0) - max(old.pnl, 0)
        self.accounts[t.id] = replace(a)
        if a.pnl < 0 or old.pnl < 0:
            self._owe(t, old)

    def _owe(self, t: Touched, old: Account) -> None:
        """Follows an account where it has, or had, a negative pnl."""
        self._file(t.id, old, -1)
        self._file(t.id, t.a, 1)
        if t.a.bears:
            self.paid_up_to[t.id] = self.vault.interest_index()
        self.interest_pending += t.interest
        t.interest = 0

    def _file(self, account: bytes, a: Account, sign: int) -> None:
        """Adds what it owes to its sum; collateral of a marked account covers its loss no more."""
        debt = sign * max(-a.pnl, 0)
        if a.bitmap & COLLATERAL_BIT and account not in self.marks:
            self.covered_debt += debt
        else:
            self.bare_debt += debt

    def _set_mark(self, account: bytes, time: int) -> None:
        """0 takes the mark away."""
        stored = self.stored(account)
        self._file(account, stored, -1)
        if time:
            self.marks[account] = time
        else:
            self.marks.pop(account, None)
        self._file(account, stored, 1)

    def _touch_alone(self, account: bytes) -> Touched:
        t = self._touch(account, NO_MARKET, None)
        self._save(t)
        return t

    def _touch_all(self, accounts: Sequence[bytes]) -> None:
        for account in accounts:
            self._touch_alone(account)

    # Margin

    def collateral(self, t: Touched) -> tuple[int, int]:
        return self.vault.collateral_value(t.id) if t.a.bitmap & COLLATERAL_BIT else (0, 0)

    def health(self, account: bytes) -> tuple[Account, Health]:
        """The account as a touch now would leave it, and its health."""
        t = self._load(account)
        now = self.markets[0].clock.now if self.markets else 0
        for number in [n for n in range(62) if t.a.bitmap >> n & 1]:
            view = self.market(number).peek()
            p = self._position(account, number)
            t.a.pnl += self.sync(number, view, p)[0]
            self._count(t, number, view, p, now)
        t.a.collect()
        return t.a, health_of(t.a.capital, t.a.pnl, t.rest, self.collateral(t))

    def size(self, account: bytes, market: int, m: MarketView) -> int:
        p = self._position(account, market)
        self.through_epochs(market, m, p)
        return size_of(m, p.units)

    def _check_free(self, t: Touched) -> None:
        """What leaves by the owner's will leaves initial margin, positive pnl counted 0."""
        if not t.a.bitmap & MARKETS_MASK and t.a.pnl >= 0:
            return
        equity = t.a.capital + self.collateral(t)[1] + t.rest.strict_loss + min(t.a.pnl, 0)
        if equity < t.rest.initial or not t.rest.live:
            raise Refused(
                "ClearingInitialMargin", account=t.id, equity=equity, required=t.rest.initial
            )

    # Release

    def backing(self) -> int:
        """R = V - capitalTotal - pending fees."""
        senior = self.house.capital_total + self.house.fees_pending * FEE_UNIT
        return max(self.vault.settlement_wad() - senior, 0)

    def release_ratio(self) -> int:
        """h = min(1, R / profitTotal), WAD, rounded down."""
        backing, profits = self.backing(), self.house.profit_total
        return WAD if backing >= profits else backing * WAD // profits

    def _release(self, t: Touched, amount: int, min_ratio: int) -> int:
        """Turns `amount` of pnl into capital at h, rounded down."""
        if t.a.pnl < amount:
            raise Refused("ClearingProfitTooLow", account=t.id, pnl=t.a.pnl, amount=amount)
        if t.rest.interrupted:
            now = self.markets[0].clock.now
            raise Refused("ClearingInterrupted", market=NO_MARKET, until=now)
        ratio = self.release_ratio()
        if ratio < min_ratio:
            raise Refused("ClearingReleaseRatio", ratio=ratio, minimum=min_ratio)
        backing, profits = self.backing(), self.house.profit_total
        out = amount if backing >= profits else amount * backing // profits
        t.a.pnl -= amount
        t.a.capital += out
        return out


__all__ = ["Account", "House", "Ledger", "Leg", "Position", "Touched", "Vault"]
