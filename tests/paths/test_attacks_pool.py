"""Attacks on pools and on prices; ids as in the list of attacks and the review."""

import pytest

from novation.units import WAD
from tests.paths.acts import any_venue, ask_exit, calm, cross, enable_pool, refused, round_
from tests.paths.losses import against, end, insured, resolve, take, worth
from tests.world import DAY, HOUR, NO_LIMIT, World, account_id, risk


class TestPool:
    def test_re_01_buy_to_the_band_leave_and_sell_gains_nothing(self, world: World) -> None:
        """Half of the LP shares and all of the trades are one's: at one index it loses the fees."""
        eth = world.markets[0]
        world.add_liquidity(eth, 1_000_000, "2000", lp=world.other)
        trader = world.deposit(world.trader, 500_000)
        exiting = ask_exit(world, eth, world.other, ratio=0)
        world.push(eth.feed, "2000")

        def value() -> int:
            low, _ = eth.vamm.read("value")
            shares, total = eth.vamm.read("sharesOf", exiting), eth.vamm.read("totalShares")
            return int(worth(world, trader, exiting) + low * shares // total)

        before = value()
        world.trade(eth, world.trader, 70 * WAD)
        mid = eth.vamm.read("curve").mid
        assert mid > 2_050 * WAD
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        after = eth.vamm.read("curve")
        assert after.mid == pytest.approx(mid, rel=1e-5)
        world.close(eth, world.trader)
        assert value() < before - 100 * WAD

    @pytest.mark.parametrize("way", ["trade", "tradeQuote", "close"])
    def test_vam_01_a_sandwiched_order_ends_at_its_limit_or_its_deadline(
        self, world: World, way: str
    ) -> None:
        """Somebody buys 30 first: the victim's buy of 2 stops at half a percent over the quote."""
        eth = world.markets[0]
        victim = world.deposit(world.trader, 20_000)
        world.deposit(world.other, 200_000)
        world.trade(eth, world.trader, -2 * WAD)
        f = eth.vamm.read("quoteTrade", 2 * WAD)
        limit = (f.quote + f.fee) * WAD // (2 * WAD) * 1_005 // 1_000
        amount = {"trade": (2 * WAD,), "tradeQuote": (f.quote,), "close": ()}[way]
        late = (victim, *amount, limit, world.chain.now - 1)
        with refused("VammExpired"):
            world.chain.send(eth.vamm, way, *late, sender=world.trader)
        world.trade(eth, world.other, 30 * WAD)
        values = (victim, *amount, limit, NO_LIMIT)
        with refused("VammPriceLimit"):
            world.chain.send(eth.vamm, way, *values, sender=world.trader)
        world.trade(eth, world.other, -30 * WAD)
        world.chain.send(eth.vamm, way, *values, sender=world.trader)

    def test_vam_01_a_takeover_to_the_pool_names_its_least_gain(self, world: World) -> None:
        """The pool is pushed down before it: the keeper without money is refused, and loses 0."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        insured(world)
        round_(world, eth, "1810")
        calm(world, eth, "1810")
        keeper = account_id(world.stranger)
        world.known[keeper] = None
        venue = eth.vamm.address
        with world.isolated() as copy:
            took = take(copy, long, keeper, copy.stranger, gain=20 * WAD, venue=venue, size=2 * WAD)
            assert took.net >= 20 * WAD
        world.deposit(world.lp, 200_000)
        world.trade(eth, world.lp, -30 * WAD)
        with refused("BackstopGain|ClearingTransferShort"):
            take(world, long, keeper, world.stranger, gain=20 * WAD, venue=venue, size=2 * WAD)
        assert world.size(long, eth) == 20 * WAD

    def test_vam_04_two_venues_quote_no_two_prices_after_a_round(self, world: World) -> None:
        """2,000 -> 2,040: the pool asks above and bids below the new index in the same second."""
        eth = world.markets[0]
        world.push(eth.feed, "2040")
        buy, sell = (eth.vamm.read("quoteTrade", size) for size in (WAD, -WAD))
        assert buy.quote + buy.fee > 2_040 * WAD > sell.quote - sell.fee
        world.deposit(world.trader, 50_000)
        world.trade(eth, world.trader, 10 * WAD)
        world.push(eth.feed, "2000")
        sell = eth.vamm.read("quoteTrade", -WAD)
        assert sell.quote - sell.fee < 2_020 * WAD

    def test_vam_06_what_the_mid_says_counts_as_far_as_the_pool_is_the_market(
        self, world: World
    ) -> None:
        """36 lots pushed to the band beside 600 of interest elsewhere: 0.5 % a day, not the cap."""
        eth = world.markets[0]
        world.chain.send(eth.perp, "setParams", risk(velocity=0))
        paid = []
        for beside in (0, 600):
            with world.isolated() as copy:
                payer = copy.deposit(copy.trader, 500_000)
                if beside:
                    a, b = copy.deposit(copy.lp, 500_000), copy.deposit(copy.other, 500_000)
                    cross(copy, any_venue(copy), a, b, beside * WAD, 2_000)
                copy.trade(eth, copy.trader, 36 * WAD)
                before = worth(copy, payer)
                for _ in range(4):
                    copy.chain.advance(HOUR - 10)
                    round_(copy, eth, "2000")
                copy.touch(payer)
                paid.append(before - worth(copy, payer))
        assert paid[0] > 100 * WAD
        assert paid[1] < paid[0] // 3

    def test_vam_08_the_first_update_of_a_market_is_limited_like_any(self, world: World) -> None:
        """Listed, and nothing happens for half an hour; a push then pays from the push on."""
        market = world.list_market("2000")
        world.add_liquidity(market, 1_000_000, "2000")
        account = world.deposit(world.trader, 500_000)
        world.chain.advance(HOUR // 2)
        world.push(market.feed, "2000")
        world.trade(market, world.trader, 36 * WAD)
        before = worth(world, account)
        world.chain.advance(60)
        world.push(market.feed, "2000")
        world.touch(account)
        # 1.2 % a day is the cap: a minute of it on 72,000 is 0.6
        assert 0 <= before - worth(world, account) < 6 * WAD // 10

    def test_vam_10_who_leaves_pays_his_part_of_what_traders_are_owed(self, world: World) -> None:
        """Traders are 1,200 up: a tenth of the shares leaves with a tenth of what is left."""
        eth = world.markets[0]
        world.deposit(world.trader, 100_000)
        world.trade(eth, world.trader, 30 * WAD)
        total = eth.vamm.read("totalShares")
        exiting = ask_exit(world, eth, world.lp, shares=total // 10)
        for step in ("2020", "2040"):
            round_(world, eth, step)
            calm(world, eth, step)
        world.touch(eth.pool)
        nav = worth(world, eth.pool)
        low, high = eth.vamm.read("value")
        assert low <= nav <= high
        assert nav < 999_700 * WAD
        before = world.account(exiting).capital
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        gained = world.account(exiting).capital - before
        assert gained <= nav // 10
        left = worth(world, eth.pool)
        assert left * WAD // eth.vamm.read("totalShares") >= nav * WAD // total

    def test_vam_13_liquidity_that_leaves_liquidates_nobody(self, world: World) -> None:
        """Nine tenths go: health of the traders is what it was, and the pool keeps its margin."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 3_500)
        world.trade(eth, world.trader, 15 * WAD)
        exiting = ask_exit(world, eth, world.lp, shares=900_000 * WAD, ratio=0)
        world.push(eth.feed, "2000")
        world.touch(account)
        before = world.health(account)
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        after, pool = world.health(account), world.health(eth.pool)
        assert after.maintenance == before.maintenance
        assert after.equity == pytest.approx(before.equity, rel=1e-5)
        assert pool.initialEquity >= pool.initial

    def test_re_16b_winners_who_buy_back_leave_no_charge_to_the_pool_in_time(
        self, world: World
    ) -> None:
        """While the jump shuts the market nobody can; then the bankrupt is resolved, and they paid.

        The short winner and the pool stood against the long: each pays by its lots.
        """
        eth = world.markets[0]
        venue = any_venue(world)
        long, winner = against(world, venue, 5_000, 50_000, size=10 * WAD)
        world.trade(eth, world.trader, 10 * WAD)
        insured(world, 0)
        round_(world, eth, "1500")
        with refused("ClearingInterrupted"):
            world.close(eth, world.other)
        taker = world.deposit(world.stranger, 100_000)
        before = worth(world, winner), worth(world, eth.pool)
        deficit = -worth(world, long)
        assert deficit > 5_000 * WAD
        assert resolve(world, long, taker, sender=world.stranger)[0]
        paid = [b - worth(world, a) for b, a in zip(before, (winner, eth.pool), strict=True)]
        assert sum(paid) == pytest.approx(deficit, rel=1e-6)
        assert paid[0] == pytest.approx(paid[1], rel=1e-6)

    def test_re_05_who_leaves_first_leaves_no_more_leverage_than_the_pools_margin(
        self, world: World
    ) -> None:
        """36 lots of 2,000 held: shares leave until 100 % of the notional is what is left."""
        eth = world.markets[0]
        world.deposit(world.trader, 100_000)
        world.trade(eth, world.trader, 36 * WAD)
        enable_pool(world, eth, world.lp)
        exiting = ask_exit(world, eth, world.lp, shares=940_000 * WAD, ratio=0)
        world.push(eth.feed, "2000")
        with refused("ClearingInitialMargin"):
            world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        world.chain.advance(7 * HOUR)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "lapse", exiting, False)
        exiting = ask_exit(world, eth, world.lp, shares=900_000 * WAD, ratio=0)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        health = world.health(eth.pool)
        assert health.equity >= 36 * 2_000 * WAD


