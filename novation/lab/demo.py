"""The demo: the whole venue on a throw-away chain, traded along a price path, checked per block."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from novation import artifacts
from novation.chain.contract import call_to
from novation.deploy.spec import Spec
from novation.lab.anvil import Anvil, AnvilSettings
from novation.lab.blocks import Block, Transaction
from novation.lab.crowd import Crowd
from novation.lab.errors import ConservationError, SettingsError
from novation.lab.feed import FeedRule, rounds_of, to_answer
from novation.lab.mirror import Books
from novation.lab.people import draw_crowd
from novation.lab.prices import PricePath
from novation.lab.progress import Steps
from novation.lab.recording import BlockRow, Recording, Scenario
from novation.lab.rescue import Rescue
from novation.lab.stage import BEFORE, Stage
from novation.lab.venue import SPEC, State, local_spec, read_all
from novation.units import WAD

BLOCK_TARGET = 1_000
FEES_EVERY = 100  # blocks
COMPARE_EVERY = 250  # blocks between comparisons of the mirror with the contract's storage
ANSWER_TO_WAD = 10**10


@dataclass(frozen=True)
class DemoSettings:
    traders: int = 300
    seed: int = 1
    block_time: int = 12
    step: int | None = None
    rule: FeedRule = field(default_factory=FeedRule)
    spec: Path = SPEC

    def __post_init__(self) -> None:
        if self.traders < 10:
            raise SettingsError("a market needs at least 10 traders")
        if self.block_time < 1:
            raise SettingsError("the block time is at least one second")
        if self.step is not None and self.step < self.block_time:
            raise SettingsError(f"a step of {self.step} s is less than the block time")

    def step_of(self, path: PricePath) -> int:
        """Seconds of the path per block: whole block times, so that a run has some 1,000 blocks."""
        if self.step is not None:
            return self.step
        return max(-(-path.duration // (BLOCK_TARGET * self.block_time)), 1) * self.block_time


class Demo:
    """One run. `run` returns the recording, or raises; the chain is gone either way."""

    def __init__(self, path: PricePath, settings: DemoSettings) -> None:
        self.path = path
        self.settings = settings
        self.step = settings.step_of(path)
        self.times: Sequence[int] = range(path.start, path.end + 1, self.step)
        self.rounds = deque(rounds_of(path, settings.rule))
        self.recording = Recording(scenario_of(path, settings, self.step))

    def run(self) -> Recording:
        with Anvil(AnvilSettings(timestamp=self.path.start - BEFORE)) as anvil:
            with self._timed("set-up"):
                spec, market = local_spec(self.path, self.settings.spec)
                self.stage = Stage.build(anvil.rpc, anvil.url, self._adapt(spec, market), market)
                self._set_up(np.random.default_rng(self.settings.seed))
            with self._timed("blocks"), Steps("blocks", len(self.times)) as steps:
                self._run_blocks(steps)
            self._compare(len(self.recording.rows))
            self._finish()
            self.recording.losses = self.stage.mirror.losses
        return self.recording

    def _adapt(self, spec: Spec, market: int) -> Spec:  # noqa: ARG002 - a stress changes its market
        return spec

    def _set_up(self, draw: np.random.Generator) -> None:
        """Money in everybody's account."""
        stage = self.stage
        people = draw_crowd(self.settings.traders, draw)
        stage.fund(people, self.path)
        self.rescue = Rescue(stage.venue, stage.mirror)
        stage.rescue(self.rescue.set_up(), self.path)
        self.crowd = Crowd(people, stage.venue, stage.mirror, stage.pool, draw)

    def _act(self, state: State, now: int) -> Iterator[Transaction]:
        """Those who send before the crowd does."""
        return self.rescue.act(state, now)

    def _finish(self) -> None:
        """The path is over."""

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.recording.seconds[name] = time.monotonic() - began

    def _run_blocks(self, steps: Steps) -> None:
        stage = self.stage
        state = stage.venue.read(stage.blocks.rpc)
        stage.mirror.bring_to(state.market)
        for at, now in enumerate(self.times):
            passed = now - self.times[at - 1] if at else self.step
            spot = to_answer(self.path.at(now)) * ANSWER_TO_WAD
            sent = [*self._keep(at, now), *self._act(state, now)]
            sent += self.crowd.act(state, now, passed, spot)
            block = stage.blocks.mine(sent, now)
            self.recording.fills += stage.take(block, self.crowd.names)
            self._count(block)
            state = stage.venue.read(stage.blocks.rpc)
            stage.mirror.bring_to(state.market)
            books = stage.mirror.check(block.number, state.vault, state.house)
            self.recording.rows.append(self._row(block, spot, state, books))
            if at % COMPARE_EVERY == COMPARE_EVERY - 1:
                self._compare(at)
            steps.advance(f"index {state.market.index / WAD:,.2f}")

    def _keep(self, at: int, now: int) -> Iterator[Transaction]:
        """Rounds that have landed by now, in their order; now and then the fees are collected."""
        while self.rounds and self.rounds[0].lands_at <= now:
            yield self.stage.feed.submission(self.rounds.popleft())
        venue = self.stage.venue
        if at % FEES_EVERY == FEES_EVERY - 1 and self.stage.mirror.fees:
            yield venue.on_clearing("collect fees", venue.manifest.deployer, "collectFees")

    def _count(self, block: Block) -> None:
        for done in block.done:
            kind = done.transaction.kind
            if done.succeeded:
                self.recording.gas[kind].append(done.gas_used)
            else:
                self.recording.reverts[kind, self.stage.blocks.why(done).name] += 1

    def _row(self, block: Block, spot: int, state: State, books: Books) -> BlockRow:
        mirror, pool, market = self.stage.mirror, self.stage.pool, state.market
        account = mirror.account(self.stage.venue.pool)
        equity = mirror.health(self.stage.venue.pool).equity
        junior = max(equity - account.capital, 0)
        worth = equity - junior + junior * books.ratio // WAD
        healths = [mirror.health(a) for a in mirror.positions]
        return BlockRow(
            number=block.number,
            time=block.time,
            spot=spot,
            index=market.index,
            mid=state.mid,
            premium=market.premium,
            funding=state.funding,
            open_interest=market.open_interest,
            amm_size=mirror.size(self.stage.venue.pool),
            lp_value=worth + pool.paid_out,
            lp_held=pool.paid_in,
            vault=state.vault,
            capital_total=books.capital,
            profit_total=books.profit,
            fees_pending=books.fees,
            account_capital=books.capital,
            account_pnl=books.pnl,
            untouched_pnl=books.untouched,
            surplus=books.surplus,
            release_ratio=books.ratio,
            unhealthy=sum(h.equity < h.maintenance for h in healths),
            bankrupt=sum(h.equity < 0 for h in healths),
            transactions=len(block.done),
        )

    def _compare(self, block: int) -> None:
        """The mirror's words and health against the contract's own, for every account."""
        stage = self.stage
        clearing = artifacts.load("ClearingHouse")
        known = list(stage.mirror.accounts)
        calls = [call_to(stage.venue.clearing, clearing, "account", a) for a in known]
        calls += [call_to(stage.venue.clearing, clearing, "health", a) for a in known]
        answers = read_all(stage.blocks.rpc, calls)
        for at, account in enumerate(known):
            stored, (_, health) = answers[at], answers[len(known) + at]
            ours, word = stage.mirror.health(account), stage.mirror.account(account)
            if (stored.capital, stored.pnl, stored.bitmap) != (word.capital, word.pnl, word.bitmap):
                raise ConservationError(
                    block, f"account 0x{account.hex()} is not as its events say"
                )
            if (ours.equity, ours.maintenance) != (health.equity, health.maintenance):
                raise ConservationError(block, f"account 0x{account.hex()} has another equity")


def scenario_of(path: PricePath, settings: DemoSettings, step: int) -> Scenario:
    rule = settings.rule
    notes = []
    if step > settings.block_time:
        notes.append(
            f"One block in {step // settings.block_time} is simulated: blocks are {step} s apart, "
            f"and an oracle round due between two blocks lands in the later one."
        )
    return Scenario(
        label=path.label,
        source=path.source,
        synthetic=path.synthetic,
        seed=settings.seed,
        notes=tuple(notes),
        parameters={
            "traders": str(settings.traders),
            "seed": str(settings.seed),
            "block time": f"{settings.block_time} s",
            "simulated every": f"{step} s",
            "oracle deviation": f"{rule.deviation_ppm / 10_000:g} %",
            "oracle heartbeat": f"{rule.heartbeat} s",
            "oracle latency": f"{rule.latency} s",
        },
    )
