"""The price at a past time: one round at most is right, whoever names it."""

import csv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from novation.chain.errors import ContractError
from novation.model import oracle as model
from tests.local_chain import LocalChain

WAD = 10**18
HOUR = 3_600
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
Make = Callable[..., Any]


def at(phase: int, number: int) -> int:
    return phase << 64 | number


class Past:
    """An adapter over a feed with a history: {phase: [age in seconds of round 1, 2, ...]}."""

    def __init__(self, bench: Any, history: dict[int, list[int]]) -> None:
        self.bench = bench
        self.now = bench.chain.now + 2 * len(history) + sum(map(len, history.values()))
        self.dates: dict[int, int] = {}
        for phase, ages in history.items():
            bench.chain.send(bench.feed, "setPhaseAggregator", phase, bench.feed.address)
            for number, age in enumerate(ages, 1):
                self.write(phase, number, self.now - age)
        bench.chain.send(bench.feed, "setLatest", max(self.dates))
        if bench.chain.now < self.now:
            bench.chain.mine_at(self.now)

    def write(self, phase: int, number: int, date: int) -> None:
        self.dates[at(phase, number)] = date
        self.bench.chain.send(
            self.bench.feed, "setPast", at(phase, number), self.answer(phase, number), date
        )

    @staticmethod
    def answer(phase: int, number: int) -> int:
        return (1_000 * phase + number) * 10**8

    def price(self, age: int, round_id: int) -> int:
        return int(self.bench.adapter.read("priceAt", self.now - age, round_id))

    def right(self, age: int) -> list[int]:
        """Every round that proves a price at that age."""
        found = []
        for round_id in self.dates:
            try:
                value = self.price(age, round_id)
            except ContractError:
                continue
            assert value == self.answer(round_id >> 64, round_id % 2**64) * 10**10
            found.append(round_id)
        return found

    def refusal(self, age: int, round_id: int) -> tuple[str, list[Any]]:
        with pytest.raises(ContractError) as caught:
            self.price(age, round_id)
        return caught.value.name, list(caught.value.arguments.values())


class TestOnePhase:
    def test_price_at_is_the_first_round_at_or_after(self, bench: Make) -> None:
        past = Past(bench(), {1: [400, 300, 200, 100]})
        assert past.right(300) == [at(1, 2)]
        assert past.right(299) == [at(1, 3)]
        assert past.right(201) == [at(1, 3)]
        assert past.right(200) == [at(1, 3)]
        assert past.right(100) == [at(1, 4)]
        assert past.right(99) == []

    def test_price_at_earlier_later_and_future_are_refused_with_numbers(self, bench: Make) -> None:
        past = Past(bench(), {1: [4_000, 3_900, 200, 100]})
        now = past.now
        assert past.refusal(250, at(1, 2)) == (
            "OracleRoundTooEarly",
            [at(1, 2), now - 3_900, now - 250],
        )
        assert past.refusal(250, at(1, 4)) == (
            "OracleRoundNotFirst",
            [at(1, 4), at(1, 3), now - 200],
        )
        assert past.refusal(3_801, at(1, 3)) == (
            "OracleRoundTooLate",
            [at(1, 3), now - 200, now - 3_801 + HOUR],
        )
        assert past.right(3_800) == [at(1, 3)]
        assert past.refusal(-1, at(1, 4)) == ("OracleTimeInFuture", [now + 1, now])
        feed = past.bench.feed.address
        assert past.refusal(150, at(1, 5)) == ("OracleNoAnswer", [feed, at(1, 5)])
        assert past.refusal(150, at(9, 1)) == ("OracleNoAnswer", [feed, at(9, 1)])

    def test_price_at_first_round_of_the_feed_serves_the_heartbeat_before(
        self, bench: Make
    ) -> None:
        past = Past(bench(), {1: [300, 100]})
        assert past.right(301) == [at(1, 1)]
        assert past.right(300 + HOUR) == [at(1, 1)]
        assert past.right(301 + HOUR) == []

    def test_price_at_bad_answers_are_refused_by_name(self, bench: Make) -> None:
        past = Past(bench(), {1: [300, 200, 100]})
        b = past.bench
        b.chain.send(b.feed, "setPast", at(1, 2), -5, past.now - 200)
        assert past.refusal(250, at(1, 2))[0] == "OracleNotPositive"
        b.chain.send(b.feed, "setPast", at(1, 2), 5, past.now - 200)
        assert past.refusal(250, at(1, 2)) == (
            "OracleOutOfBounds",
            [b.feed.address, 5, 10 * 10**8, 100_000 * 10**8],
        )
        b.chain.send(b.feed, "set", at(1, 2), 5, past.now, past.now - 200, at(1, 1))
        assert past.refusal(250, at(1, 2))[0] == "OracleIncomplete"

    def test_price_at_does_not_need_the_feed_alive_now(self, bench: Make) -> None:
        past = Past(bench(sequencer=True), {1: [300, 200, 100]})
        past.bench.set(1, feed=past.bench.sequencer)
        past.bench.chain.advance(10 * HOUR)
        assert past.right(250) == [at(1, 2)]


