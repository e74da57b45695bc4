"""Time, side indices and sides: the model bit for bit as compiled."""

import random
from typing import Any

import pytest

from novation.model import accrual, sides
from novation.model.accrual import Terms
from novation.model.market_types import MarketState, MarketView, MarketWords
from novation.units import WAD

COUNT = 400
DAY = 86_400


@pytest.fixture
def rng() -> random.Random:
    return random.Random(3)


def price(rng: random.Random) -> int:
    return rng.randint(1, 10 ** rng.randint(1, 24))


def words(rng: random.Random) -> MarketWords:
    """Any state whose fields fit the four words; a side has units when there is interest."""
    index = price(rng)
    near = [max(index * rng.randint(700_000, 1_300_000) // 10**6, 1) for _ in range(2)]
    interest = rng.choice((0, rng.randint(10**9, 10**23)))
    return MarketWords(
        index=index,
        strict=near[0],
        accrued_at=rng.getrandbits(31),
        valid_until=rng.getrandbits(31),
        interruption=rng.getrandbits(16),
        short=near[1],
        open_interest=interest,
        premium_average=rng.randint(-(2**31), 2**31 - 1),
        premium=rng.randint(-(10**8), 10**8),
        variance=rng.getrandbits(32),
        k=[rng.randint(-(10**34), 10**34) for _ in range(2)],
        units=[rng.randint(1, 10**23) if interest else 0 for _ in range(2)],
        epoch=[rng.getrandbits(24) for _ in range(2)],
        velocity=rng.choice((0, rng.randint(-(10**12), 10**12))),
    )


def terms(rng: random.Random) -> Terms:
    return Terms(
        strict_window=rng.randint(60, DAY),
        premium_window=rng.randint(60, DAY),
        full_premium=rng.randint(WAD // 1_000, WAD),
        cap=rng.randint(0, 50_000) * 10**12,
        velocity=rng.choice((0, rng.randint(0, 50_000) * 10**12)),
        depth=rng.choice((0, rng.randint(1, 10**23))),
    )


def elapse(s: MarketWords, c: Terms, dt: int) -> tuple[int, MarketWords]:
    return accrual.elapse(s, c, dt), s


def move(s: MarketWords, dp: int, g: int) -> MarketWords:
    accrual.move(s, dp, g)
    return s


def observe(s: MarketWords, dp: int, seconds: int) -> MarketWords:
    accrual.observe(s, dp, seconds)
    return s


def view(rng: random.Random) -> MarketView:
    s = words(rng)
    numbers = [rng.getrandbits(60) for _ in range(13)]
    return MarketView(
        s.index,
        s.strict,
        s.open_interest,
        s.units,
        s.k,
        s.epoch,
        *numbers,
        live=True,
        state=MarketState.ACTIVE,
        isolated=False,
    )


def test_decay_is_the_compiled_one(harness: Any, rng: random.Random) -> None:
    weights = [(rng.randint(0, 10 ** rng.randint(0, 8)), rng.randint(60, DAY)) for _ in range(2000)]
    harness.compare("weight", accrual.weight, weights)
    averages = [
        (rng.randint(-(10**24), 10**24), rng.randint(-(10**24), 10**24), rng.randint(0, WAD))
        for _ in range(2_000)
    ]
    harness.compare("toward", accrual.toward, averages)


def test_elapse_is_the_compiled_one(harness: Any, rng: random.Random) -> None:
    inputs = [
        (words(rng), terms(rng), rng.randint(1, 10 ** rng.randint(0, 7))) for _ in range(COUNT)
    ]
    harness.compare("elapse", elapse, inputs)


def test_move_and_observe_are_the_compiled_ones(harness: Any, rng: random.Random) -> None:
    moves = [(words(rng), price(rng) - price(rng), price(rng) // 1_000) for _ in range(COUNT)]
    harness.compare("move", move, moves)
    seen = []
    for _ in range(COUNT):
        s = words(rng)
        seen.append((s, s.index * rng.randint(-900_000, 900_000) // 10**6, rng.randint(1, DAY)))
    harness.compare("observe", observe, seen)


def test_gap_seconds_are_the_compiled_ones(harness: Any, rng: random.Random) -> None:
    inputs = []
    for _ in range(2_000):
        index = rng.randint(10**9, 10**24)
        short = index * rng.randint(500_000, 1_500_000) // 10**6
        inputs.append((index, short, rng.randint(10**15, 10**17), rng.randint(60, DAY)))
    harness.compare("gapSeconds", accrual.gap_seconds, inputs)


def test_gap_seconds_end_where_the_average_is_near_enough(rng: random.Random) -> None:
    """At the second given the gap is at the threshold, and not two seconds before."""
    for _ in range(2_000):
        index = rng.randint(WAD, 10**24)
        short = index * rng.randint(500_000, 1_500_000) // 10**6
        threshold, tau = rng.randint(10**15, 10**17), rng.randint(60, DAY)
        t = accrual.gap_seconds(index, short, threshold, tau)
        if t == 0:
            assert abs(index - short) * WAD <= threshold * short
            continue
        then = accrual.toward(short, index, accrual.weight(t, tau))
        assert abs(index - then) * WAD <= threshold * then * (10**12 + 1) // 10**12
        if t > 2:
            before = accrual.toward(short, index, accrual.weight(t - 2, tau))
            assert abs(index - before) * WAD > threshold * before


def test_sides_are_the_compiled_ones(harness: Any, rng: random.Random) -> None:
    sizes, units, profits = [], [], []
    for _ in range(COUNT):
        m = view(rng)
        sizes.append((m, rng.randint(-(10**23), 10**23)))
        units.append((m, rng.randint(0, 1), rng.randint(0, 10**23)))
        p = sides.Position(rng.randint(-(10**23), 10**23), rng.randint(-(10**34), 10**34), 0)
        profits.append((p, rng.randint(-(10**34), 10**34)))
    harness.compare("sizeOf", sides.size_of, sizes)
    harness.compare("unitsDown", sides.units_down, units)
    harness.compare("unitsUp", sides.units_up, units)
    harness.compare("profit", sides.profit, profits)


def test_words_come_back_as_they_went_in(harness: Any, rng: random.Random) -> None:
    inputs = [tuple(rng.getrandbits(256) for _ in range(4)) for _ in range(500)]
    for values, found in zip(inputs, harness.call("repack", inputs), strict=True):
        assert tuple(found)[1:] == values
