"""The protocol on one Anvil a run, put back and its money counted after every test."""

from collections.abc import Iterator

import pytest

from tests.local_chain import local_chain
from tests.world import World


@pytest.fixture(scope="session")
def standing_world() -> Iterator[World]:
    """Two markets (ETH at 2000, BTC at 30,000), a million of liquidity in each."""
    with local_chain() as chain:
        world = World.deploy(chain)
        for price in ("2000", "30000"):
            market = world.list_market(price)
            world.add_liquidity(market, 1_000_000, price)
        yield world


@pytest.fixture
def world(standing_world: World) -> Iterator[World]:
    """A fresh copy of the standing world. Afterwards the identity of money must hold (INV-01)."""
    with standing_world.isolated() as copy:
        yield copy
        copy.check_identity()
