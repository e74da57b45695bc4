"""Withdrawals beside a position, around what margin and profit allow: equal to the model."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novation.model.legs import Leg
from novation.units import WAD
from tests.differential.steps import listed_world, twin_of
from tests.local_chain import local_chain
from tests.twin import Twin
from tests.world import World, account_id

NEAR = ("free", "free + backed", "free + pnl", "capital", "capital + pnl")
TOKEN = 10**6
repeatable = settings(
    deadline=None, derandomize=True, max_examples=50, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with local_chain() as chain:
        yield listed_world(chain)


def half_backed(twin: Twin) -> tuple[bytes, bytes]:
    """A long of 20 lots that won 60 a lot and was touched; its loser was when he had lost 30."""
    long, short = account_id(twin.world.trader), account_id(twin.world.other)
    cash = 20 * 2_000 * WAD
    legs = [Leg(long, 20 * WAD, -cash, 0), Leg(short, -20 * WAD, cash, 0)]
    twin.clear(0, legs, 0)
    for price, account in ((2_030, short), (2_060, long)):
        twin.push(0, price * 10**8)
        twin.both(lambda a=account: twin.model.touch([a]), "clearing", "touch", [account])  # type: ignore[misc]
    return long, short


def test_withdrawal_beside_a_position_equals_the_model(world: World) -> None:
    ends: set[str | None] = set()

    @repeatable
    @given(
        st.sampled_from(NEAR),
        st.sampled_from([-TOKEN, -1, 0, 1, 200 * TOKEN]),
        st.booleans(),
        st.sampled_from([0, WAD // 3, WAD]),
        st.booleans(),
    )
    def each(near: str, away: int, collected: bool, least: int, ether: bool) -> None:
        with world.isolated() as copy:
            twin = twin_of(copy)
            long, short = half_backed(twin)
            if ether:
                twin.deposit(copy.trader, 0, WAD // 10, twin.collateral)
            a, h = twin.model.health(long)
            backed = a.pnl * twin.model.release_ratio() // WAD
            most = (h.free, h.free + backed, h.free + a.pnl, a.capital, a.capital + a.pnl)
            amount = most[NEAR.index(near)] // 10**12 + away
            twin.withdraw(copy.trader, 0, amount, [short] if collected else [], least)
            twin.compare()
            copy.check_identity()
            ends.update(error for function, error in twin.outcomes if function == "withdraw")

    each()
    # They would prove little if all were refused.
    assert ends == {
        None,
        "ClearingInitialMargin",
        "ClearingReleaseRatio",
        "ClearingCapitalTooLow",
    }
