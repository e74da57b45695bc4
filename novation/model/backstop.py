"""The clearing house with its doors for accounts below their margin (clearing/Backstop.sol).

Moves at the index; exempt from reduce-only, caps and floors. Money is WAD quote, sizes WAD lots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from novation.model.atomic import atomic
from novation.model.backing import Backing
from novation.model.clearing import MAX_FEE, check_house_fee, check_leg
from novation.model.errors import Refused
from novation.model.fixed import mul_wad_up
from novation.model.ledger import Touched
from novation.model.legs import Ask, Fill
from novation.model.liquidation import LiquidationTerms
from novation.model.margin import only_fell
from novation.model.market import PerpMarket
from novation.model.market_types import MarketState, MarketView
from novation.model.resolution import Pool
from novation.model.sides import Position, size_of
from novation.units import WAD

MIN_REWARD_UNIT = WAD // 1_000
NO_LIMIT = 2**256 - 1


@dataclass(frozen=True)
class Takeover:
    """What the liquidator asks for; fields as in types/Liquidation.sol. No venue: he keeps it."""

    market: int
    victim: bytes
    taker: bytes
    max_size: int
    top_up: int = 0
    venue: Pool | None = None
    expected: Position | None = None
    min_net: int = -(2**255)


@dataclass
class Taken:
    """What was moved; `size` is the change of the victim's position, `net` the taker's gain."""

    size: int
    reward: int
    penalty: int
    top_up: int = 0
    net: int = 0


@dataclass
class Backstop(Backing):
    """Takeovers; how the bankrupt end is in Resolution."""

    @atomic
    def takeover_many(
        self, asks: Sequence[Takeover], budget: int, terms: LiquidationTerms, sender: bytes
    ) -> list[Taken | Refused]:
        """Of one market into one account, which is checked at the end; why not, where it was not.

        `budget`: most that insurance adds to all rewards, WAD quote.
        """
        self._require_liquidator(sender)
        number = asks[0].market
        perp, m = self._open(number)
        t = self._join(asks[0].taker, number, m)
        size, value = t.before, t.value
        out: list[Taken | Refused] = []
        moved: dict[bytes, tuple[int, int]] = {}
        for ask in asks:
            taken = self._take_into(ask, t, m, budget, terms, moved)
            budget -= taken.top_up if isinstance(taken, Taken) else 0
            out.append(taken)
        perp.book(m.open_interest, m.units[0], m.units[1], None)
        t.before, t.value = size, value
        self._check_margin(t, m)
        self._save(t)
        self._keep(t.id, number, t.p)
        pool = self.pools.get(number)
        for account, (before, after) in moved.items():
            if pool and pool.address == account[:20]:
                self._tell(pool, number, m, before, after)
        return out

    @atomic
    def takeover(self, ask: Takeover, budget: int, terms: LiquidationTerms, sender: bytes) -> Taken:
        """One; with a venue the taker sells to it in the same call."""
        self._require_liquidator(sender)
        perp, m = self._open(ask.market)
        accounts = [ask.victim, ask.taker]
        if ask.venue is not None:
            self._require_venue(ask.market, ask.venue.address)
            accounts.append(ask.venue.address + bytes(12))
        self._check_position(ask)
        ts = [self._join(account, ask.market, m) for account in accounts]
        self._require_apart(accounts)
        out, equity, maintenance = self._plan(ts[0], m, ask.max_size, terms)
        if ask.venue is not None or shrinks(ts[1], ts[0]):
            self._require_calm(ask.market, m)
        cross(ts, out.size, m.index)
        f = self._sell_to(ts, ask, ask.venue, m, out.size) if ask.venue is not None else None
        self._book_legs(ts, ask.market, m)
        perp.book(m.open_interest, m.units[0], m.units[1], f.premium if f else None)
        self._reward(out, ts[0], ts[1], min(ask.top_up, budget), terms, m.index)
        if f is not None:
            self._transfers(ts, f.house_fee, sender)
        self._check_improved(ts[0], m, equity, maintenance)
        for t in ts:
            if t is not ts[0]:
                self._check_margin(t, m)
            self._save(t)
            self._keep(t.id, ask.market, t.p)
        check_gain(out, ts[1], ask.min_net)
        if ask.venue is not None and f is not None:
            ask.venue.filled(f)
        pool = self.pools.get(ask.market)
        if ts[0].a.venue and pool and pool.address == ask.victim[:20]:
            self._tell(pool, ask.market, m, ts[0].before, ts[0].after)
        return out

    def _require_calm(self, market: int, m: MarketView) -> None:
        if m.interrupted_until > self.market(market).clock.now:
            raise Refused("ClearingInterrupted", market=market, until=m.interrupted_until)

    def _require_liquidator(self, sender: bytes) -> None:
        if sender != self.liquidator:
            raise Refused("BackstopNotLiquidator", caller=sender)

    def _open(self, market: int) -> tuple[PerpMarket, MarketView]:
        perp = self.market(market)
        m = perp.accrue()
        if m.state >= MarketState.SETTLING:
            raise Refused("ClearingMarketState", market=market, state=m.state)
        if not m.live:
            perp.require_price()
        return perp, m

    def _join(self, account: bytes, market: int, m: MarketView) -> Touched:
        """Touches and measures one account of a takeover."""
        t = self._touch(account, market, m)
        t.exempt = True
        begin(t, m)
        return t

    def _take_into(
        self,
        ask: Takeover,
        t: Touched,
        m: MarketView,
        budget: int,
        terms: LiquidationTerms,
        moved: dict[bytes, tuple[int, int]],
    ) -> Taken | Refused:
        """One takeover into the account `t`. `moved`: inventories of pools before and after."""
        try:
            self._check_position(ask)
        except Refused as refused:
            return refused
        v = self._join(ask.victim, ask.market, m)
        self._require_apart([ask.victim, t.id])
        out: Taken | Refused
        try:
            out, equity, maintenance = self._plan(v, m, ask.max_size, terms)
        except Refused as refused:
            if refused.name not in ("BackstopBankrupt", "BackstopHealthy"):
                raise
            out = refused
        if isinstance(out, Taken):
            if shrinks(t, v):
                self._require_calm(ask.market, m)
            begin(t, m)
            cross([v, t], out.size, m.index)
            self._book_legs([v, t], ask.market, m)
            self._reward(out, v, t, min(ask.top_up, budget), terms, m.index)
            self._check_improved(v, m, equity, maintenance)
            check_gain(out, t, ask.min_net)
        self._save(v)
        self._keep(v.id, ask.market, v.p)
        if isinstance(out, Taken):
            first = moved.get(v.id, (v.before, 0))[0]
            moved[v.id] = first, v.after
        return out

    def _check_position(self, ask: Takeover) -> None:
        held = self.position(ask.victim, ask.market)
        if not held.units or (ask.expected is not None and held != ask.expected):
            raise Refused("BackstopPosition", victim=ask.victim, market=ask.market)

    def _require_apart(self, accounts: list[bytes]) -> None:
        for i, account in enumerate(accounts):
            if account in accounts[:i] or account == self.insurance:
                raise Refused("BackstopSameAccount", account=account)

    def _plan(
        self, v: Touched, m: MarketView, max_size: int, terms: LiquidationTerms
    ) -> tuple[Taken, int, int]:
        """Size, reward and penalty, and the victim's equity and maintenance now."""
        sums = replace(v.rest)
        own = sums.maintenance_of(m, v.before, v.a.venue)
        maintenance = sums.maintenance + own
        equity = v.value + self.collateral(v)[0] + sums.dead_loss
        if equity < 0:
            raise Refused("BackstopBankrupt", victim=v.id, equity=equity)
        if equity >= maintenance:
            raise Refused("BackstopHealthy", victim=v.id, equity=equity, maintenance=maintenance)
        x, reward, penalty = terms.plan(equity, maintenance, abs(v.before), m.index, own, max_size)
        return Taken(-x if v.before > 0 else x, reward, penalty), equity, maintenance

    def _sell_to(
        self, ts: list[Touched], ask: Takeover, venue: Pool, m: MarketView, size: int
    ) -> Fill:
        """The taker's lots go on to the venue, at its price and fee."""
        t, pool = ts[1], ts[2]
        request = Ask(size, 0, NO_LIMIT if size > 0 else 0)
        f = venue.plan_fill(m, ask.taker, pool.before, t.before - size, request)
        if f.size != size:
            raise Refused("BackstopVenueFill", filled=f.size, wanted=size)
        paid = -f.quote if size > 0 else f.quote
        check_leg(size, paid, f.fee)
        check_house_fee(f.house_fee)
        most = mul_wad_up(f.quote, MAX_FEE)
        if f.fee > most:
            raise Refused("ClearingFeeTooHigh", account=ask.taker, fee=f.fee, maximum=most)
        t.size, t.cash, t.transfer = 0, t.cash + paid, -f.fee
        pool.size, pool.cash, pool.transfer = -size, -paid, f.fee - f.house_fee
        return f

    def _reward(
        self,
        out: Taken,
        v: Touched,
        t: Touched,
        top_up: int,
        terms: LiquidationTerms,
        index: int,
    ) -> None:
        """Reward to the taker, then penalty to insurance: capital first, no more than there is.

        Insurance adds up to the least reward; below the least lot no more than it was paid.
        """
        senior, junior = take(v, out.reward)
        t.a.capital += senior
        t.a.pnl += junior
        out.reward = senior + junior
        out.penalty = take(v, out.penalty)[0]
        held = self.stored(self.insurance).capital + out.penalty
        least = terms.min_reward * MIN_REWARD_UNIT
        if abs(out.size) * index // (WAD * WAD) < terms.min_lot:
            top_up = min(top_up, out.penalty)
        out.top_up = min(max(least - out.reward, 0), top_up, held)
        t.a.capital += out.top_up
        t.a.collect()
        self._set_capital(self.insurance, held - out.top_up)

    def _check_improved(self, v: Touched, m: MarketView, equity: int, maintenance: int) -> None:
        """INV-15: E - M strictly higher, E / M not lower, E not negative."""
        after = v.rest.maintenance + replace(v.rest).maintenance_of(m, v.after, v.a.venue)
        now = equity + v.a.capital + v.a.pnl - v.value
        better = now - after > equity - maintenance
        if not better or not only_fell(equity, maintenance, now, after):
            raise Refused("ClearingRiskRose", account=v.id, equity=now, maintenance=after)


def begin(t: Touched, m: MarketView) -> None:
    """Where an account stands before a leg."""
    t.before = t.after = size_of(m, t.p.units)
    t.value = t.a.capital + t.a.pnl


def shrinks(t: Touched, v: Touched) -> bool:
    """Whether the taker leaves the side that a deficit may be charged to."""
    return t.after != 0 and (t.after > 0) != (v.before > 0)


def cross(ts: list[Touched], size: int, index: int) -> None:
    """The victim's leg at the index and its mirror image."""
    value = abs(size) * index // WAD
    ts[0].size, ts[0].cash = size, value if size < 0 else -value
    ts[1].size, ts[1].cash = -size, -ts[0].cash


def check_gain(out: Taken, t: Touched, least: int) -> None:
    out.net = t.a.capital + t.a.pnl - t.value
    if out.net < least:
        raise Refused("BackstopGain", net=out.net, minimum=least)


def take(t: Touched, owed: int) -> tuple[int, int]:
    """Takes up to `owed`: the part that was capital, and the part that was pnl."""
    senior = min(t.a.capital, owed)
    junior = min(max(t.a.pnl, 0), owed - senior)
    t.a.capital -= senior
    t.a.pnl -= junior
    return senior, junior
