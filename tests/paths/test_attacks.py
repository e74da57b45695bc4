"""Attacks on record, each tried on the whole protocol; ids as in the list of attacks."""

from novation.units import WAD
from tests.paths.acts import any_venue, calm, clear, cross, leg, refused, round_
from tests.world import DAY, HOUR, NO_LIMIT, TRADE, World, account_id, risk

VENUE_BIT, COLLATERAL_BIT = 1 << 63, 1 << 62


class TestGovernance:
    def test_dos_06_dust_collateral_stops_no_listing(self, world: World) -> None:
        """Anyone may deposit for any account; that must not spoil the account of a venue to be."""
        chain, eth = world.chain, world.markets[0]
        token = chain.deploy("MockToken", "Ether", "ETH", 18)
        values = (token.address, eth.oracle.address, 100_000, 1_000_000, 10**24)
        world.send("vault", "listCollateral", *values)
        chain.send(token, "mint", world.stranger, 1)
        chain.send(token, "approve", world.vault.address, 1, sender=world.stranger)
        address = chain.accounts[8]
        pool = account_id(address)
        world.send("vault", "deposit", pool, token.address, 1, sender=world.stranger)
        assert world.account(pool).bitmap == COLLATERAL_BIT
        world.send("clearing", "setVenue", address, eth.number, True)
        assert world.account(pool).bitmap == VENUE_BIT

    def test_gov_01_a_smaller_size_scale_liquidates_nobody_at_once(self, world: World) -> None:
        eth = world.markets[0]
        account = world.deposit(world.trader, 5_000)
        world.trade(eth, world.trader, 10 * WAD)
        before = world.health(account)
        tight = risk(sizeScale=10_000)
        with refused("RiskOutOfBounds"):
            world.chain.send(eth.perp, "setParams", tight)
        after = world.health(account)
        assert after.maintenance == before.maintenance

    def test_gov_05_open_interest_cap_stays_inside_the_units_of_a_side(self, world: World) -> None:
        """Above 2^79 units a side begins a new epoch at every fill, and accounts walk them all."""
        eth = world.markets[0]
        with refused("RiskOutOfBounds"):
            world.chain.send(eth.perp, "setParams", risk(openInterestCap=2**79 + 1))
        world.chain.send(eth.perp, "setParams", risk(openInterestCap=2**79))

    def test_gov_02_reduce_only_market_is_left_in_every_way(self, world: World) -> None:
        eth = world.markets[0]
        account = world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, 5 * WAD)
        world.chain.send(eth.perp, "reduceOnly")
        with refused("ClearingReduceOnly"):
            world.trade(eth, world.trader, WAD)
        world.trade(eth, world.trader, -2 * WAD)
        world.close(eth, world.trader)
        world.withdraw(world.trader, world.account(account).capital // 10**12)
        assert world.account(account).bitmap == 0


class TestAccounting:
    def test_acc_01_a_tiny_fill_pays_at_least_what_it_is_worth(self, world: World) -> None:
        eth = world.markets[0]
        account = world.deposit(world.trader, 1_000)
        for dust in (4 * 10**9, 4 * 10**8, 1):
            with refused("ClearingPositionTooSmall"):
                world.trade(eth, world.trader, dust)
        world.trade(eth, world.trader, WAD)
        for size in (1, 3, 4 * 10**8):
            world.touch(account)
            before = world.account(account)
            world.trade(eth, world.trader, size)
            after = world.account(account)
            assert after.capital + after.pnl < before.capital + before.pnl

    def test_acc_02_parts_pay_no_less_than_the_whole(self, world: World) -> None:
        eth = world.markets[0]
        paid = []
        for parts in (1, 9):
            with world.isolated() as copy:
                account = copy.deposit(copy.trader, 20_000)
                calls = [
                    eth.vamm.encode("trade", account, 9 * WAD // parts, NO_LIMIT, NO_LIMIT)
                ] * parts
                copy.chain.send(eth.vamm, "multicall", calls, sender=copy.trader)
                a = copy.account(account)
                paid.append(20_000 * WAD - a.capital - a.pnl)
        assert paid[1] >= paid[0] > 0

    def test_acc_04_adding_keeps_the_price_of_each_part(self, world: World) -> None:
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 50_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, WAD, 2_000)
        round_(world, eth, "3000")
        calm(world, eth, "3000")
        cross(world, venue, long, short, WAD, 3_000)
        world.touch(long, short)
        a = world.account(long)
        assert abs(a.capital + a.pnl - 51_000 * WAD) < WAD // 10**6

    def test_acc_06_negative_equity_is_never_read_as_a_fortune(self, world: World) -> None:
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 5_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 20 * WAD, 2_000)
        round_(world, eth, "1000")
        world.touch(long)
        health = world.health(long)
        assert (health.equity, health.free) == (-15_000 * WAD, 0)
        with refused("ClearingCapitalTooLow"):
            world.withdraw(world.trader, 1, min_release=0)
        with refused("ClearingCapitalTooLow"):
            world.send("clearing", "transfer", long, short, 1, sender=world.trader)

    def test_acc_10_profit_of_two_steps_is_profit_of_one(self, world: World) -> None:
        eth = world.markets[0]
        venue = any_venue(world)
        found = []
        for path in (("4000",), ("3000", "2500", "4000")):
            with world.isolated() as copy:
                long = copy.deposit(copy.trader, 50_000)
                short = copy.deposit(copy.other, 50_000)
                cross(copy, venue, long, short, WAD, 2_000)
                for price in path:
                    round_(copy, eth, price)
                    copy.touch(long, short)
                a = copy.account(long)
                found.append(a.capital + a.pnl)
        assert abs(found[0] - found[1]) <= 3
        assert abs(found[0] - 52_000 * WAD) < WAD // 10**6


