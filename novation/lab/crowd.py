"""The crowd: people with accounts, who wake now and then, look, decide, and send."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from novation.lab.blocks import Transaction
from novation.lab.mirror import Mirror
from novation.lab.pool import Pool
from novation.lab.traders import (
    Close,
    Kind,
    LpSeen,
    LpStep,
    Order,
    Seen,
    Trade,
    Traits,
    Trend,
    arbitrage,
    collect_funding,
    draw_traits,
    follow_trend,
    provide,
    stop_loss,
    trade_noise,
)
from novation.lab.venue import State, Venue, account_id
from novation.model.fixed import mul_wad_up
from novation.units import PPM, WAD, wad_to_tokens_down

SHARES = {Kind.TREND: 35, Kind.NOISE: 40, Kind.ARBITRAGE: 6, Kind.BASIS: 9, Kind.LP: 10}
"""How many in a hundred are of a kind."""
WAKES = {Kind.TREND: 0.5, Kind.NOISE: 0.4, Kind.ARBITRAGE: 4.0, Kind.BASIS: 0.3, Kind.LP: 0.3}
"""Times an hour that one of a kind looks at the market."""
HOUR = 3600
LP_SHARE_PPM = 1_500_000
"""What LPs together bring, of what all traders together do."""
LOSERS_TOUCHED = 4
CAREFUL = 0.7  # share of people who watch their margin in every block
FEE_AGE = 600


@dataclass
class Person:
    kind: Kind
    owner: str
    account: bytes
    traits: Traits
    trend: Trend
    careful: bool
    money: int
    """First deposit, WAD quote; twice as much stays in the wallet."""


def draw_crowd(count: int, draw: np.random.Generator) -> list[Person]:
    """So many people, at least one of each kind; LPs together as rich as the others together."""
    kinds: list[Kind] = []
    for kind, share in SHARES.items():
        kinds += [kind] * max(count * share // 100, 1)
    kinds += [Kind.NOISE] * (count - len(kinds))
    people = [draw_person(i, kind, draw) for i, kind in enumerate(kinds)]
    rich = sum(p.money for p in people if p.kind is not Kind.LP) * LP_SHARE_PPM // PPM
    lps = [p for p in people if p.kind is Kind.LP]
    weights = sum(p.money for p in lps)
    for person in lps:
        person.money = rich * person.money // weights
    return people


def draw_person(number: int, kind: Kind, draw: np.random.Generator) -> Person:
    owner = to_checksum_address(keccak(text=f"novation lab {number}")[-20:])
    traits = draw_traits(kind, draw)
    money = min(max(round(float(draw.lognormal(8.8, 0.9))), 500), 150_000) * WAD
    if kind is Kind.ARBITRAGE:
        money *= 5  # a business, not a punter
    careful = bool(draw.random() < CAREFUL)
    account = account_id(owner)
    return Person(kind, owner, account, traits, Trend(traits.horizon), careful, money)


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
        self.pool = pool
        self.draw = draw
        self.names = {p.account: p.kind.value for p in people}
        vamm = venue.spec.markets[venue.market].vamm
        self._base_fee, self._fee_cap = vamm.base_fee, vamm.fee_cap
        self._cooldown, self._window = vamm.cooldown, vamm.window
        self._age_fee, self._band = vamm.age_fee, vamm.band

    def act(self, state: State, time: int, step: int, spot: int) -> list[Transaction]:
        """At most one transaction of each person."""
        chance = {kind: 1 - exp(-rate * step / HOUR) for kind, rate in WAKES.items()}
        rolls = self.draw.random(len(self.people))
        sent: list[Transaction] = []
        for person, roll in zip(self.people, rolls, strict=True):
            awake = float(roll) < chance[person.kind]
            if person.kind is Kind.LP:
                sent += self._provide(person, state, time) if awake else []
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
            mid=state.mid,
            reserve=state.reserve,
            premium=(state.mid - market.index) * WAD // market.index,
            funding=state.funding,
            fee=self._fee(state, time),
            band=self._band,
            size=self.mirror.size(person.account),
            equity=health.equity,
            free=health.free,
        )

    def _fee(self, state: State, time: int) -> int:
        """The part of the fee that is the same for every size, WAD."""
        age = min(max(time - state.market.updated_at, 0), FEE_AGE)
        deviation = round((state.market.variance * age * WAD) ** 0.5)
        wad_per_ppm: int = WAD // PPM
        grown = self._base_fee * wad_per_ppm + mul_wad_up(self._age_fee * wad_per_ppm, deviation)
        return min(self._fee_cap * wad_per_ppm, grown)

    def _decide(self, person: Person, seen: Seen) -> Order | None:
        if person.kind is Kind.TREND:
            return follow_trend(person.traits, person.trend.signal(seen.time, seen.spot), seen)
        if person.kind is Kind.ARBITRAGE:
            return arbitrage(person.traits, seen)
        if person.kind is Kind.BASIS:
            return collect_funding(person.traits, seen)
        return trade_noise(person.traits, seen, self.draw)

    def _order(self, person: Person, seen: Seen, order: Order) -> Transaction:
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

    # Liquidity providers

    def _provide(self, person: Person, state: State, time: int) -> Iterator[Transaction]:
        stake = self.pool.stake(person.account)
        latest = state.market.updated_at
        value = 0
        if stake.shares:
            value = max(self.pool_value(), 0) * stake.shares // state.shares
        ready = late = False
        made = stake.depositing if stake.depositing is not None else stake.withdrawing
        if made is not None:
            due = made if stake.depositing is not None else made + self._cooldown
            ready = time >= due and latest > due
            late = time > due + self._window
        seen = LpSeen(
            value=value,
            paid=stake.paid,
            capital=self.mirror.account(person.account).capital,
            depositing=stake.depositing is not None,
            withdrawing=stake.withdrawing is not None,
            ready=ready,
            late=late,
        )
        step = provide(person.traits, seen, self.draw)
        if step is not None:
            yield self._lp_step(person, seen, step)

    def pool_value(self) -> int:
        """The pool's equity at the index, its junior profit at face."""
        return self.mirror.health(self.venue.pool).equity

    def _lp_step(self, person: Person, seen: LpSeen, step: LpStep) -> Transaction:
        account, stake = person.account, self.pool.stake(person.account)
        calls: dict[LpStep, tuple[str, tuple[Any, ...]]] = {
            LpStep.ASK: ("requestWithdrawal", (account, stake.shares, 0)),
            LpStep.TAKE: ("executeWithdrawal", (account,)),
            LpStep.DEPOSIT: ("requestDeposit", (account, seen.capital)),
            LpStep.MINT: ("executeDeposit", (account,)),
            LpStep.LAPSE: ("lapse", (account, seen.depositing)),
        }
        function, values = calls[step]
        return self.venue.on_vamm(step.value, person.owner, function, *values)

    def count(self) -> dict[str, int]:
        return dict(Counter(p.kind.value for p in self.people))


def name_of(before: int, order: Trade) -> str:
    """What a trade does to the position: the kind under which its gas is counted."""
    after = before + order.size
    if before == 0:
        return "open"
    if (after > 0) != (before > 0):
        return "flip"
    return "increase" if abs(after) > abs(before) else "reduce"
