"""The crowd: people with accounts, who wake now and then, look, decide, and send."""

from collections.abc import Iterator
from math import exp, isqrt

import numpy as np

from novation.lab.blocks import Transaction
from novation.lab.mirror import Mirror
from novation.lab.people import Person
from novation.lab.pool import Pool
from novation.lab.providers import Providers
from novation.lab.traders import (
    Close,
    Kind,
    Order,
    Seen,
    Trade,
    arbitrage,
    collect_funding,
    follow_trend,
    gamble,
    stop_loss,
    trade_noise,
)
from novation.lab.venue import State, Venue
from novation.model.fixed import mul_wad_up
from novation.model.margin import rate_up
from novation.model.market_types import MarketView
from novation.units import PPM, WAD, wad_to_tokens_down

WAKES = {
    Kind.NOISE: 0.3,
    Kind.TREND: 0.3,
    Kind.LP: 0.3,
    Kind.BASIS: 0.3,
    Kind.ARBITRAGE: 3.0,
    Kind.SNIPER: 4.0,
    Kind.GAMBLER: 2.0,
}
"""Times an hour that one of a kind looks at the market."""
HOUR = 3600
LOSERS_TOUCHED = 4
FEE_AGE = 600


class Crowd:
    """Decides on the state after one block what is sent into the next."""

    def __init__(
        self,
        people: list[Person],
        venue: Venue,
        mirror: Mirror,
        pool: Pool,
        draw: np.random.Generator,
    ) -> None:
        self.people = people
        self.venue = venue
        self.mirror = mirror
        self.providers = Providers(venue, mirror, pool, draw)
        self.draw = draw
        self.names = {p.account: p.kind.value for p in people}
        vamm = venue.spec.markets[venue.market].vamm
        self._base_fee, self._fee_cap = vamm.base_fee, vamm.fee_cap
        self._age_fee, self._band = vamm.age_fee, vamm.band
        self._mid = self._reserve = 0

    def act(self, state: State, time: int, step: int, spot: int) -> list[Transaction]:
        """At most one transaction of each person, in an order that is drawn for the block.

        People see who sent before them into the same block, as in a public mempool; they do not see
        the oracle's round that may land there.
        """
        chance = {kind: 1 - exp(-rate * step / HOUR) for kind, rate in WAKES.items()}
        rolls = self.draw.random(len(self.people))
        self._mid, self._reserve = state.mid, state.reserve
        sent: list[Transaction] = []
        for at in self.draw.permutation(len(self.people)):
            person = self.people[at]
            awake = float(rolls[at]) < chance[person.kind]
            if person.kind is Kind.LP:
                sent += self.providers.act(person, state, time) if awake else []
            elif awake or (person.careful and self._is_thin(person)):
                sent += self._trade(person, state, time, spot, awake)
        return sent

    # Traders

    def _trade(
        self, person: Person, state: State, time: int, spot: int, awake: bool
    ) -> Iterator[Transaction]:
        seen = self._look(person, state, time, spot)
        closed = state.market.interrupted_until > time
        order: Order | None = None
        if not closed:
            order = self._decide(person, seen) if awake else stop_loss(person.traits, seen)
        if order is not None:
            yield self._order(person, seen, order)
        elif awake and seen.size == 0:
            yield from self._move_money(person, seen, closed)

    def _is_thin(self, person: Person) -> bool:
        """Whether margin is below the person's own stop, roughly."""
        size = self.mirror.size(person.account)
        if size == 0 or self.mirror.view is None:
            return False
        equity = self.mirror.health(person.account).equity
        return equity * PPM * WAD < abs(size) * self.mirror.view.index * person.traits.stop

    def _look(self, person: Person, state: State, time: int, spot: int) -> Seen:
        health = self.mirror.health(person.account)
        market = state.market
        return Seen(
            time=time,
            spot=spot,
            index=market.index,
            mid=self._mid,
            reserve=self._reserve,
            premium=(self._mid - market.index) * WAD // market.index,
            funding=state.funding,
            fee=self._fee(state, time),
            band=self._band,
            size=self.mirror.size(person.account),
            equity=health.equity,
            free=health.free,
            most=most_leverage(market),
        )

    def _fee(self, state: State, time: int) -> int:
        """The part of the fee that is the same for every size, WAD."""
        age = min(max(time - state.market.updated_at, 0), FEE_AGE)
        deviation = isqrt(state.market.variance * age * WAD)
        wad_per_ppm: int = WAD // PPM
        grown = self._base_fee * wad_per_ppm + mul_wad_up(self._age_fee * wad_per_ppm, deviation)
        return min(self._fee_cap * wad_per_ppm, grown)

    def _decide(self, person: Person, seen: Seen) -> Order | None:
        if person.kind is Kind.TREND:
            return follow_trend(person.traits, person.trend.signal(seen.time, seen.spot), seen)
        if person.kind is Kind.ARBITRAGE:
            return arbitrage(person.traits, seen, seen.index)
        if person.kind is Kind.SNIPER:
            return arbitrage(person.traits, seen, seen.spot)
        if person.kind is Kind.GAMBLER:
            return gamble(person.traits, seen)
        if person.kind is Kind.BASIS:
            return collect_funding(person.traits, seen)
        return trade_noise(person.traits, seen, self.draw)

    def _order(self, person: Person, seen: Seen, order: Order) -> Transaction:
        size = -seen.size if isinstance(order, Close) else order.size
        after = max(seen.reserve - size, 1)
        self._mid, self._reserve = seen.mid * seen.reserve**2 // after**2, after
        if isinstance(order, Close):
            return self.venue.close(person.owner, person.account, order.limit)
        kind = name_of(seen.size, order)
        return self.venue.trade(kind, person.owner, person.account, order.size, order.limit)

    def _move_money(self, person: Person, seen: Seen, closed: bool) -> Iterator[Transaction]:
        """What people without a position do: bring more, make profit capital, take out."""
        roll = float(self.draw.random())
        account, venue, owner = self.mirror.account(person.account), self.venue, person.owner
        if seen.equity < person.money // 2:
            if roll < 0.3:
                amount = self._tokens(person.money // 4)
                yield venue.deposit(owner, person.account, amount)
        elif account.pnl > WAD and not closed and roll < 0.5:
            yield venue.release(owner, person.account, account.pnl, self._losers())
        elif account.capital > person.money and roll < 0.5:
            amount = self._tokens(account.capital - person.money)
            if amount:
                yield venue.withdraw(owner, person.account, amount)

    def _losers(self) -> list[bytes]:
        """Accounts whose losses wait to be collected, the largest first."""
        held = self.mirror.holdings
        worst = sorted((h.untouched, account) for account, h in held.items() if h.untouched < 0)
        return [account for _, account in worst[:LOSERS_TOUCHED]]

    def _tokens(self, amount: int) -> int:
        return wad_to_tokens_down(amount, self.venue.decimals)


def most_leverage(m: MarketView) -> int:
    """What initial margin lets a small account have, ppm; it falls as the market grows crowded."""
    crowd = m.open_interest * WAD // m.depth if m.depth else 0
    return WAD * PPM // rate_up(m.imr, 0, m.size_scale, mul_wad_up(m.interest_rate, crowd))


def name_of(before: int, order: Trade) -> str:
    """What a trade does to the position: the kind under which its gas is counted."""
    after = before + order.size
    if before == 0:
        return "open"
    if (after > 0) != (before > 0):
        return "flip"
    return "increase" if abs(after) > abs(before) else "reduce"