class TestMargin:
    def test_mrg_01_profit_of_a_push_is_nobodys_to_take(self, world: World) -> None:
        """The sibling's loss behind it was never collected: h gives what it lost, and no more."""
        eth = world.markets[0]
        venue = any_venue(world)
        long = world.deposit(world.trader, 1_000)
        short = world.deposit(world.trader, 1_000, sub=1)
        cross(world, venue, long, short, 4 * WAD, 2_000)
        round_(world, eth, "6000")
        calm(world, eth, "6000")
        world.touch(long)
        with refused("ClearingReleaseRatio"):
            world.send("clearing", "release", long, WAD, [], WAD, sender=world.trader)
        profit = world.account(long).pnl
        assert profit > 15_999 * WAD
        values = (long, profit, [short], 0)
        # 1,000 of its own and what the sibling lost are less than margin at that price
        with refused("ClearingInitialMargin"):
            world.send("clearing", "release", *values, sender=world.trader)
        assert world.account(long).capital == 1_000 * WAD

    def test_mrg_04_money_asked_for_is_set_aside(self, world: World) -> None:
        eth = world.markets[0]
        account = world.deposit(world.trader, 1_000)
        values = (account, eth.vamm.address, 4)
        world.send("clearing", "setDelegate", *values, sender=world.trader)
        ask = ("requestDeposit", account, 900 * WAD)
        world.chain.send(eth.vamm, *ask, sender=world.trader)
        assert world.account(account).capital == 100 * WAD
        with refused("VammRequestOpen"):
            world.chain.send(eth.vamm, *ask, sender=world.trader)
        with refused("ClearingCapitalTooLow"):
            world.withdraw(world.trader, 101 * 10**6)


