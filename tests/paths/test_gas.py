"""Gas grows with an account's own markets only."""

from novation.units import WAD
from tests.world import World

CROWD = 20
"""Accounts that join and stay."""
NOISE = 300
"""Gas that other digits make: each zero byte of calldata and of a log is cheaper."""


def gas_of_increase(world: World) -> int:
    market = world.markets[0]
    world.push(market.feed, "2001")
    return world.chain.gas(world.trade(market, world.trader, WAD // 10))


def test_trade_costs_the_same_however_many_accounts_there_are(world: World) -> None:
    market = world.markets[0]
    world.deposit(world.trader, 50_000)
    world.deposit(world.other, 50_000)
    world.trade(market, world.other, WAD)
    world.trade(market, world.trader, WAD)
    with world.chain.isolated():
        alone = gas_of_increase(world)
    for sub in range(1, CROWD + 1):
        world.deposit(world.other, 1_000, sub)
        world.trade(market, world.other, WAD // 10 if sub % 2 else -WAD // 10, sub)
    assert abs(gas_of_increase(world) - alone) <= NOISE