class TestPhases:
    def test_price_at_after_a_change_without_overlap(self, bench: Make) -> None:
        past = Past(bench(), {1: [500, 400], 2: [300, 200]})
        assert past.right(450) == [at(1, 2)]
        assert past.right(350) == [at(2, 1)]
        assert past.right(250) == [at(2, 2)]

    def test_price_at_overlapping_phases_leave_no_choice(self, bench: Make) -> None:
        """Phase 2 runs before phase 1 ends: the lower one is right as long as it answers."""
        past = Past(bench(), {1: [500, 400, 300, 250], 2: [450, 350, 260, 150, 50]})
        assert past.right(420) == [at(1, 2)]
        assert past.right(340) == [at(1, 3)]
        assert past.right(255) == [at(1, 4)]
        assert past.right(200) == [at(2, 4)]
        assert past.refusal(420, at(2, 2)) == (
            "OracleRoundNotFirst",
            [at(2, 2), at(1, 2), past.now - 400],
        )

    def test_price_at_straggler_of_an_old_phase_does_not_count(self, bench: Make) -> None:
        """An old aggregator that wakes up once, hours later, does not take the time between."""
        hours = [10 * HOUR, 9 * HOUR, 100]
        past = Past(bench(), {1: hours, 2: [8 * HOUR, 5 * HOUR, 4 * HOUR, 3 * HOUR, 200]})
        assert past.right(int(4.5 * HOUR)) == [at(2, 3)]
        assert past.right(3 * HOUR) == [at(2, 4)]
        assert past.right(HOUR) == [at(1, 3)]

    def test_price_at_when_all_slept_there_is_none(self, bench: Make) -> None:
        past = Past(bench(), {1: [9 * HOUR, 8 * HOUR], 2: [2 * HOUR, HOUR]})
        assert past.right(7 * HOUR) == []

    def test_price_at_skipped_phase_and_long_history(self, bench: Make) -> None:
        past = Past(bench(), {1: list(range(900, 500, -10)), 3: [550, 480, 400], 4: [300]})
        assert past.right(705) == [at(1, 21)]
        assert past.right(511) == [at(1, 40)]
        assert past.right(509) == [at(3, 2)]
        assert past.right(350) == [at(4, 1)]

    def test_price_at_phase_without_its_first_round_does_not_exist(self, bench: Make) -> None:
        past = Past(bench(), {1: [600, 500, 400], 2: [550, 450, 350]})
        past.bench.chain.send(past.bench.feed, "remove", at(1, 1))
        assert past.right(480) == [at(2, 2)]
        feed = past.bench.feed.address
        assert past.refusal(480, at(1, 3)) == ("OracleNoAnswer", [feed, at(1, 1)])

    def test_price_at_phase_of_other_decimals_is_refused(self, bench: Make) -> None:
        past = Past(bench(), {1: [600, 500], 2: [400, 300]})
        other = past.bench.chain.deploy("MockFeed", 18)
        past.bench.chain.send(past.bench.feed, "setPhaseAggregator", 2, other.address)
        feed = past.bench.feed.address
        assert past.refusal(350, at(2, 2)) == ("OracleDecimalsChanged", [feed, 18, 8])
        assert past.right(550) == [at(1, 2)]

    def test_price_at_starved_of_gas_hides_no_lower_phase(self, bench: Make) -> None:
        """With too little gas a lower phase could look unreadable, and another round right."""
        past = Past(bench(), {1: [500, 400, 300], 2: [450, 350, 250]})
        b = past.bench
        batch = b.chain.deploy("MockBatch")
        wrong = b.adapter.encode("priceAt", past.now - 420, at(2, 2))
        for limit in range(5_000, 120_000, 1_000):
            ok, _ = batch.read("withGas", b.adapter.address, wrong, limit)
            assert not ok


class TestReal:
    @pytest.mark.parametrize("name", ["ETHUSD", "BTCUSD"])
    def test_price_at_on_recorded_rounds_finds_each_round(
        self, chain: LocalChain, bench: Make, name: str
    ) -> None:
        path = DATA / f"chainlink_{name}_rounds_2023-08.csv"
        if not path.exists():
            pytest.skip(f"recorded rounds are not at {path}")
        with path.open(encoding="utf-8") as file:
            rows = [{k: int(v) for k, v in row.items()} for row in csv.DictReader(file)][:40]
        b = bench()
        phase = rows[0]["roundId"] >> 64
        chain.send(b.feed, "setPhaseAggregator", phase, b.feed.address)
        for number, row in enumerate(rows, 1):
            answer, date = row["answer8"], row["updatedAt"]
            chain.send(b.feed, "setPast", at(phase, number), answer, date)
        for number, (before, row) in enumerate(pairwise(rows), 2):
            if row["updatedAt"] - before["updatedAt"] > HOUR:
                continue
            value = b.adapter.read("priceAt", before["updatedAt"] + 1, at(phase, number))
            assert value == row["answer8"] * 10**10


def test_find_round_names_what_the_adapter_accepts(bench: Make) -> None:
    past = Past(bench(), {1: [400, 300, 200]})
    rounds = [model.Round(r, 1, d, d, r) for r, d in past.dates.items()]
    named = model.find_round(rounds, past.now - 250)
    assert named is not None
    assert past.right(250) == [named.id]
    assert model.find_round(rounds, past.now) is None
