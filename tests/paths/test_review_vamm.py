"""Sequences of the review that concern pools and those who own them."""

from novation.units import WAD
from tests.paths.acts import (
    any_venue,
    ask_exit,
    calm,
    clear,
    cross,
    enable_pool,
    leg,
    refused,
    round_,
)
from tests.world import DAY, FUND, World, account_id


class TestExit:
    def test_re_14_exit_is_not_pressed_below_the_lps_minimum(self, world: World) -> None:
        """Another LP touches winners only, executes the exit at that h, keeps the difference."""
        eth, btc = world.markets
        venue = any_venue(world)
        world.add_liquidity(eth, 1_000_000, "2000", lp=world.other)
        winner = world.deposit(world.trader, 100_000)
        loser = world.deposit(world.stranger, 100_000)
        cross(world, venue, loser, eth.pool, 200 * WAD, 2_000)
        cross(world, venue, winner, loser, 3 * WAD, 30_000, btc.number)
        exiting = ask_exit(world, eth, world.lp, ratio=WAD)
        for market, price in ((eth, "1800"), (btc, "60000")):
            world.push(market.feed, price)
        world.touch(winner, eth.pool)
        calm(world, eth, "1800")
        world.touch(winner, eth.pool)
        assert world.account(eth.pool).pnl == 40_000 * WAD
        assert world.clearing.read("releaseRatio") < WAD // 10
        with refused("ClearingReleaseRatio"):
            world.chain.send(eth.vamm, "executeWithdrawal", exiting, sender=world.other)

    def test_rl_01_exit_during_an_interruption_takes_no_profit_along(self, world: World) -> None:
        """Profit against those whom the jump made bankrupt stays to be charged (RE-16b, RL-2)."""
        eth = world.markets[0]
        world.deposit(world.trader, 7_000)
        world.trade(eth, world.trader, 25 * WAD)
        exiting = ask_exit(world, eth, world.lp, ratio=0)
        for price in ("2000", "1500"):
            round_(world, eth, price)
        world.touch(eth.pool)
        assert world.health(account_id(world.trader)).equity < -4_000 * WAD
        assert world.account(eth.pool).pnl > 12_000 * WAD
        with refused("ClearingInterrupted"):
            world.chain.send(eth.vamm, "executeWithdrawal", exiting)

    def test_gov_08_lps_leave_in_cash_after_their_venue_was_stopped(self, world: World) -> None:
        eth = world.markets[0]
        world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, WAD)
        exiting = ask_exit(world, eth, world.lp, shares=400_000 * WAD, ratio=99 * WAD // 100)
        world.send("clearing", "stopVenue", eth.vamm.address)
        world.push(eth.feed, "2000")
        world.touch(account_id(world.trader))
        before = world.account(exiting).capital
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        gained = world.account(exiting).capital - before
        assert abs(gained - 400_000 * WAD) < 10 * WAD

    def test_profit_of_a_pool_stops_nobody_from_leaving(self, world: World) -> None:
        """Margin of the pool counts profit 0; at h = 1 an exit makes capital of it first."""
        eth = world.markets[0]
        venue = any_venue(world)
        payer = world.deposit(world.stranger, 3_000_000)
        long = world.deposit(world.trader, 1_000_000)
        clear(
            world, venue, [leg(eth.pool, cash=2_500_000 * WAD), leg(payer, cash=-2_500_000 * WAD)]
        )
        cross(world, venue, long, eth.pool, 450 * WAD, 2_000)
        assert world.account(eth.pool).capital == 1_000_000 * WAD
        exiting = ask_exit(world, eth, world.lp, shares=300_000 * WAD)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        # 3.5 M, less what three tenths of the shares are worth, all of it capital now
        assert abs(world.account(eth.pool).capital - 2_450_000 * WAD) < 10 * WAD
        assert world.account(eth.pool).pnl == 0

    def test_lp_with_a_share_below_the_least_position_leaves_in_kind(self, world: World) -> None:
        eth = world.markets[0]
        world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, 5 * WAD)
        enable_pool(world, eth, world.lp)
        exiting = ask_exit(world, eth, world.lp, shares=2_000 * WAD)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeInKind", exiting, sender=world.lp)
        assert world.size(exiting, eth) == 0
        assert world.account(exiting).capital > 1_990 * WAD


class TestVenue:
    def test_gov_08_a_stopped_venue_charges_no_funding(self, world: World) -> None:
        """Its mid stands where nobody can move it: it must not tax a side for ever."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 200_000)
        world.trade(eth, world.trader, 30 * WAD)
        world.send("clearing", "stopVenue", eth.vamm.address)
        world.touch(account)
        before = world.health(account).equity
        for _ in range(3):
            world.chain.advance(3_000)
            world.push(eth.feed, "2000")
        world.chain.advance(DAY // 2)
        world.push(eth.feed, "2000")
        world.touch(account)
        assert before - world.health(account).equity < WAD

    def test_rl_15_inventory_is_what_the_ledger_says(self, world: World) -> None:
        """A settled market takes the position; the curve has none of its own, and LPs get out."""
        eth = world.markets[0]
        world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, 5 * WAD)
        curve = eth.vamm.read("curve")
        assert curve.reserve == curve.root + world.size(eth.pool, eth) == curve.root - 5 * WAD
        exiting = ask_exit(world, eth, world.lp, ratio=99 * WAD // 100)
        world.push(eth.feed, "2000")
        world.send("clearing", "touch", [account_id(world.trader)])
        world.chain.send(eth.perp, "beginSettlement")
        world.chain.advance(DAY)
        world.touch(account_id(world.trader), eth.pool)
        assert eth.perp.read("state") == 3
        curve = eth.vamm.read("curve")
        assert world.size(eth.pool, eth) == 0
        assert curve.reserve == curve.root
        with refused("VammTooLate"):
            world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        world.chain.send(eth.vamm, "lapse", exiting, False)
        exiting = ask_exit(world, eth, world.lp, ratio=99 * WAD // 100)
        before = world.account(exiting).capital
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        assert world.account(exiting).capital - before > 999_000 * WAD
        assert eth.vamm.read("totalShares") == 0


class TestEntry:
    def test_re_05_entry_on_a_known_round_gains_nothing(self, world: World) -> None:
        """The pool is long and the next answer, 2 % up, is public: shares are priced after it."""
        eth = world.markets[0]
        seller = world.deposit(world.trader, 100_000)
        world.trade(eth, world.trader, -30 * WAD)
        assert world.size(eth.pool, eth) == 30 * WAD
        late = world.deposit(world.other, 500_000)
        vamm, amount = eth.vamm, 500_000 * WAD
        give = ("setDelegate", late, vamm.address, FUND)
        world.send("clearing", *give, sender=world.other)
        world.chain.send(vamm, "requestDeposit", late, amount, sender=world.other)
        with refused("VammNoNewRound"):
            world.chain.send(vamm, "executeDeposit", late)
        world.push(eth.feed, "2040")
        world.touch(seller)
        world.chain.send(vamm, "executeDeposit", late)
        low, _ = vamm.read("value")
        worth = low * vamm.read("sharesOf", late) // vamm.read("totalShares")
        assert worth <= amount * 9_991 // 10_000, "the entry fee at least is paid"
