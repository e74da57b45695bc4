"""The clearing house with its doors for accounts below their margin (clearing/Backstop.sol).

Moves at the index; exempt from reduce-only, caps and floors. Money is WAD quote, sizes WAD lots.
"""

from dataclasses import dataclass, replace

from novation.model.atomic import atomic
from novation.model.clearing import FUND, MAX_FEE, check_house_fee, check_leg
from novation.model.errors import Refused
from novation.model.fixed import mul_wad_up
from novation.model.ledger import COLLATERAL_BIT, MAX_U96, Touched
from novation.model.legs import Ask, Fill
from novation.model.liquidation import LiquidationTerms
from novation.model.margin import only_fell
from novation.model.market_types import MarketState, MarketView
from novation.model.resolution import Pool, Resolution
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
class Backstop(Resolution):
    """Takeovers; how the bankrupt end is in Resolution."""

    @atomic
    def takeover(self, ask: Takeover, top_up: int, terms: LiquidationTerms, sender: bytes) -> Taken:
        """`top_up`: most that insurance may add to the reward, WAD quote."""
        if sender != self.liquidator:
            raise Refused("BackstopNotLiquidator", caller=sender)
        held = self.position(ask.victim, ask.market)
        if not held.units or (ask.expected is not None and held != ask.expected):
            raise Refused("BackstopPosition", victim=ask.victim, market=ask.market)
        perp = self.market(ask.market)
        m = perp.accrue()
        if m.state >= MarketState.SETTLING:
            raise Refused("ClearingMarketState", market=ask.market, state=m.state)
        if not m.live:
            perp.require_price()
        ts = self._parties(ask, m)
        out, equity, maintenance = self._plan(ts[0], m, ask.max_size, terms)
        self._require_calm(ts, ask.market, m)
        f = self._legs(ts, ask, m, out.size)
        self._book(ts, ask.market, m, f.premium if f else None)
        self._reward(out, ts[0], ts[1], top_up, terms, m.index)
        self._transfers(ts, f.house_fee if f else 0, sender)
        self._check_improved(ts[0], m, equity, maintenance)
        for t in ts:
            if t is not ts[0]:
                self._check_margin(t, m)
            self._save(t)
            self._keep(t.id, ask.market, t.p)
        out.net = ts[1].a.capital + ts[1].a.pnl - ts[1].value
        if out.net < ask.min_net:
            raise Refused("BackstopGain", net=out.net, minimum=ask.min_net)
        if ask.venue is not None and f is not None:
            ask.venue.filled(f)
        pool = self.pools.get(ask.market)
        if ts[0].a.venue and pool and pool.address == ask.victim[:20]:
            self._tell(pool, ask.market, m, ts[0].before, ts[0].after)
        return out

    def _parties(self, ask: Takeover, m: MarketView) -> list[Touched]:
        """The victim, the taker and, when there is a venue, its account."""
        accounts = [ask.victim, ask.taker]
        touched = [self._touch(account, ask.market, m) for account in accounts]
        if ask.venue is not None:
            self._require_venue(ask.market, ask.venue.address)
            accounts.append(ask.venue.address + bytes(12))
            touched.append(self._touch(accounts[-1], ask.market, m))
        for i, account in enumerate(accounts):
            if account in accounts[:i] or account == self.insurance:
                raise Refused("BackstopSameAccount", account=account)
        for t in touched:
            t.exempt = True
            t.before = t.after = size_of(m, t.p.units)
            t.value = t.a.capital + t.a.pnl
        return touched

    def _require_calm(self, ts: list[Touched], market: int, m: MarketView) -> None:
        """While interrupted nothing fills, and no taker leaves the side that may be charged."""
        has, until = ts[1].before, m.interrupted_until
        shrinks = has != 0 and (has > 0) != (ts[0].before > 0)
        if until > self.market(market).clock.now and (len(ts) == 3 or shrinks):
            raise Refused("ClearingInterrupted", market=market, until=until)

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

    def _legs(self, ts: list[Touched], ask: Takeover, m: MarketView, size: int) -> Fill | None:
        """The victim's leg at the index, its mirror image, and the taker's sale at the venue."""
        v, t = ts[0], ts[1]
        value = abs(size) * m.index // WAD
        v.size, v.cash = size, value if size < 0 else -value
        t.size, t.cash = -size, -v.cash
        if ask.venue is None:
            return None
        pool = ts[2]
        request = Ask(size, 0, NO_LIMIT if size > 0 else 0)
        f = ask.venue.plan_fill(m, ask.taker, pool.before, t.before - size, request)
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

    def _check_improved(self, v: Touched, m: MarketView, equity: int, maintenance: int) -> None:
        """INV-15: E - M strictly higher, E / M not lower, E not negative."""
        after = v.rest.maintenance + replace(v.rest).maintenance_of(m, v.after, v.a.venue)
        now = equity + v.a.capital + v.a.pnl - v.value
        better = now - after > equity - maintenance
        if not better or not only_fell(equity, maintenance, now, after):
            raise Refused("ClearingRiskRose", account=v.id, equity=now, maintenance=after)


def take(t: Touched, owed: int) -> tuple[int, int]:
    """Takes up to `owed`: the part that was capital, and the part that was pnl."""
    senior = min(t.a.capital, owed)
    junior = min(max(t.a.pnl, 0), owed - senior)
    t.a.capital -= senior
    t.a.pnl -= junior
    return senior, junior
