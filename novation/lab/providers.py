"""Liquidity providers: when they ask for their money, take it, and come back."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from novation.lab.blocks import Transaction
from novation.lab.mirror import Mirror
from novation.lab.people import Person
from novation.lab.pool import Pool
from novation.lab.traders import Traits
from novation.lab.venue import State, Venue
from novation.units import WAD


class LpStep(Enum):
    ASK = "LP request withdrawal"
    TAKE = "LP withdraw"
    DEPOSIT = "LP request deposit"
    MINT = "LP deposit"
    LAPSE = "LP lapse"


@dataclass(frozen=True)
class LpSeen:
    """`value` of the shares and what was paid for them, WAD quote; what requests are open.

    `ready` says that an open request can be executed now, `late` that it cannot any more.
    """

    value: int
    paid: int
    capital: int
    depositing: bool
    withdrawing: bool
    ready: bool
    late: bool = False


def provide(traits: Traits, seen: LpSeen, draw: np.random.Generator) -> LpStep | None:
    """Stays; asks for his money after a loss of `appetite`, or for no reason; may come back."""
    if seen.depositing or seen.withdrawing:
        if seen.late:
            return LpStep.LAPSE
        step = LpStep.MINT if seen.depositing else LpStep.TAKE
        return step if seen.ready else None
    if seen.value > 0:
        hurt = (seen.paid - seen.value) * WAD >= seen.paid * traits.appetite
        return LpStep.ASK if hurt or draw.random() < 0.02 else None
    return LpStep.DEPOSIT if seen.capital >= 1000 * WAD and draw.random() < 0.05 else None


class Providers:
    """Sends what LPs decide. Traits' `appetite` is the loss that one bears, WAD."""

    def __init__(self, venue: Venue, mirror: Mirror, pool: Pool, draw: np.random.Generator) -> None:
        self.venue = venue
        self.mirror = mirror
        self.pool = pool
        self.draw = draw
        vamm = venue.spec.markets[venue.market].vamm
        self._cooldown, self._window = vamm.cooldown, vamm.window

    def act(self, person: Person, state: State, time: int) -> Iterator[Transaction]:
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