class TestPool:
    def test_vam_02_second_account_cannot_pay_the_first_with_bad_debt(self, world: World) -> None:
        eth = world.markets[0]
        with world.isolated() as copy:
            copy.deposit(copy.trader, 50_000)
            copy.deposit(copy.trader, 2_300, sub=1)
            copy.trade(eth, copy.trader, 25 * WAD)
            with refused("ClearingInitialMargin"):
                copy.trade(eth, copy.trader, 10 * WAD, sub=1)
            with refused("VammOutsideBand"):
                copy.trade(eth, copy.trader, 100 * WAD, sub=1)

    def test_vam_05_push_and_back_in_a_block_pays_no_funding(self, world: World) -> None:
        """RE-9: what stood during the interval counts, not what is there at a touch."""
        chain, eth = world.chain, world.markets[0]
        batch = chain.deploy("MockBatch")
        account = world.deposit(world.trader, 200_000)
        values = (account, batch.address, TRADE)
        world.send("clearing", "setDelegate", *values, sender=world.trader)
        before = eth.perp.read("words")
        calls = [eth.vamm.encode("trade", account, 30 * WAD, NO_LIMIT, NO_LIMIT)]
        calls.append(eth.vamm.encode("close", account, 0, NO_LIMIT))
        for _ in range(3):
            chain.advance(900)
            world.push(eth.feed, "2000")
            chain.send(batch, "run", [eth.vamm.address] * 2, calls, sender=world.trader)
        chain.advance(900)
        world.push(eth.feed, "2000")
        round_(world, eth, "2000")
        after = eth.perp.read("words")
        assert abs(after.premiumAverage) <= 1
        assert abs(after.velocity) <= abs(before.velocity) + 10**6

    def test_vam_12_liquidity_comes_and_goes_in_no_block(self, world: World) -> None:
        eth = world.markets[0]
        world.add_liquidity(eth, 100_000, "2000", lp=world.other)
        account = account_id(world.other)
        shares = eth.vamm.read("sharesOf", account)
        values = ("requestWithdrawal", account, shares, 0)
        world.chain.send(eth.vamm, *values, sender=world.other)
        with refused("VammTooEarly"):
            world.chain.send(eth.vamm, "executeWithdrawal", account)
        world.chain.advance(DAY - HOUR)
        with refused("VammTooEarly"):
            world.chain.send(eth.vamm, "executeInKind", account, sender=world.other)

    def test_vam_16_round_trips_of_any_size_never_pay(self, world: World) -> None:
        eth = world.markets[0]
        account = world.deposit(world.trader, 200_000)
        last = 200_000 * WAD
        for size in (3 * 10**16, WAD + 7, 33 * WAD):
            world.trade(eth, world.trader, size)
            world.close(eth, world.trader)
            a = world.account(account)
            assert a.capital + a.pnl < last
            last = a.capital + a.pnl


class TestService:
    def test_dos_02_one_dead_market_stops_no_other_account(self, world: World) -> None:
        eth, btc = world.markets
        for owner in (world.trader, world.other):
            world.deposit(owner, 20_000)
        world.trade(btc, world.other, WAD // 10)
        world.chain.advance(2 * HOUR)
        world.push(eth.feed, "2000")
        world.touch(account_id(world.trader), account_id(world.other), btc.pool)
        world.trade(eth, world.trader, WAD)
        world.close(eth, world.trader)

    def test_dos_06_touching_often_wins_nothing_for_the_one_who_pokes(self, world: World) -> None:
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 50_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 7 * WAD + 1, 2_000)
        before = [world.account(a).capital + world.account(a).pnl for a in (long, short)]
        for _ in range(25):
            world.touch(long, short)
        after = [world.account(a).capital + world.account(a).pnl for a in (long, short)]
        assert all(0 <= b - a <= 50 for a, b in zip(after, before, strict=True))

    def test_venue_gone_bad_makes_no_money(self, world: World) -> None:
        """It can misassign a trade; the sum of all claims stays below what the vault holds."""
        venue = any_venue(world)
        robbed, thief = world.deposit(world.trader, 10_000), world.deposit(world.stranger, 100)
        clear(world, venue, [leg(robbed, cash=-9_000 * WAD), leg(thief, cash=9_000 * WAD)])
        assert world.account(robbed).capital == 1_000 * WAD
        assert (world.account(thief).capital, world.account(thief).pnl) == (100 * WAD, 9_000 * WAD)
        with refused("ClearingInitialMargin|ClearingRiskRose"):
            clear(world, venue, [leg(robbed, cash=-1_001 * WAD), leg(thief, cash=1_001 * WAD)])
