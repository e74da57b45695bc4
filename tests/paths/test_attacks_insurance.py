"""Attacks on the fund and on those whom a deficit is charged to."""

import pytest

from novation.units import WAD
from tests.paths.acts import any_venue, clear, cross, leg, refused, round_
from tests.paths.losses import against, end, insured, resolve, worth
from tests.world import World, account_id

DUST = 10**4
"""Wei: what five roundings of shares of a charge come to."""


class TestDeficit:
    def test_ins_06_no_fill_leaves_a_deficit_however_it_is_split(self, world: World) -> None:
        """With insurance empty, 2,200 behind 10 lots of 2,000, sold at 1,700: 800 would be missing.

        A lot at a time: one goes, by initial margin; the second would lower E / M.
        """
        venue = any_venue(world)
        seller, buyer = world.deposit(world.trader, 2_200), world.deposit(world.other, 50_000)
        cross(world, venue, seller, buyer, 10 * WAD, 2_000)
        for size in (10 * WAD, 8 * WAD):
            with refused("ClearingRiskRose"):
                cross(world, venue, buyer, seller, size, 1_700)
        cross(world, venue, buyer, seller, WAD, 1_700)
        for size in (WAD, 9 * WAD):
            with refused("ClearingRiskRose"):
                cross(world, venue, buyer, seller, size, 1_700)
        health = world.health(seller)
        assert health.equity == pytest.approx(1_900 * WAD, rel=1e-9)
        assert health.equity > health.maintenance

    def test_ins_06_a_gift_to_oneself_makes_no_deficit(self, world: World) -> None:
        """Cash without a size: what the payer has is the most that goes."""
        venue = any_venue(world)
        giver, taker = world.deposit(world.trader, 100), world.deposit(world.trader, 100, sub=1)
        for cash in (60, 60):
            legs = [leg(giver, cash=-cash * WAD), leg(taker, cash=cash * WAD)]
            if world.account(giver).capital >= cash * WAD:
                clear(world, venue, legs)
            else:
                with refused("ClearingInitialMargin|ClearingRiskRose"):
                    clear(world, venue, legs)
        assert world.account(giver).capital == 40 * WAD


class TestOtherSide:
    def test_ins_08_splitting_a_position_changes_no_share_of_a_charge(self, world: World) -> None:
        """10 lots in one account or in five of 2, capital anywhere: the same 2,500 and 10 lots."""
        eth = world.markets[0]
        venue = any_venue(world)
        short = world.deposit(world.other, 5_000)
        whole = world.deposit(world.stranger, 20_000)
        parts = [world.deposit(world.trader, 1_000 + 3_000 * n, sub=n) for n in range(5)]
        cross(world, venue, whole, short, 10 * WAD, 2_000)
        for part in parts:
            cross(world, venue, part, short, 2 * WAD, 2_000)
        insured(world, 0)
        before = worth(world, *parts)
        round_(world, eth, "2500")
        with world.isolated() as copy:
            taker = copy.deposit(copy.lp, 200_000)
            assert resolve(copy, short, taker, sender=copy.lp)[0]
            charged = 15_000 * WAD - worth(copy, whole)
            assert worth(copy, *parts) - before == pytest.approx(2_500 * WAD, abs=DUST)
            assert charged + 10_000 * WAD == pytest.approx(2_500 * WAD, abs=DUST)
        end(world, short, "2500")
        assert world.size(whole, eth) == sum(world.size(part, eth) for part in parts) == 0

    def test_ins_08_nobody_is_chosen(self, world: World) -> None:
        """Deleverage of 20 of 30 lots: each keeps a third, the rich and the indebted alike."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, rich = against(world, venue, 5_000, 50_000)
        poor, holder = world.deposit(world.stranger, 2_400), world.deposit(world.lp, 50_000)
        cross(world, venue, holder, poor, 10 * WAD, 2_000)
        insured(world, 0)
        round_(world, eth, "1700")
        end(world, long, "1700")
        assert world.size(rich, eth) == pytest.approx(-20 * WAD // 3, abs=10)
        assert world.size(poor, eth) == pytest.approx(-10 * WAD // 3, abs=10)
        assert world.size(holder, eth) == 10 * WAD

    def test_ins_09_a_mark_of_another_round_closes_nobody_who_is_solvent_again(
        self, world: World
    ) -> None:
        """The condition is looked at when it is carried out, not when it was noted."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 5_000, 50_000)
        insured(world)
        round_(world, eth, "1700")
        assert resolve(world, long) == (False, 0)
        world.chain.advance(4_000)
        round_(world, eth, "1800")
        assert resolve(world, long) == (False, 0)  # the mark goes
        with refused("BackstopSolvent"):
            resolve(world, long)
        assert world.size(short, eth) == -20 * WAD == -world.size(long, eth)
        assert world.size(account_id(world.insurance.address), eth) == 0
