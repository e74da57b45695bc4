"""PerpMarket against its model: any steps, in any order, every stored word equal after each."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from novation.model.market import MarketState
from novation.units import WAD
from tests.unit.markets.conftest import DAY, HEARTBEAT, HOUR, LISTING, NORMAL, REVERTING, RISK

STEPS = 250
Made = Any


def walk(rng: random.Random, answer: int) -> int:
    """Small moves, now and then a jump of up to half."""
    if rng.random() < 0.1:
        return max(answer * rng.randint(500_000, 1_900_000) // 10**6, 10**7)
    return max(answer * rng.randint(995_000, 1_005_000) // 10**6, 10**7)


def gap(rng: random.Random) -> int:
    """Seconds to days."""
    return rng.choice(
        (0, 1, 12, rng.randint(1, 600), rng.randint(1, HOUR), rng.randint(1, 200_000))
    )


def interest(rng: random.Random) -> tuple[int, int, int]:
    """Open interest and units as legs leave them: ratios near 1, near the floor, empty, huge."""
    o = rng.randint(10**9, 10 ** rng.randint(10, 23))
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(((0, 0, 0), (o, 0, o), (o, o, 0), (10**9 - 1, o, o)))
    if kind < 0.2:
        return o, o * rng.randint(990, 1_010), o
    if kind < 0.25:
        return o, 2**79 + rng.randint(-1, 1), o
    return o, o * rng.randint(900, 3_000) // 1_000, o * rng.randint(900, 30_000) // 1_000


def any_risk(rng: random.Random) -> dict[str, int]:
    """Inside the bounds, but one time in four."""
    imr = rng.randint(2_502, 1_000_000)
    outside = rng.choice(({"min_notional": 0}, {"ramp_seconds": DAY - 1}, {"imr": 2_400}))
    made = {
        "imr": imr,
        "mmr": rng.randint(2_500, imr - 1),
        "ramp_seconds": rng.randint(DAY, 400_000),
        "profit_weight": rng.randint(0, 500_000),
        "funding_cap": rng.randint(0, 50_000),
        "velocity": rng.choice((0, rng.randint(0, 50_000))),
        "interest_rate": rng.randint(0, 1_000_000),
        "size_scale": rng.choice((10_000, 10**9, 10**9)),
        "min_notional": rng.randint(1, 65_535),
        "account_cap": rng.randint(0, 10**9),
        "open_interest_cap": rng.randint(0, 10**23),
        "backing_multiple": rng.randint(1, 20),
    }
    return made | outside if rng.random() < 0.25 else made


def step(rng: random.Random, pair: Made) -> None:
    after = gap(rng)
    kind = rng.random()
    if kind < 0.3:
        pair.push(walk(rng, pair.shown.answer), after)
        if rng.random() < 0.8:
            pair.accrue(rng.choice((0, 1, 30)))
    elif kind < 0.45:
        pair.accrue(after)
    elif kind < 0.55:
        pair.wait(max(after, 1))
    elif kind < 0.8:
        premium = rng.choice(
            (None, 0, rng.randint(-WAD // 20, WAD // 20), rng.randint(-3 * WAD, 3 * WAD))
        )
        pair.book(*interest(rng), premium, after)
    elif kind < 0.825:
        pair.set_depth(rng.choice((0, rng.randint(1, 10**23), 2**100)))
    elif kind < 0.85:
        pair.set_backing(rng.choice((0, rng.randint(1, 10**22), 2**79 // 20, 2**100)))
    elif kind < 0.92:
        pair.set_params(after, **any_risk(rng))
    elif kind < 0.96:
        pair.misbehave(rng.choice((NORMAL, REVERTING)), after)
    else:
        life: tuple[Callable[[], Any], str] = rng.choice(
            ((pair.model.reduce_only, "reduceOnly"), (pair.model.activate, "activate"))
        )
        pair.both(life[0], after, life[1])


@pytest.mark.parametrize("seed", range(4))
def test_any_history_leaves_the_same_words(bench: Any, seed: int) -> None:
    rng = random.Random(seed)
    listing = replace(
        LISTING,
        strict_window=rng.randint(60, 7_200),
        premium_window=rng.randint(60, 7_200),
        short_window=rng.randint(60, 7_200),
        interruption=rng.randint(0, 600),
        full_premium=rng.randint(WAD // 1_000, WAD),
        isolated=seed % 2 == 1,
    )
    pair = bench.pair(listing, replace(RISK, velocity=rng.choice((0, 3_000))))
    for _ in range(STEPS):
        step(rng, pair)
    pair.same_epochs()
    assert pair.model.epochs
    assert {"RiskOutOfBounds", "MarketWrongState"} <= pair.refusals.keys()


@pytest.mark.parametrize("seed", range(2))
def test_any_settlement_leaves_the_same_words(bench: Any, seed: int) -> None:
    """With the feed alive or dead; touches before, in and after the window; bookings of dust."""
    rng = random.Random(seed)
    pair = bench.pair()
    pair.book(10 * WAD, 11 * WAD, 12 * WAD, WAD // 100)
    pair.push(walk(rng, pair.shown.answer), 30)
    if seed:
        pair.wait(HEARTBEAT + 100)
    pair.begin_settlement()
    assert pair.model.state is MarketState.SETTLING
    for _ in range(6):
        pair.push(walk(rng, pair.shown.answer), rng.randint(1, 10_000))
        pair.accrue()
        pair.set_params(1, **any_risk(rng))
    pair.book(9 * WAD, 10 * WAD, 11 * WAD)
    pair.begin_settlement()
    pair.wait(LISTING.settlement_window)
    assert pair.model.peek().open_interest == 0
    assert pair.model.state is MarketState.SETTLING
    pair.accrue()
    assert pair.model.state is MarketState.CLOSED
    pair.accrue(1_000)
    pair.same_epochs()
    assert pair.refusals["MarketWrongState"] == 1
