"""Liquidation against the model: every stored value equal, after jumps of the price."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.steps import (
    Step,
    liquidity,
    listed_world,
    mixed,
    moves,
    pools,
    rounds,
    touches,
    trades,
    twin_of,
    waits,
)
from tests.differential.stress import (
    batches,
    bets,
    conversions,
    jumps,
    pledges,
    resolutions,
    stressed,
    takeovers,
)
from tests.differential.test_ledger import repeatable
from tests.local_chain import local_chain
from tests.world import World

MIXED = {
    bets: 24, trades: 8, rounds: 6, jumps: 10, takeovers: 16, batches: 12, resolutions: 20,
    waits: 5, touches: 2, moves: 4, liquidity: 3,
}  # fmt: skip
PLEDGED = {
    pledges: 22, conversions: 24, resolutions: 20, jumps: 12, takeovers: 8, waits: 8, touches: 4,
    moves: 6, bets: 6, rounds: 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with local_chain() as chain:
        yield listed_world(chain)


def drive(world: World, sequence: list[Step]) -> None:
    with world.isolated() as copy:
        twin = twin_of(copy)
        pools(twin)
        stressed(twin)
        for step in sequence:
            step(twin)
            twin.compare()
        twin.check_events()
        copy.check_identity()


@settings(repeatable, max_examples=10)
@given(st.lists(mixed(PLEDGED), min_size=45, max_size=55))
def test_ledger_equals_the_model_when_collateral_is_converted(
    world: World, sequence: list[Step]
) -> None:
    """INV-01, INV-02; interest, conversion by anybody and by resolution."""
    drive(world, sequence)


@settings(repeatable, max_examples=12)
@given(st.lists(mixed(MIXED), min_size=50, max_size=60))
def test_ledger_equals_the_model_when_accounts_are_taken_over(
    world: World, sequence: list[Step]
) -> None:
    """INV-01, INV-02, INV-15 by the contract's own check."""
    drive(world, sequence)
