"""How a bankrupt account ends, in one order (clearing/Resolver.sol).

Touch all; insurance buys other collateral; insurance pays inside each market's allotment; the other
side of that market bears the rest as it stood; then the whole position leaves, to a taker at the
index or by deleverage. Money is WAD quote.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from novation.model.atomic import atomic
from novation.model.clearing import FUND, ClearingHouse, Venue
from novation.model.errors import Refused
from novation.model.fixed import mul_wad_floor, mul_wad_up
from novation.model.insurance import InsuranceFund
from novation.model.ledger import COLLATERAL_BIT, MARKETS_MASK, MAX_U96, Touched, Vault
from novation.model.legs import Ask, Fill
from novation.model.liquidation import LiquidationTerms
from novation.model.market_types import MarketState, MarketView
from novation.model.sides import Position, side_of, size_of
from novation.model.vault import LossTerms
from novation.units import PPM, WAD

MIN_CHARGED, MIN_LOTS = 10 * WAD, WAD // 1_000
"""A side worth less, and of fewer lots, is not charged: what it would pay is an orphan."""
MARK_LIFE = 86_400


class Pool(Venue, Protocol):
    """A venue whose inventory may be moved by something else than a fill."""

    def filled(self, f: Fill) -> None: ...
    def inventory_moved(self, m: MarketView, before: int, after: int) -> int: ...


class Custody(Vault, Protocol):
    """What losses ask of the margin vault besides."""

    loss_terms: LossTerms

    def seize(
        self, from_: bytes, to: bytes, token: str, owed: int, budget: int, max_amount: int
    ) -> tuple[int, int, int, bool]: ...
    def seize_all(self, from_: bytes, to: bytes, owed: int, budget: int) -> tuple[int, bool]: ...
    def snapshot(self) -> Any: ...
    def restore(self, kept: Any) -> None: ...


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

    vault: Custody
    liquidator: bytes = bytes(20)
    insurance: bytes = bytes(32)
    fund: InsuranceFund | None = None
    pools: dict[int, Pool] = field(default_factory=dict)
    """Market -> the venue that was last allowed for it alone."""
    orphan_deficit: int = 0

    def snapshot(self) -> Any:
        covers = dict(self.fund.covers) if self.fund else {}
        balances = self.vault.snapshot()
        return super().snapshot(), self.orphan_deficit, covers, balances

    def restore(self, kept: Any) -> None:
        ledger, self.orphan_deficit, covers, balances = kept
        super().restore(ledger)
        self.vault.restore(balances)
        if self.fund:
            self.fund.covers = covers

    @atomic
    def resolve(
        self,
        victim: bytes,
        taker: bytes,
        market: int,
        reward: int,
        terms: LiquidationTerms,
        sender: bytes,
    ) -> tuple[bool, int]:
        """Whether the account was ended, not only marked, and what the taker was paid."""
        if sender != self.liquidator:
            raise Refused("BackstopNotLiquidator", caller=sender)
        if self.insurance in (victim, taker) or taker == victim:
            raise Refused("BackstopSameAccount", account=victim)
        t, held = self._begin(victim)
        done = False
        if t.a.pnl + self.collateral(t)[0] >= 0:
            self._unmark(t)
        else:
            if held and all(x.market != market for x in held):
                raise Refused("BackstopPosition", victim=victim, market=market, word=0, expected=0)
            deficit, waits = self._sell(t)
            done = deficit == 0
            if done and victim in self.marks:
                self._set_mark(victim, 0)
            if not done and (any(taker[:20]) or self._may_deleverage(t, held, terms)):
                least = reward, terms.reward_min + terms.penalty
                return True, self._end(t, held, deficit, waits, taker, least, sender)
        for x in held:
            self._keep(t.id, x.market, x.p)
        self._save(t)
        return done, 0

    # Other collateral behind a loss

    @atomic
    def convert(
        self,
        victim: bytes,
        taker: bytes,
        token: str,
        max_amount: int,
        max_price: int,
        sender: bytes,
    ) -> tuple[int, int]:
        """Token units that went to the taker, and what he paid, WAD quote."""
        self._require_authorised(taker, sender, FUND)
        if victim == taker or taker == self.insurance:
            raise Refused("BackstopSameAccount", account=taker)
        v, t = self._touch_alone(victim), self._touch_alone(taker)
        if t.a.venue:
            raise Refused("ClearingVenueAccount", account=taker)
        amount, paid, price, left = self.vault.seize(
            victim, taker, token, self._due_from(v), t.a.capital, max_amount
        )
        if amount == 0:
            raise Refused("BackstopNothing", victim=victim, token=token)
        if price > max_price:
            raise Refused("BackstopPrice", price=price, maximum=max_price)
        t.a.capital -= paid
        t.a.bitmap |= COLLATERAL_BIT
        v.a.capital += paid
        if not left:
            v.a.bitmap &= ~COLLATERAL_BIT
        v.a.collect()
        self._check_free(t)
        self._save(t)
        self._save(v)
        return amount, paid

    def _due_from(self, v: Touched) -> int:
        """What other collateral may pay for: the whole loss, when that passes the threshold."""
        if v.id == self.insurance:
            return MAX_U96
        loss, threshold = max(-v.a.pnl, 0), 0
        if v.rest.markets and self.release_ratio() == WAD:
            terms = self.vault.loss_terms
            equity = v.a.capital + v.a.pnl + self.collateral(v)[0] + v.rest.dead_loss
            if self.covered_debt <= terms.cap * WAD and equity >= 0:
                threshold = terms.threshold * WAD
        if loss <= threshold:
            raise Refused("BackstopLossTooSmall", victim=v.id, loss=loss, threshold=threshold)
        return loss

    @atomic
    def collect_interest(self) -> int:
        """Interest charged so far becomes junior profit of insurance."""
        amount = self.interest_pending
        if amount == 0:
            raise Refused("ClearingZeroAmount")
        self.interest_pending = 0
        t = self._load(self.insurance)
        t.a.pnl += amount
        self._save(t)
        return amount

    # Resolution, in its order

    def _begin(self, account: bytes) -> tuple[Touched, list[Held]]:
        """Touches the account in all its markets; the positions that are left."""
        t = self._load(account)
        held = []
        for number in [n for n in range(62) if t.a.bitmap & MARKETS_MASK & 1 << n]:
            view, p = self.market(number).accrue(), self._position(account, number)
            gain, shrunk = self.sync(number, view, p)
            t.a.pnl += gain
            held.append(Held(number, view, p, shrunk))
            self._count(t, number, view, p, self.markets[0].clock.now)
        t.a.collect()
        for x in [x for x in held if not x.p.units]:
            if x.shrunk:
                self._book_sides(x)
            self._leave(t, x, 0)
        return t, [x for x in held if x.p.units]

    def _unmark(self, t: Touched) -> None:
        """A mark is of one bankruptcy: an account that is found solvent loses it."""
        if t.id not in self.marks:
            raise Refused("BackstopSolvent", victim=t.id, equity=t.a.capital + t.a.pnl)
        self._set_mark(t.id, 0)

    def _sell(self, t: Touched) -> tuple[int, int]:
        """Insurance buys what other collateral it can: the deficit, and what waits behind the rest.

        What is left counts as it does for maintenance.
        """
        waits = 0
        if t.a.bitmap & COLLATERAL_BIT:
            fund = self.stored(self.insurance)
            paid, left = self.vault.seize_all(t.id, self.insurance, -t.a.pnl, fund.capital)
            if paid:
                marked = replace(fund, bitmap=fund.bitmap | COLLATERAL_BIT)
                self.accounts[self.insurance] = marked
                self._set_capital(self.insurance, fund.capital - paid)
            if not left:
                t.a.bitmap &= ~COLLATERAL_BIT
            t.a.capital += paid
            t.a.collect()
            waits = self.collateral(t)[0]
        loss = max(-t.a.pnl, 0)
        waits = min(waits, loss)
        return loss - waits, waits

    def _end(
        self,
        t: Touched,
        held: list[Held],
        deficit: int,
        waits: int,
        taker: bytes,
        reward: tuple[int, int],
        sender: bytes,
    ) -> int:
        """Covers the deficit and moves the positions; what insurance paid the taker.

        `reward`: at most, and at most in ppm of the value that he took.
        """
        taken, handed = any(taker[:20]), 0
        if held and not any(x.m.live for x in held):
            self.market(held[0].market).require_price()
        self._cover(t, held, deficit, waits)
        for x in held:
            if not x.m.live:
                self._keep(t.id, x.market, x.p)
            elif taken:
                handed += self._hand_over(t, x, taker)
            else:
                self._deleverage(t, x)
        if t.id in self.marks:
            self._set_mark(t.id, 0)
        most = min(reward[0], handed * reward[1] // PPM)
        paid = self._insure(None, most) if taken else 0
        if paid:
            self._credit(taker, paid, sender)
        self._save(t)
        return paid

    def _cover(self, t: Touched, held: list[Held], deficit: int, waits: int) -> None:
        """Insurance, then the other sides; what neither takes is an orphan."""
        left, orphan = deficit, 0
        own = [
            replace(t.rest).maintenance_of(x.m, size_of(x.m, x.p.units), t.a.venue) for x in held
        ]
        for i, x in enumerate(held):
            share = left if i == len(held) - 1 else deficit * own[i] // sum(own)
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
        o = x.m.open_interest
        if amount == 0 or (o < MIN_LOTS and mul_wad_up(o, x.m.index) < MIN_CHARGED):
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
                self._set_mark(t.id, now)
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

    def _hand_over(self, t: Touched, x: Held, taker: bytes) -> int:
        """To the taker at the index; the victim ends at exactly 0, the wei of rounding is his.

        What it is worth.
        """
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
        return abs(value)

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
