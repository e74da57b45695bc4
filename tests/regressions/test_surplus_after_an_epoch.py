"""Units of an ended epoch convert rounded down, so a side may hold some wei less than it counts.

What the price moves against that side is then lost to nobody: surplus fell from 1 to -519 wei.
"""

from novation.units import WAD
from tests.paths.acts import any_venue, cross, round_
from tests.paths.losses import end, insured
from tests.world import NO_LIMIT, World


def test_a_seed_of_a_few_cents_outlives_ended_epochs(world: World) -> None:
    seed = 10**world.decimals // 20
    world.chain.send(world.token, "mint", world.admin, seed)
    world.chain.send(world.token, "approve", world.vault.address, NO_LIMIT)
    world.send("vault", "seed", seed)
    eth, venue = world.markets[0], any_venue(world)
    big, honest = world.deposit(world.trader, 90_000), world.deposit(world.stranger, 20_000)
    small, last = world.deposit(world.other, 45_000), world.deposit(world.other, 50_000, sub=1)
    third = world.deposit(world.lp, 20_000, sub=4)
    for buyer, seller, size in (
        (big, small, 200 * WAD),
        (honest, last, WAD // 10),
        (third, last, WAD // 30),
    ):
        cross(world, venue, buyer, seller, size, 2_000)
    insured(world, 0)
    round_(world, eth, "2260")
    end(world, small, "2260")
    world.touch(big, honest, third)
    side = eth.perp.read("words").units[0]
    held = [world.clearing.read("position", a, 0).units for a in (big, honest, third)]
    assert 0 < side - sum(held) < 10
    before = world.check_identity()
    for price in ("2000", "1500", "1000", "500", "250", "100"):
        round_(world, eth, price)
    lost = before - world.check_identity()
    assert 0 < lost < 10_000
