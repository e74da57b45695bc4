"""Sequences of the review that concern the ledger and the way of a loss."""

from novation.units import WAD
from tests.paths.acts import any_venue, calm, clear, cross, leg, refused, round_
from tests.world import World


class TestVenue:
    def test_inv_07_a_leg_of_any_number_wraps_no_margin_check(self, world: World) -> None:
        """A venue gone bad sends cash at the end of the word to a loser, the other end to itself.

        The loser's strict valuation would carry its equity past the end, to the greatest number.
        """
        eth, btc = world.markets
        venue = any_venue(world)
        thief = world.deposit(world.stranger, 1_000)
        loser = world.deposit(world.trader, 15_000)
        honest = world.deposit(world.other, 100_000)
        round_(world, eth, "2100")
        calm(world, eth, "2100")
        cross(world, venue, loser, honest, 10 * WAD, 2_100)
        cross(world, venue, thief, honest, WAD, 2_100)
        cross(world, venue, loser, honest, 2 * WAD, 30_000, btc.number)
        world.push(btc.feed, "22000")
        world.touch(loser, honest)
        assert world.account(loser).capital == 0
        end = 2**255 - 1 - 1_200 * WAD
        with refused("ClearingInitialMargin|ClearingRiskRose|AmountOverflow|Panic|0x11"):
            clear(world, venue, [leg(thief, cash=end), leg(loser, cash=-end)])
