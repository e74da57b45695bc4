"""Sequences of the review and of the attacks that end in a resolution: what is left of whom."""

import pytest

from novation.units import WAD
from tests.paths.acts import any_venue, calm, clear, cross, leg, refused, round_
from tests.paths.losses import LATER, NOBODY, WEI, against, end, insured, resolve, take, worth
from tests.world import HOUR, World, account_id


class TestLiveness:
    def test_rl_05_a_side_that_empties_by_deleverage_ends_clean(self, world: World) -> None:
        """O 0 and both sides begin anew: the market opens again at one unit a lot."""
        eth = world.markets[0]
        venue = any_venue(world)
        short, long = world.deposit(world.other, 5_001), world.deposit(world.trader, 20_000)
        cross(world, venue, long, short, 7 * WAD + 13, 2_000)
        insured(world, 0)
        round_(world, eth, "2900")
        end(world, short, "2900")
        words = eth.perp.read("words")
        assert words.openInterest == 0
        assert list(words.units) == [0, 0]
        world.touch(long)
        assert world.account(long).bitmap == 0
        other = world.deposit(world.stranger, 50_000)
        calm(world, eth, "2900")
        cross(world, venue, long, other, 3 * WAD, 2_900)
        assert world.size(long, eth) == 3 * WAD == -world.size(other, eth)

    def test_rl_09_deleverage_below_the_floor_begins_an_epoch(self, world: World) -> None:
        """S12: of 200.1 lots of shorts 200 end; longs shrink to 1/2001 and trade on as before."""
        eth = world.markets[0]
        venue = any_venue(world)
        big, honest = world.deposit(world.trader, 90_000), world.deposit(world.stranger, 20_000)
        small, last = world.deposit(world.other, 45_000), world.deposit(world.other, 50_000, sub=1)
        cross(world, venue, big, small, 200 * WAD, 2_000)
        cross(world, venue, honest, last, WAD // 10, 2_000)
        insured(world, 0)
        round_(world, eth, "2260")
        epoch = eth.perp.read("words").epoch[0]
        end(world, small, "2260")
        words = eth.perp.read("words")
        assert words.epoch[0] == epoch + 1
        assert words.units[0] == words.openInterest == WAD // 10
        world.touch(big, honest)
        assert world.size(honest, eth) == pytest.approx(WAD // 20_010, rel=1e-9)
        assert world.size(big, eth) == pytest.approx(2000 * WAD // 20_010, rel=1e-9)
        calm(world, eth, "2260")
        cross(world, venue, honest, last, WAD, 2_260)
        assert world.size(honest, eth) == pytest.approx(WAD + WAD // 20_010, rel=1e-9)
        assert world.size(last, eth) == -WAD * 11 // 10

    def test_re_15_deleverage_waits_for_a_later_round_and_for_takers(self, world: World) -> None:
        """INS-09: nobody healthy, not at the round of the mark, not while the vAMM fills."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 5_000, 50_000)
        insured(world)
        with refused("BackstopSolvent"):
            resolve(world, long)
        round_(world, eth, "1800")
        with refused("BackstopSolvent"):
            resolve(world, long)
        round_(world, eth, "1700")
        assert resolve(world, long) == (False, 0)
        with refused("BackstopWait"):
            resolve(world, long)
        round_(world, eth, "1700")
        with refused("BackstopWait"):
            resolve(world, long)
        assert world.size(short, eth) == -20 * WAD
        world.send("clearing", "stopVenue", eth.vamm.address)
        world.chain.advance(LATER)
        with refused("OracleStale"):
            resolve(world, long)
        round_(world, eth, "1700")
        assert resolve(world, long) == (True, 0)
        assert world.size(short, eth) == 0
        with refused("BackstopSolvent"):
            resolve(world, long)

    def test_ins_09_deleverage_takes_what_was_bankrupt_and_at_the_index(self, world: World) -> None:
        """Of 30 lots of longs the 20 of the bankrupt go: others keep 10, and lose nothing."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 5_000, 50_000)
        other = world.deposit(world.stranger, 50_000)
        cross(world, venue, other, short, 10 * WAD, 2_000)
        fund = insured(world)
        round_(world, eth, "1700")
        resolve(world, long)
        world.chain.advance(LATER)
        round_(world, eth, "1700")
        before, deficit = worth(world, short, other), -worth(world, long)
        resolve(world, long)
        assert world.size(short, eth) == -10 * WAD
        assert world.size(other, eth) == 10 * WAD
        assert before - WEI <= worth(world, short, other) <= before
        assert 100_000 * WAD - worth(world, fund) == pytest.approx(deficit, abs=WEI)

    def test_rl_12_a_dead_market_stays_and_the_others_end(self, world: World) -> None:
        """MRG-10: dust held on purpose in a market whose feed is silent saves nothing else."""
        eth, btc = world.markets
        venue = any_venue(world)
        long, short = against(world, venue, 5_000, 50_000)
        cross(world, venue, long, short, WAD // 100, 30_000, btc.number)
        insured(world)
        world.chain.advance(2 * HOUR)
        round_(world, eth, "1700")
        taker = world.deposit(world.stranger, 100_000)
        assert resolve(world, long, taker, sender=world.stranger)[0]
        assert world.account(long).bitmap == 1 << btc.number
        assert world.size(taker, eth) == 20 * WAD
        assert world.size(taker, btc) == 0
        # its part of the deficit waits for a price with it
        assert -20 * WAD < world.account(long).pnl < -15 * WAD
        with refused("OracleStale"):
            resolve(world, long, market=btc.number)
        with refused("BackstopPosition"):
            resolve(world, long)  # whose terms are not asked for: it holds nothing there
        assert world.size(long, btc) == WAD // 100

    def test_rl_07_rl_12_live_markets_do_not_pay_for_a_dead_one(self, world: World) -> None:
        """4,100 are missing, nearly all in a market that died: 100 quote beside it pay 10."""
        eth, btc = world.markets
        venue = any_venue(world)
        insured(world, 0)
        victim, winner = world.deposit(world.trader, 5_900), world.deposit(world.other, 50_000)
        honest = world.deposit(world.stranger, 5_000)
        cross(world, venue, victim, winner, WAD, 30_000, btc.number)
        cross(world, venue, honest, victim, WAD // 20, 2_000)
        round_(world, btc, "20000")
        world.touch(victim, winner)
        world.chain.advance(2 * HOUR)
        round_(world, eth, "2000")
        assert resolve(world, victim) == (False, 0)
        world.chain.advance(LATER)
        round_(world, eth, "2000")
        assert resolve(world, victim) == (True, 0)
        assert 4_985 * WAD < worth(world, honest) < 4_995 * WAD
        assert -4_095 * WAD < world.account(victim).pnl < -4_085 * WAD
        assert world.size(victim, btc) == WAD

    def test_rl_12_an_account_whose_markets_are_all_dead_waits(self, world: World) -> None:
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        insured(world)
        round_(world, eth, "1700")
        world.chain.advance(2 * HOUR)
        for taker in (NOBODY, world.deposit(world.stranger, 100_000)):
            with refused("OracleStale"):
                resolve(world, long, taker, sender=world.stranger)

    def test_rl_15_re_02_deleverage_against_the_pool_keeps_its_mid(self, world: World) -> None:
        """20 lots that the vAMM is short of go; nobody can take the jump of a curve that lags."""
        eth = world.markets[0]
        long = world.deposit(world.trader, 5_000)
        world.trade(eth, world.trader, 20 * WAD)
        other = world.deposit(world.stranger, 100_000)
        world.trade(eth, world.stranger, 9 * WAD)
        insured(world)
        round_(world, eth, "1700")
        resolve(world, long)
        world.chain.advance(LATER)
        round_(world, eth, "1700")
        before = eth.vamm.read("curve")
        resolve(world, long)
        after = eth.vamm.read("curve")
        assert world.size(eth.pool, eth) == -9 * WAD == -world.size(other, eth)
        assert before.mid > 1_700 * WAD
        # the premium is kept but for the return of the offset, of a second or two
        assert after.mid == pytest.approx(before.mid, rel=3e-4)
        assert after.mid <= before.mid
        assert after.reserve == pytest.approx(before.reserve, abs=1)

    def test_rl_18_a_deficit_of_a_side_worth_nothing_is_charged(self, world: World) -> None:
        """S14: the side is worth 1 quote when 34,999 are missing: its profit was never there."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 5_000, 50_000)
        insured(world, 0)
        round_(world, eth, "0.05")
        taker = world.deposit(world.stranger, 1_000)
        assert resolve(world, long, taker, sender=world.stranger) == (True, 0)
        assert world.clearing.read("orphanDeficit") == 0
        assert worth(world, short) == pytest.approx(55_000 * WAD, rel=1e-9)
        house, held = world.clearing.read("house"), world.vault.read("settlementWad")
        assert held >= house.capitalTotal + house.feesPending * 10**12

    def test_liq_20_every_market_of_the_victim_ends(self, world: World) -> None:
        """Long one, short the other, dust nowhere: no bit, no position and no loss are left."""
        eth, btc = world.markets
        venue = any_venue(world)
        victim, other = world.deposit(world.trader, 9_000), world.deposit(world.other, 100_000)
        cross(world, venue, victim, other, 20 * WAD, 2_000)
        cross(world, venue, other, victim, WAD, 30_000, btc.number)
        insured(world)
        round_(world, btc, "34000")
        round_(world, eth, "1600")
        taker = world.deposit(world.stranger, 200_000)
        assert resolve(world, victim, taker, sender=world.stranger) == (True, 5 * WAD)
        assert tuple(world.account(victim)) == (0, 0, 0)
        assert world.size(taker, eth) == 20 * WAD
        assert world.size(taker, btc) == -WAD
        for market in (0, 1):
            assert world.clearing.read("position", victim, market).units == 0

    def test_liq_20_a_taker_on_the_other_side_in_two_markets_nets(self, world: World) -> None:
        """What the first hand-over did to his account is seen by the second: he ends flat."""
        eth, btc = world.markets
        venue = any_venue(world)
        victim, other = world.deposit(world.trader, 9_000), world.deposit(world.other, 100_000)
        cross(world, venue, victim, other, 20 * WAD, 2_000)
        cross(world, venue, other, victim, WAD, 30_000, btc.number)
        insured(world, 0)
        round_(world, btc, "34000")
        round_(world, eth, "1600")
        before = worth(world, victim, other)
        resolve(world, victim, other, sender=world.other)
        assert world.account(other).bitmap == 0 == world.account(victim).bitmap
        assert before - WEI <= worth(world, victim, other) <= before
        assert world.view(eth).openInterest == world.view(btc).openInterest == 0

    def test_inv_33_the_poorest_account_is_ended_by_somebody(self, world: World) -> None:
        """No taker, no insurance, no vAMM any more: a heartbeat after it was seen it is gone."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 5_000, 50_000)
        insured(world, 0)
        world.send("clearing", "stopVenue", eth.vamm.address)
        round_(world, eth, "1500")
        end(world, long, "1500")
        assert world.account(long).bitmap == 0 == world.size(short, eth)
        assert worth(world, long) == 0
        assert worth(world, short) == pytest.approx(55_000 * WAD, rel=1e-6)

    def test_inv_33_a_pool_ends_like_any_account(self, world: World) -> None:
        """LIQ-26: its 36 lots go to a taker, its curve has an inventory of 0 at the same mid."""
        eth = world.markets[0]
        long = world.deposit(world.trader, 500_000)
        world.trade(eth, world.trader, 36 * WAD)
        insured(world)
        thief = world.deposit(world.stranger, 100)
        spare = world.account(eth.pool).capital - 74_000 * WAD
        clear(world, any_venue(world), [leg(eth.pool, cash=-spare), leg(thief, cash=spare)])
        round_(world, eth, "4500")
        before = eth.vamm.read("curve")
        taker = world.deposit(world.other, 500_000)
        assert resolve(world, eth.pool, taker, sender=world.other)[0]
        after = eth.vamm.read("curve")
        assert world.size(taker, eth) == -36 * WAD == -world.size(long, eth)
        assert world.size(eth.pool, eth) == 0
        assert after.root == after.reserve
        assert abs(after.mid - before.mid) <= before.mid // 10**4
        assert worth(world, eth.pool) == 0

    def test_inv_15_who_is_bankrupt_is_moved_by_resolution_alone(self, world: World) -> None:
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1700")
        for price in ("1700", "1749"):
            round_(world, eth, price)
            with refused("BackstopBankrupt"):
                take(world, long, taker, world.stranger)
            calm(world, eth, price)
            with refused("ClearingTransferShort|ClearingRiskRose"):
                world.close(eth, world.trader)

    def test_liq_22_a_gift_neither_stops_nor_pays_for_an_end(self, world: World) -> None:
        """A unit of settlement money from a stranger lowers the deficit by a unit."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        fund = insured(world)
        round_(world, eth, "1700")
        world.touch(long)
        values = (long, world.token.address, 1)
        world.send("vault", "deposit", *values, sender=world.stranger)
        assert world.account(long).pnl == -1_000 * WAD + 10**12
        resolve(world, long, taker, sender=world.stranger)
        assert worth(world, fund) == (100_000 - 1_000 - 5) * WAD + 10**12

    def test_isolated_market_ends_like_any(self, world: World) -> None:
        """RL-7: its taker must be alone in it as well."""
        thin = world.list_market("5", listed={"isolated": True})
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 1_100), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 2_000 * WAD, 5, thin.number)
        insured(world, 0)
        round_(world, thin, "4")
        busy, alone = account_id(world.stranger), world.deposit(world.stranger, 50_000, sub=1)
        world.deposit(world.stranger, 50_000)
        world.trade(world.markets[0], world.stranger, WAD)
        with refused("ClearingIsolatedMarket"):
            resolve(world, long, busy, thin.number, sender=world.stranger)
        assert resolve(world, long, alone, thin.number, sender=world.stranger)[0]
        assert world.size(alone, thin) == 2_000 * WAD
        assert worth(world, short) == pytest.approx(51_100 * WAD, abs=WEI)