class TestOracle:
    def test_orc_01_no_trade_and_no_withdrawal_on_a_price_that_is_old(self, world: World) -> None:
        """A second past the heartbeat: who knows the -8 % cannot sell at the old price."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, WAD)
        world.chain.mine_at(eth.oracle.read("peek").validUntil + 1)
        for size in (-10 * WAD, -WAD, WAD):
            with refused("OracleStale"):
                world.trade(eth, world.trader, size)
        with refused("ClearingInitialMargin|OracleStale"):
            world.withdraw(world.trader, 10**6)
        world.deposit(world.trader, 10)
        world.touch(account)

    @pytest.mark.parametrize("answer", [0, -1, -(2**255), 2**255 - 1])
    def test_orc_02_a_bad_answer_never_reaches_a_sum(self, world: World, answer: int) -> None:
        """Positions keep their value at the last good index; nothing fills."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, WAD)
        before = world.health(account)
        world.chain.send(eth.feed, "push", answer)
        with refused("OracleNotPositive|OracleOutOfBounds"):
            world.trade(eth, world.trader, WAD)
        world.touch(account)
        after = world.health(account)
        assert after.equity == pytest.approx(before.equity, rel=1e-4)
        assert after.maintenance == pytest.approx(2 * before.maintenance, rel=1e-4)

    def test_orc_06_what_one_known_round_can_take_is_the_band(self, world: World) -> None:
        """+1.5 % is known: 1,000 lots are refused; what fits is 36, a thousandth of the pool."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 3_000_000)
        with refused("VammOutsideBand|VammDepleted"):
            world.trade(eth, world.trader, 1_000 * WAD)
        depth = world.view(eth).depth
        before, pool = worth(world, account), worth(world, eth.pool)
        world.trade(eth, world.trader, depth - WAD)
        with refused("VammOutsideBand"):
            world.trade(eth, world.trader, 5 * WAD)
        round_(world, eth, "2030")
        world.close(eth, world.trader)
        gain = worth(world, account) - before
        assert gain <= depth * 30
        assert pool - worth(world, eth.pool) < 1_100 * WAD

    def test_orc_12_the_mid_of_a_pool_moves_nobodys_equity(self, world: World) -> None:
        """Pushed 3 %: nobody is richer, nearer to a takeover, or able to withdraw more."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 5_000, 50_000)
        world.deposit(world.stranger, 200_000)
        before = [world.health(each) for each in (long, short)]
        world.trade(eth, world.stranger, 36 * WAD)
        assert eth.vamm.read("curve").mid > 2_055 * WAD
        after = [world.health(each) for each in (long, short)]
        for had, has in zip(before, after, strict=True):
            assert has.equity == pytest.approx(had.equity, rel=1e-6)
            assert has.maintenance == had.maintenance
            assert has.free <= had.free

    def test_orc_14_after_an_outage_the_true_price_is_taken_at_once(self, world: World) -> None:
        """Six hours of silence, then 30 % lower: no change is too large; losses are acted on."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 5_000, 50_000)
        insured(world, 0)
        world.chain.advance(6 * HOUR)
        with refused("OracleStale"):
            world.trade(eth, world.other, WAD)
        round_(world, eth, "1400")
        assert world.view(eth).index == 1_400 * WAD
        end(world, long, "1400")
        assert world.account(long).bitmap == 0 == world.size(short, eth)
        assert worth(world, short) == pytest.approx(55_000 * WAD, rel=1e-6)

    def test_orc_16_a_stable_coin_counts_at_its_feed(self, world: World) -> None:
        """Bought at 0.88, haircut 10 %: a million is 792,000 at most, and 1.05 is no glitch to
        borrow on once the adapter's bound says so.
        """
        chain = world.chain
        token, feed = chain.deploy("MockToken", "Dollar", "DAI", 18), chain.deploy("MockFeed", 8)
        market = world.list_market("1", feed=feed)
        terms = (token.address, market.oracle.address, 100_000, 10**12, 10**30)
        world.send("vault", "listCollateral", *terms)
        chain.send(token, "mint", world.trader, 10**6 * WAD)
        chain.send(token, "approve", world.vault.address, 10**6 * WAD, sender=world.trader)
        account = account_id(world.trader)
        world.known[account] = None
        values = (account, token.address, 10**6 * WAD)
        world.send("vault", "deposit", *values, sender=world.trader)
        world.push(feed, "0.88")
        health = world.health(account)
        assert health.equity <= 792_000 * WAD
        assert health.equity > 791_000 * WAD
        with refused("ClearingCapitalTooLow"):
            world.withdraw(world.trader, 10**6, min_release=0)

    def test_orc_18_a_push_from_outside_wins_what_the_caps_let_stand(self, world: World) -> None:
        """No slippage elsewhere helps: interest, account and band are bounded by number."""
        eth = world.markets[0]
        venue = any_venue(world)
        a, b = world.deposit(world.trader, 3_000_000), world.deposit(world.other, 3_000_000)
        world.chain.send(eth.perp, "tightenCaps", 100 * WAD, 150_000)
        with refused("ClearingAccountCap"):
            cross(world, venue, a, b, 80 * WAD, 2_000)
        cross(world, venue, a, b, 70 * WAD, 2_000)
        c, d = world.deposit(world.trader, 10_000, sub=1), world.deposit(world.other, 10_000, sub=1)
        with refused("ClearingOpenInterestCap"):
            cross(world, venue, c, d, 31 * WAD, 2_000)
        world.chain.advance(DAY)
