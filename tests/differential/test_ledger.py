"""Clearing house, markets, vault and vAMMs against the model: every stored value equal."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential.steps import (
    Step,
    cooldowns,
    crossings,
    exits,
    liquidity,
    listed_world,
    mixed,
    moves,
    pools,
    releases,
    rounds,
    settings_,
    touches,
    trades,
    twin_of,
    waits,
)
from tests.local_chain import local_chain
from tests.world import World

repeatable = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

# How often each kind comes, of 100 steps: most of them trade and move the price.
SIGNED = {
    crossings: 40, rounds: 25, waits: 7, touches: 6, releases: 9, moves: 10, settings_: 3
}  # fmt: skip
POOLED = {
    trades: 42, rounds: 18, liquidity: 9, exits: 6, cooldowns: 4, waits: 6, touches: 4, releases: 3,
    moves: 5, settings_: 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with local_chain() as chain:
        yield listed_world(chain)


def run(world: World, sequence: list[Step], *, liquid: bool) -> None:
    with world.isolated() as copy:
        twin = twin_of(copy)
        if liquid:
            pools(twin)
        for step in sequence:
            step(twin)
            twin.compare()
        twin.check_events()
        copy.check_identity()


@settings(repeatable, max_examples=12)
@given(st.lists(mixed(SIGNED), min_size=50, max_size=60))
def test_ledger_equals_the_model_for_any_legs(world: World, sequence: list[Step]) -> None:
    """INV-01, INV-02, INV-03, with a venue that proposes whatever it likes."""
    run(world, sequence, liquid=False)


@settings(repeatable, max_examples=10)
@given(st.lists(mixed(POOLED), min_size=50, max_size=60))
def test_ledger_equals_the_model_for_trades_on_the_vamm(world: World, sequence: list[Step]) -> None:
    """INV-01, INV-02, INV-19: traders and LPs of pools that follow, lag, and stand still."""
    run(world, sequence, liquid=True)
