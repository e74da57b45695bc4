"""A hand-over in several markets, when the first of them begins an epoch in another."""

from novation.units import WAD
from tests.paths.acts import any_venue, calm, cross, round_
from tests.paths.losses import LATER, insured, resolve
from tests.world import World

DUST = 10**9


def deleverage(world: World, account: bytes, price: int) -> None:
    """In the second market, by a jump to `price`."""
    eth, btc = world.markets
    round_(world, btc, str(price))
    assert resolve(world, account, market=1) == (False, 0)
    world.chain.advance(LATER)
    round_(world, eth, "2000")
    round_(world, btc, str(price))
    assert resolve(world, account, market=1) == (True, 0)
    calm(world, btc, str(price))
    calm(world, eth, "2000")


def test_rl_09_dust_of_a_taker_that_begins_an_epoch_multiplies_no_position(world: World) -> None:
    """His touch in the first market ended the long side's epoch in the second, at ratio 1 / 1000.

    The victim's units of the old epoch, read before, once counted as lots of the new one.
    """
    eth, btc = world.markets
    venue = any_venue(world)
    insured(world, 0)
    taker, maker = world.deposit(world.trader, 10**6), world.deposit(world.other, 2 * 10**6)
    holder = world.deposit(world.stranger, 100_000)
    price = 30_000
    for short in (taker, maker):
        cross(world, venue, holder, short, WAD // 500, price, 1)
    # three deleverages of longs make dust of the taker's short, untouched
    for sub, size in enumerate((2 * WAD, 2 * WAD, WAD // 25), 11):
        long = world.deposit(world.lp, size * price // WAD * 11 // 100, sub)
        cross(world, venue, long, maker, size, price, 1)
        price = price * 875 // 1000
        deleverage(world, long, price)
    assert 0 < -world.size(taker, btc) < DUST
    # one of shorts brings the long side to its floor, 1e8 units above
    words = btc.perp.read("words")
    o, n = words.openInterest, words.units[0]
    size = o * (1000 * o - n) // n - 10**8
    victim = world.deposit(world.stranger, 12_000, 5)
    other = world.deposit(world.stranger, 900_000, 6)
    short = world.deposit(world.lp, size * price // WAD * 14 // 100, 50)
    cross(world, venue, victim, short, size // 4, price, 1)
    cross(world, venue, other, short, size - size // 4, price, 1)
    cross(world, venue, victim, world.deposit(world.lp, 200_000, 51), 20 * WAD, 2_000)
    price = price * 117 // 100
    deleverage(world, short, price)
    before = btc.perp.read("words")
    assert 0 <= 1000 * before.openInterest - before.units[0] < 1000 * DUST
    round_(world, eth, "700")
    had = world.size(victim, btc)
    assert resolve(world, victim, taker, sender=world.trader)[0]
    after = btc.perp.read("words")
    assert after.epoch[0] == before.epoch[0] + 1
    assert had - DUST < world.size(taker, btc) <= had
    assert world.account(victim).bitmap == 0
    sizes = [world.size(account, btc) for account in world.known]
    longs = sum(each for each in sizes if each > 0)
    assert after.openInterest - 10 < longs <= after.openInterest
    round_(world, btc, str(price * 2))
