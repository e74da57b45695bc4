"""How a bankrupt account ends, in one order (clearing/Resolution.sol).

Touch all; insurance inside each market's allotment; the rest on the other side of that market as it
stood; then the whole position leaves, to a taker at the index or by deleverage. Money is WAD quote.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from novation.model.atomic import atomic
from novation.model.clearing import ClearingHouse, Venue
from novation.model.errors import Refused
from novation.model.fixed import mul_wad_floor, mul_wad_up
from novation.model.insurance import InsuranceFund
from novation.model.ledger import COLLATERAL_BIT, MARKETS_MASK, MAX_U96, Touched
from novation.model.legs import Ask
from novation.model.liquidation import LiquidationTerms
from novation.model.market_types import MarketState, MarketView
from novation.model.sides import Position, side_of, size_of
from novation.units import PPM, WAD

MIN_CHARGED = 10 * WAD
"""A side worth less cannot be charged: what it would pay is an orphan."""
MARK_LIFE = 86_400


class Pool(Venue, Protocol):
    """A venue whose inventory may be moved by something else than a fill."""

    def inventory_moved(self, m: MarketView, before: int, after: int) -> int: ...


@dataclass
class Held:
    """A market of an account that is being resolved."""

    market: int
    m: MarketView
    p: Position
    shrunk: bool


@dataclass
class Resolution(ClearingHouse):
    """`liquidator` is the one address that may ask; `insurance` the fund's account."""

    liquidator: bytes = bytes(20)
    insurance: bytes = bytes(32)
    fund: InsuranceFund | None = None
    pools: dict[int, Pool] = field(default_factory=dict)
    """Market -> the venue that was last allowed for it alone."""
    orphan_deficit: int = 0
    marks: dict[bytes, int] = field(default_factory=dict)

    def snapshot(self) -> Any:
        covers = dict(self.fund.covers) if self.fund else {}
        return super().snapshot(), self.orphan_deficit, dict(self.marks), covers

    def restore(self, kept: Any) -> None:
        ledger, self.orphan_deficit, self.marks, covers = kept
        super().restore(ledger)
        if self.fund:
            self.fund.covers = covers

    @atomic
    def resolve(
        self, victim: bytes, taker: bytes, reward: int, terms: LiquidationTerms, sender: bytes
    ) -> tuple[bool, int]:
        """Whether the account was ended, not only marked, and what the taker was paid."""
        if sender != self.liquidator:
            raise Refused("BackstopNotLiquidator", caller=sender)
        if self.insurance in (victim, taker) or taker == victim:
            raise Refused("BackstopSameAccount", account=victim)
        t, held = self._end(victim)
        taken = any(taker[:20])
        if not taken and not self._may_deleverage(t, held, terms):
            return False, 0
        for x in held:
            if not x.p.units:
                if x.shrunk:
                    self._book_sides(x)
                self._leave(t, x, 0)
        self._cover(t, held)
        for x in [x for x in held if x.p.units]:
            if not x.m.live:
                self._keep(t.id, x.market, x.p)
            elif taken:
                self._hand_over(t, x, taker)
            else:
                self._deleverage(t, x)
        self.marks.pop(victim, None)
        self._save(t)
        paid = self._insure(None, reward) if taken else 0
        if paid:
            self._credit(taker, paid, sender)
        return True, paid

    def _end(self, account: bytes) -> tuple[Touched, list[Held]]:
        """Touches the account in all its markets; refuses who is not bankrupt."""
        t = self._load(account)
        held = []
        for number in [n for n in range(62) if t.a.bitmap & MARKETS_MASK & 1 << n]:
            view, p = self.market(number).accrue(), self._position(account, number)
            gain, shrunk = self.sync(number, view, p)
            t.a.pnl += gain
            held.append(Held(number, view, p, shrunk))
            self._count(t, number, view, p, self.markets[0].clock.now)
        t.a.collect()
        if t.a.bitmap & COLLATERAL_BIT:
            raise Refused("BackstopCollateral", victim=account)
        if t.a.pnl >= 0:
            raise Refused("BackstopSolvent", victim=account, equity=t.a.capital + t.a.pnl)
        open_ = [x for x in held if x.p.units]
        if open_ and not any(x.m.live for x in open_):
            self.market(open_[0].market).require_price()
        return t, held

    def _cover(self, t: Touched, held: list[Held]) -> None:
        """Insurance, then the other sides; what neither takes is an orphan."""
        deficit = left = -t.a.pnl
        open_ = [x for x in held if x.p.units]
        own = [
            replace(t.rest).maintenance_of(x.m, size_of(x.m, x.p.units), t.a.venue) for x in open_
        ]
        orphan = waits = 0
        for i, x in enumerate(open_):
            share = left if i == len(open_) - 1 else deficit * own[i] // sum(own)
            left -= share
            if not x.m.live:
                waits += share  # until there is a price
                continue
            paid = self._insure(x.market, share)
            orphan += share - paid - self._charge(x, share - paid)
        orphan += left
        if orphan:
            self.orphan_deficit += orphan - self._insure(None, orphan)
        t.a.pnl = -waits

    def _insure(self, market: int | None, wanted: int) -> int:
        """Takes up to `wanted` from insurance, inside the market's allotment if one is named."""
        capital = self.stored(self.insurance).capital
        paid = min(wanted, capital)
        if paid and market is not None:
            assert self.fund is not None
            paid = self.fund.draw(market, paid, capital)
        self._set_capital(self.insurance, capital - paid)
        return paid

    def _charge(self, x: Held, amount: int) -> int:
        if amount == 0 or mul_wad_up(x.m.open_interest, x.m.index) < MIN_CHARGED:
            return 0
        side = 1 - side_of(x.p.units)
        k = self.market(x.market).charge(side, amount)
        if k is None:
            return 0
        x.m.k[side] = k
        return amount

    def _may_deleverage(self, t: Touched, held: list[Held], terms: LiquidationTerms) -> bool:
        """At a later round than the mark's, and a heartbeat later or when no venue takes a lot."""
        mark = self.marks.get(t.id, 0)
        for x in held:
            if not x.p.units or not x.m.live or x.m.state >= MarketState.SETTLING:
                continue
            perp = self.market(x.market)
            now = perp.clock.now
            heartbeat = perp.words.valid_until - x.m.updated_at
            if mark == 0 or now > mark + heartbeat + MARK_LIFE:
                self.marks[t.id] = now
                return False
            if x.m.updated_at <= mark:
                raise Refused("BackstopWait", victim=t.id, until=mark, seen=x.m.updated_at)
            if now < mark + heartbeat and not self._refused(x, terms):
                raise Refused("BackstopWait", victim=t.id, until=mark + heartbeat, seen=mark)
        return True

    def _refused(self, x: Held, terms: LiquidationTerms) -> bool:
        pool = self.pools.get(x.market)
        if pool is None:
            return True
        lot, away = terms.lots(x.m.index), x.m.index * terms.reward_min // PPM
        ask = Ask(-lot, 0, x.m.index - away) if x.p.units > 0 else Ask(lot, 0, x.m.index + away)
        held = self.size(pool.address + bytes(12), x.market, x.m)
        try:
            pool.plan_fill(x.m, self.insurance, held, 0, ask)
        except Refused:
            return True
        return False

    def _hand_over(self, t: Touched, x: Held, taker: bytes) -> None:
        """To the taker at the index; the victim ends at exactly 0, the wei of rounding is his."""
        x.m = self.market(x.market).accrue()
        self.sync(x.market, x.m, x.p)  # dust of the taker's may have begun an epoch since
        other = self._touch(taker, x.market, x.m)
        t.p = x.p
        for each in (t, other):
            each.exempt = True
            each.before = each.after = size_of(x.m, each.p.units)
            each.value = each.a.capital + each.a.pnl
        value = mul_wad_floor(-t.before, x.m.index)
        t.size, t.cash, other.size, other.cash = -t.before, -value, t.before, value
        size = t.before
        self._book([t, other], x.market, x.m, None)
        self._check_margin(other, x.m)
        self._save(other)
        self._keep(other.id, x.market, other.p)
        t.a.bitmap &= ~(1 << x.market)
        self._leave(t, x, size)

    def _deleverage(self, t: Touched, x: Held) -> None:
        """The units leave their side; the other side's sizes shrink by as much in all."""
        side, size = side_of(x.p.units), size_of(x.m, x.p.units)
        pool = self.pools.get(x.market)
        account = pool.address + bytes(12) if pool else b""
        told = pool is not None and account != t.id
        before = self.size(account, x.market, x.m) if told else 0
        x.m.units[side] -= abs(x.p.units)
        x.m.open_interest -= abs(size)
        after = self.size(account, x.market, x.m) if told else 0
        self._book_sides(x)
        t.a.bitmap &= ~(1 << x.market)
        self._leave(t, x, size)
        if pool and before != after:
            self._tell(pool, x.market, x.m, before, after)

    def _leave(self, t: Touched, x: Held, size: int) -> None:
        self._keep(t.id, x.market, Position())
        pool = self.pools.get(x.market)
        if t.a.venue and pool and pool.address == t.id[:20]:
            self._tell(pool, x.market, x.m, size, 0)

    def _tell(self, pool: Pool, market: int, m: MarketView, before: int, after: int) -> None:
        """What moves an inventory but a fill must keep the mid; a venue that fails is left."""
        try:
            depth = pool.inventory_moved(m, before, after)
        except Refused:
            return
        if self.venues.get(pool.address) == market:
            self.market(market).set_depth(depth)

    def _book_sides(self, x: Held) -> None:
        units = x.m.units
        self.market(x.market).book(x.m.open_interest, units[0], units[1], None)

    def _set_capital(self, account: bytes, capital: int) -> None:
        """Stores another capital in an account that is not touched."""
        if capital > MAX_U96:
            raise Refused("AmountOverflow", amount=capital, maximum=MAX_U96)
        stored = self.stored(account)
        if capital != stored.capital:
            self.house.capital_total += capital - stored.capital
            self.accounts[account] = replace(stored, capital=capital)
