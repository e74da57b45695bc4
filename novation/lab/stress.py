"""The stress: the demo's venue, people at the highest leverage, and all roles that meet losses.

At the end everything is settled and withdrawn.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from novation.deploy.spec import Spec
from novation.lab.blocks import Block, Transaction
from novation.lab.crowd import Crowd
from novation.lab.demo import Demo, DemoSettings
from novation.lab.keepers import Keepers
from novation.lab.people import draw_crowd
from novation.lab.prices import PricePath
from novation.lab.recording import Scenario, Stressed
from novation.lab.scenarios import HOUR, Stress, open_cap, worst_hour
from novation.lab.settlement import Settlement
from novation.lab.stakers import Stakers
from novation.lab.traders import Kind
from novation.lab.venue import State
from novation.lab.winners import Winners
from novation.units import WAD

CAPITAL, STAKE = 1_500 * WAD, 800 * WAD
"""Of the keeper and of the stakers, for each account of the crowd."""
GREEDY = 0.4  # share of people who want their profit out at each jump
FINE = 60  # seconds between the blocks around the worst hour, if the run's own step is longer


class StressRun(Demo):
    def __init__(self, path: PricePath, settings: DemoSettings, stress: Stress) -> None:
        self.stress = stress
        worst = worst_hour(path)
        if stress.before is not None:
            path = path.between(worst - stress.before * HOUR, worst + stress.after * HOUR)
        path = stress.bend(path, worst)
        super().__init__(replace(path, label=f"{path.label}: {stress.name}"), settings)
        self.asleep = range(worst, worst + stress.asleep * HOUR + 1) if stress.asleep else range(0)
        self.times = self._times(worst)
        self.recording.scenario = self._scenario()

    def _times(self, worst: int) -> list[int]:
        """The run's step, but finer from an hour before the worst one to an hour after it."""
        fine = self._fine = min(self.step, max(FINE, self.settings.block_time))
        close = range(worst - HOUR, worst + 2 * HOUR, fine)
        last = self.path.end
        coarse = (t for t in range(self.path.start, last + 1, self.step) if t not in around(close))
        return sorted({*coarse, *(t for t in close if self.path.start <= t <= last)})

    def _scenario(self) -> Scenario:
        said = self.recording.scenario
        parameters = {"scenario": self.stress.name, **said.parameters}
        parameters["accounts"] = parameters.pop("traders")
        if self.asleep:
            blocks = len(self.asleep) // self.settings.block_time
            parameters["keepers asleep"] = f"{blocks} blocks of the chain"
        notes = [self.stress.says, *said.notes]
        if self._fine < self.step:
            close = "From an hour before the worst hour to an hour after it"
            notes.append(f"{close} they are {self._fine} s apart.")
        return replace(said, notes=tuple(notes), parameters=parameters)

    # What the demo asks for

    def _adapt(self, spec: Spec, market: int) -> Spec:
        return self.stress.adapt(open_cap(spec, market), market)

    def _set_up(self, draw: np.random.Generator) -> None:
        stage, count = self.stage, self.settings.traders
        people = draw_crowd(count, draw, self.stress.mix)
        greedy = [p for p in people if p.kind is not Kind.LP and draw.random() < GREEDY]
        stage.fund(people, self.path)
        venue, mirror = stage.venue, stage.mirror
        money = count * CAPITAL if self.stress.capital else 0
        self.keepers = Keepers(venue, mirror, money, self.asleep)
        self.stakers = Stakers(venue, mirror, count * STAKE if self.stress.stake else 0)
        self.winners = Winners(venue, mirror, greedy)
        stage.rescue([*self.keepers.set_up(), *self.stakers.set_up()], self.path)
        self.stakers.learn(stage.blocks.rpc)
        self.crowd = Crowd(people, venue, mirror, stage.pool, draw)
        self._leverage = 0

    def _act(self, state: State, now: int) -> Iterator[Transaction]:
        """Winners are the fastest; the keepers have seen the same block."""
        self._note_leverage(state)
        yield from self.winners.act(state, now)
        yield from self.keepers.act(state, now)
        yield from self.stakers.act(state, now)

    def _count(self, block: Block) -> None:
        super()._count(block)
        self.stakers.take(block)
        self.winners.take(block)

    def _note_leverage(self, state: State) -> None:
        mirror = self.stage.mirror
        for account in mirror.positions:
            health = mirror.health(account)
            if health.equity > 0 and health.initial_equity >= health.initial:
                notional = abs(mirror.size(account)) * state.market.index
                self._leverage = max(self._leverage, notional // health.equity)

    def _finish(self) -> None:
        before = self.stakers.paid
        settlement = Settlement(self.stage, self.stakers, self.times[-1], super()._count)
        with self._timed("settlement"):
            outcome = settlement.run()
            self._compare(len(self.recording.rows) + outcome.blocks)
        self.recording.stressed = Stressed(
            scenario=self.stress.name,
            says=self.stress.says,
            settlement=outcome,
            asleep=len(self.asleep) // self.settings.block_time,
            leverage=self._leverage,
            profit_released=self.winners.asked,
            released_as=self.winners.got,
            stakes=self.stakers.ends(),
            unstaked=before,
        )


def around(times: range) -> range:
    """Every second between the first and the last of these times."""
    return range(times[0], times[-1] + 1)
