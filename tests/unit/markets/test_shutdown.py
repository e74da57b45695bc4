"""A market whose feed died is settled by anyone, at the last good index, at one price for all."""

import pytest

from novation.chain.errors import ContractError
from novation.model.market import SHUTDOWN_SILENCE
from novation.units import WAD
from tests.world import DAY, HOUR, Market, World, account_id

HEARTBEAT = HOUR + 60
SETTLING, CLOSED = 2, 3


@pytest.fixture
def market(world: World) -> Market:
    """Longs and shorts who made and lost 30 a lot before the feed fell silent."""
    market = world.markets[0]
    world.deposit(world.trader, 10_000)
    world.deposit(world.other, 10_000)
    world.trade(market, world.trader, 3 * WAD)
    world.trade(market, world.other, -2 * WAD)
    world.push(market.feed, "2030")
    world.touch(account_id(world.trader))
    return market


def fall_silent(world: World, market: Market, seconds: int) -> None:
    """The next block comes so long after the round went stale."""
    stale_at = market.feed.read("latestRoundData")[3] + HEARTBEAT
    world.chain.next_at(stale_at + seconds)


@pytest.mark.parametrize("silent", [0, 1, SHUTDOWN_SILENCE - 1])
def test_living_feed_is_not_shut_down(world: World, market: Market, silent: int) -> None:
    fall_silent(world, market, silent)
    with pytest.raises(ContractError) as caught:
        world.chain.send(market.perp, "shutdown", sender=world.stranger)
    assert caught.value.name == "MarketOracleAlive"
    assert caught.value.arguments["minimum"] == DAY
    assert market.perp.read("state") == 0


def test_anyone_settles_a_market_whose_feed_was_silent_for_a_day(
    world: World, market: Market
) -> None:
    fall_silent(world, market, SHUTDOWN_SILENCE)
    world.chain.send(market.perp, "shutdown", sender=world.stranger)
    assert market.perp.read("state") == SETTLING
    assert world.view(market).index == 2_030 * WAD
    with pytest.raises(ContractError, match="MarketWrongState"):
        world.chain.send(market.perp, "shutdown", sender=world.stranger)


def test_everybody_ends_at_one_price_and_leaves(world: World, market: Market) -> None:
    fall_silent(world, market, SHUTDOWN_SILENCE)
    world.chain.send(market.perp, "shutdown", sender=world.stranger)
    trader, other = account_id(world.trader), account_id(world.other)
    world.chain.advance(DAY + 1)
    world.touch(other, trader, market.pool)
    assert market.perp.read("state") == CLOSED
    for account in (trader, other, market.pool):
        assert world.size(account, market) == 0
        assert world.health(account).maintenance == 0
    gained = world.account(trader).pnl
    assert 0 < gained <= 3 * 30 * WAD
    ids, everything = [other, market.pool], (world.account(trader).capital + gained) // 10**12
    world.withdraw(world.trader, everything, touch=ids)
    assert world.account(trader).capital < 10**12
