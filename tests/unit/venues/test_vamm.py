"""The vAMM on the chain: fills, every refusal with its numbers, and the life of an LP's request."""

from typing import Any

import pytest

from novation.units import PPM, WAD
from tests.paths.acts import any_venue, cross
from tests.unit.venues.conftest import refusal
from tests.world import (
    DAY,
    FUND,
    HOUR,
    NO_LIMIT,
    TRADE,
    Market,
    World,
    account_id,
    vamm_params,
)

I = 2_000 * WAD  # noqa: E741
MILLION = 10**6 * WAD


def event(market: Market, name: str, receipt: dict[str, Any]) -> Any:
    block = int(receipt["blockNumber"], 16)
    (found,) = market.vamm.events([name], block, block)
    return found.values


def params_of(market: Market, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = market.vamm.read("params")._asdict()
    return made | changes


@pytest.fixture
def market(world: World) -> Market:
    """ETH: usual parameters, a million of liquidity of `lp`; `trader` and `other` with margin."""
    for owner in (world.trader, world.other):
        world.deposit(owner, 1_000_000)
    return world.markets[0]


class TestFill:
    def test_trade_moves_money_position_and_mid_as_quoted(
        self, world: World, market: Market
    ) -> None:
        trader = account_id(world.trader)
        before = world.account(trader).capital
        world.chain.advance(10)
        block = world.chain.now
        with world.isolated() as there:
            there.chain.next_at(block + 1)
            receipt = there.trade(market, there.trader, 3 * WAD)
            filled = event(market, "Filled", receipt)
            assert there.size(trader, market) == 3 * WAD == -there.size(market.pool, market)
            account = there.account(trader)
            assert account.capital + account.pnl == before - (
                filled["quote"] - 3 * I + filled["fee"]
            )
            assert there.chain.now == block + 1
            mid, peg, reserve, root = market.vamm.read("curve")
            assert (filled["mid"], peg, reserve) == (mid, I, root - 3 * WAD)
            premium = there.view(market).premium
            assert premium == (mid - I) * WAD // I // 10**9 * 10**9
        world.chain.mine_at(block + 1)
        quote = market.vamm.read("quoteTrade", 3 * WAD)
        assert (quote.size, quote.quote, quote.fee, quote.mid) == (
            filled["size"],
            filled["quote"],
            filled["fee"],
            filled["mid"],
        )

    def test_a_trade_tells_the_markets_words_once(self, world: World, market: Market) -> None:
        world.push(market.feed, "2001")
        block = int(world.trade(market, world.trader, WAD)["blockNumber"], 16)
        (told,) = market.perp.events(["MarketSet"], block, block)
        assert told.values["rates"] >> 80 & (1 << 80) - 1 == WAD

    def test_house_gets_its_share_of_the_fee(self, world: World, market: Market) -> None:
        fill = market.vamm.read("quoteTrade", -(3 * WAD))
        assert fill.houseFee == fill.fee // 5 // 10**12 * 10**12
        pending = world.clearing.read("house").feesPending
        filled = event(market, "Filled", world.trade(market, world.trader, -3 * WAD))
        paid = world.clearing.read("house").feesPending - pending
        assert paid == filled["fee"] // 5 // 10**12

    def test_trade_for_an_exact_quote_spends_it(self, world: World, market: Market) -> None:
        send = (account_id(world.trader), 5_000 * WAD, NO_LIMIT, NO_LIMIT)
        receipt = world.chain.send(market.vamm, "tradeQuote", *send, sender=world.trader)
        filled = event(market, "Filled", receipt)
        assert filled["quote"] == 5_000 * WAD
        assert world.size(account_id(world.trader), market) == filled["size"] > 0
        send = (account_id(world.trader), -4_000 * WAD, 0, NO_LIMIT)
        receipt = world.chain.send(market.vamm, "tradeQuote", *send, sender=world.trader)
        assert event(market, "Filled", receipt)["quote"] == 4_000 * WAD

    @pytest.mark.parametrize("size", [5 * WAD, -5 * WAD])
    def test_close_leaves_nothing(self, world: World, market: Market, size: int) -> None:
        world.trade(market, world.trader, size)
        world.close(market, world.trader)
        assert world.size(account_id(world.trader), market) == 0
        assert world.size(market.pool, market) == 0
        mid, peg, _, _ = market.vamm.read("curve")
        assert mid == peg == I

    def test_delegate_with_trade_may_fill(self, world: World, market: Market) -> None:
        trader = account_id(world.trader)
        world.send("clearing", "setDelegate", trader, world.stranger, TRADE, sender=world.trader)
        values = (trader, WAD, NO_LIMIT, NO_LIMIT)
        world.chain.send(market.vamm, "trade", *values, sender=world.stranger)
        assert world.size(trader, market) == WAD

    def test_fee_grows_with_distance_and_age(self, world: World, market: Market) -> None:
        small, large = (market.vamm.read("quoteTrade", s * WAD) for s in (1, 30))
        assert large.fee * WAD // large.quote > small.fee * WAD // small.quote
        assert small.fee >= small.quote * 500 // PPM
        world.push(market.feed, "2010")
        world.chain.advance(1)
        world.touch(market.pool)
        world.send("clearing", "accrueFor", 0, market.pool, market.pool)
        young = market.vamm.read("quoteTrade", WAD)
        world.chain.advance(500)
        old = market.vamm.read("quoteTrade", WAD)
        assert old.fee > young.fee


class TestRefusals:
    def trade(self, world: World, market: Market, *values: Any, sender: str = "") -> Any:
        return refusal(
            world.chain.send, market.vamm, "trade", *values, sender=sender or world.trader
        )

    def test_expired(self, world: World, market: Market) -> None:
        now = world.chain.now
        found = self.trade(world, market, account_id(world.trader), WAD, NO_LIMIT, now - 1)
        assert found == ("VammExpired", [now, now - 1])

    def test_not_authorised(self, world: World, market: Market) -> None:
        trader = account_id(world.trader)
        world.send("clearing", "setDelegate", trader, world.stranger, FUND, sender=world.trader)
        values = (trader, WAD, NO_LIMIT, NO_LIMIT)
        found = self.trade(world, market, *values, sender=world.stranger)
        assert found == ("VammNotAuthorised", [trader, world.stranger])

    @pytest.mark.parametrize("size", [5 * WAD, -5 * WAD])
    def test_price_with_fee_is_held_to_the_limit(
        self, world: World, market: Market, size: int
    ) -> None:
        """Rounded against the trader; the very limit passes."""
        sign = 1 if size > 0 else -1
        market_ = params_of(market, ageFee=0)
        world.chain.send(market.vamm, "setParams", market_)
        fill = market.vamm.read("quoteTrade", size)
        net = fill.quote + sign * fill.fee
        price = -(-net * WAD // abs(size)) if size > 0 else net * WAD // -size
        trader = account_id(world.trader)
        found = self.trade(world, market, trader, size, price - sign, NO_LIMIT)
        assert found == ("VammPriceLimit", [price, price - sign])
        world.trade(market, world.trader, size, limit=price)

    def test_size_and_quote_out_of_range(self, world: World, market: Market) -> None:
        trader = account_id(world.trader)
        for size in (0, 2**79, -(2**79)):
            found = self.trade(world, market, trader, size, NO_LIMIT if size >= 0 else 0, NO_LIMIT)
            assert found == ("VammSizeOutOfRange", [size])
            assert refusal(market.vamm.read, "quoteTrade", size) == found
        for quote in (0, 2**120, -(2**120)):
            found = refusal(market.vamm.read, "quoteTradeQuote", quote)
            assert found == ("VammSizeOutOfRange", [quote])

    def test_mid_that_leaves_its_field(self, market: Market) -> None:
        """All but a few wei of the curve: mid = peg * root^2 / 5^2."""
        reserve = market.vamm.read("curve").reserve
        found = refusal(market.vamm.read, "quoteTrade", reserve - 5)
        assert found == ("VammSizeOutOfRange", [reserve - 5])

    def test_more_than_the_curve_has(self, market: Market) -> None:
        reserve = market.vamm.read("curve").reserve
        found = refusal(market.vamm.read, "quoteTrade", reserve)
        assert found == ("VammDepleted", [reserve, reserve])
        quote = reserve * I // WAD
        found = refusal(market.vamm.read, "quoteTradeQuote", -quote)
        assert found == ("VammDepleted", [quote, quote])

    @pytest.mark.parametrize("size", [40 * WAD, -40 * WAD])
    def test_band_binds_what_grows_the_inventory(
        self, world: World, market: Market, size: int
    ) -> None:
        name, numbers = refusal(market.vamm.read, "quoteTrade", size)
        mid, index, band = numbers
        assert (name, index, band) == ("VammOutsideBand", I, 60 * WAD)
        assert abs(mid - I) > band
        root = market.vamm.read("curve").root
        assert mid == I * root * root // (root - size) ** 2
        world.trade(market, world.trader, -size // 4)
        market.vamm.read("quoteTrade", size // 2)

    def test_nothing_to_close(self, world: World, market: Market) -> None:
        values = (account_id(world.other), 0, NO_LIMIT)
        send = world.chain.send
        found = refusal(send, market.vamm, "close", *values, sender=world.other)
        assert found == ("VammNoPosition", [values[0]])

    def test_pool_without_liquidity(self, world: World) -> None:
        market = world.list_market("2000")
        assert market.vamm.read("curve") == (0, 0, 0, 0)
        assert refusal(market.vamm.read, "quoteTrade", WAD) == ("VammNoLiquidity", [])

    @pytest.mark.parametrize(
        ("field", "least", "most"),
        [
            ("band", 1_000, 200_000),
            ("baseFee", None, 10_000),
            ("distanceFee", None, 1_000_000),
            ("ageFee", None, 5_000_000),
            ("feeCap", 500, 40_000),
            ("returnSpeed", None, 1_000),
            ("returnCap", None, 30_000),
            ("houseShare", None, 500_000),
            ("depth", 1, 10),
            ("lpFee", None, 10_000),
            ("cooldown", HOUR, 30 * DAY),
            ("window", HOUR, 30 * DAY),
        ],
    )
    def test_parameters_have_bounds(
        self, world: World, market: Market, field: str, least: int | None, most: int
    ) -> None:
        for value, bound in ((None if least is None else least - 1, least), (most + 1, most)):
            if value is None or value >= 2**24:
                continue
            changes = {"feeCap": 40_000} if field == "baseFee" else {}
            changed = params_of(market, **changes | {field: value})
            found = refusal(world.chain.send, market.vamm, "setParams", changed)
            assert found == ("VammOutOfBounds", [field, value, bound])
        changes = {"feeCap": 40_000} if field == "baseFee" else {}
        world.chain.send(market.vamm, "setParams", params_of(market, **changes | {field: most}))
        name, _ = refusal(
            world.chain.send,
            market.vamm,
            "setParams",
            vamm_params(),
            sender=world.stranger,
        )
        assert name == "AccessManagedUnauthorized"

    def test_new_parameters_keep_the_mid(self, world: World, market: Market) -> None:
        """The peg may return first; then nothing but the rules change."""
        world.trade(market, world.trader, 10 * WAD)
        mid = market.vamm.read("curve").mid
        changed = params_of(market, follow=False, band=50_000)
        world.chain.send(market.vamm, "setParams", changed)
        assert market.vamm.read("curve").mid == mid
        assert world.view(market).depth > 0


@pytest.fixture
def lp_2(world: World, market: Market) -> bytes:
    """`other` may deposit into the pool: a hundred thousand of capital, the vAMM has FUND."""
    account = account_id(world.other)
    world.send("clearing", "setDelegate", account, market.vamm.address, FUND, sender=world.other)
    return account


class TestDeposits:
    def ask(self, world: World, market: Market, amount: int) -> int:
        values = (account_id(world.other), amount)
        world.chain.send(market.vamm, "requestDeposit", *values, sender=world.other)
        return world.chain.now

    def test_deposit_is_minted_at_the_first_round_after_it(
        self, world: World, market: Market, lp_2: bytes
    ) -> None:
        total = market.vamm.read("totalShares")
        made = self.ask(world, market, 10**5 * WAD)
        assert world.account(account_id(market.vamm.address, 1)).capital == 10**5 * WAD
        found = refusal(world.chain.send, market.vamm, "executeDeposit", lp_2)
        assert found[0] == "VammNoNewRound"
        assert found[1][1] == made >= found[1][0]
        world.push(market.feed, "2000")
        value = market.vamm.read("value").high
        receipt = world.chain.send(market.vamm, "executeDeposit", lp_2)
        minted = event(market, "SharesMinted", receipt)
        net = 10**5 * WAD * 999 // 1_000
        assert minted["shares"] == net * (total + 10**6) // (value + 10**6)
        assert market.vamm.read("sharesOf", lp_2) == minted["shares"]
        assert market.vamm.read("totalShares") == total + minted["shares"]
        assert world.account(market.pool).capital == 11 * 10**5 * WAD

    def test_refusals_of_a_request(self, world: World, market: Market, lp_2: bytes) -> None:
        send, vamm = world.chain.send, market.vamm
        found = refusal(send, vamm, "requestDeposit", lp_2, WAD, sender=world.stranger)
        assert found == ("VammNotAuthorised", [lp_2, world.stranger])
        found = refusal(send, vamm, "requestDeposit", lp_2, WAD - 1, sender=world.other)
        assert found == ("VammDepositTooSmall", [WAD - 1, WAD])
        name, numbers = refusal(send, vamm, "requestDeposit", lp_2, 2 * MILLION, sender=world.other)
        assert (name, numbers) == ("ClearingCapitalTooLow", [lp_2, MILLION, 2 * MILLION])
        assert refusal(send, vamm, "executeDeposit", lp_2) == ("VammNoRequest", [lp_2])
        assert refusal(send, vamm, "lapse", lp_2, True) == ("VammNoRequest", [lp_2])
        self.ask(world, market, WAD)
        found = refusal(send, vamm, "requestDeposit", lp_2, WAD, sender=world.other)
        assert found == ("VammRequestOpen", [lp_2])

    def test_request_lapses_after_its_window(
        self, world: World, market: Market, lp_2: bytes
    ) -> None:
        before = world.account(lp_2).capital
        until = self.ask(world, market, 500 * WAD) + 6 * HOUR
        world.chain.mine_at(until - 1)
        found = refusal(world.chain.send, market.vamm, "lapse", lp_2, True)
        assert found == ("VammTooEarly", [until - 1, until])
        world.chain.next_at(until + 1)
        world.push(market.feed, "2000")
        name, numbers = refusal(world.chain.send, market.vamm, "executeDeposit", lp_2)
        assert (name, numbers[1]) == ("VammTooLate", until)
        receipt = world.chain.send(market.vamm, "lapse", lp_2, True, sender=world.stranger)
        assert event(market, "RequestLapsed", receipt)["amount"] == 500 * WAD
        assert world.account(lp_2).capital == before

    def test_dead_feed_names_itself(self, world: World, market: Market, lp_2: bytes) -> None:
        self.ask(world, market, WAD)
        world.chain.advance(2 * HOUR)
        name, _ = refusal(world.chain.send, market.vamm, "executeDeposit", lp_2)
        assert name == "OracleStale"

    def test_money_from_outside_never_enters_the_pool(self, world: World, market: Market) -> None:
        """VAM-09: nobody can raise the value of a share but by trading with it."""
        trader = account_id(world.trader)
        for sub in (0, 1):
            pool = account_id(market.vamm.address, sub)
            found = refusal(
                world.send, "clearing", "transfer", trader, pool, WAD, sender=world.trader
            )
            assert found == ("ClearingVenueAccount", [pool])
            name, _ = refusal(
                world.send,
                "vault",
                "deposit",
                pool,
                world.token.address,
                10**6,
                sender=world.trader,
            )
            assert name == "ClearingVenueAccount"


class TestWithdrawals:
    def ask(self, world: World, market: Market, shares: int, ratio: int = WAD) -> int:
        values = (account_id(world.lp), shares, ratio)
        world.chain.send(market.vamm, "requestWithdrawal", *values, sender=world.lp)
        return world.chain.now

    def test_cooled_request_is_paid_at_a_round_after_the_cooldown(
        self, world: World, market: Market
    ) -> None:
        lp = account_id(world.lp)
        total = market.vamm.read("totalShares")
        ready = self.ask(world, market, total // 4) + DAY
        world.chain.mine_at(ready - 2)
        found = refusal(world.chain.send, market.vamm, "executeWithdrawal", lp)
        assert found == ("VammTooEarly", [ready - 2, ready])
        world.chain.next_at(ready)
        world.push(market.feed, "2000")
        found = refusal(world.chain.send, market.vamm, "executeWithdrawal", lp)
        assert found == ("VammNoNewRound", [ready, ready])
        world.push(market.feed, "2000")
        low = market.vamm.read("value").low
        before, root = world.account(lp).capital, market.vamm.read("curve").root
        receipt = world.chain.send(market.vamm, "executeWithdrawal", lp)
        burned = event(market, "SharesBurned", receipt)
        gross = total // 4 * (low + 10**6) // (total + 10**6)
        assert burned["amount"] == gross - -(-gross // 1_000)
        assert world.account(lp).capital - before == burned["amount"]
        assert market.vamm.read("totalShares") == total - total // 4
        kept = MILLION - burned["amount"]
        assert market.vamm.read("curve").root == root * kept // MILLION

    def test_refusals_of_a_request(self, world: World, market: Market) -> None:
        lp, send, vamm = account_id(world.lp), world.chain.send, market.vamm
        has = vamm.read("sharesOf", lp)
        for amount in (0, has + 1):
            found = refusal(send, vamm, "requestWithdrawal", lp, amount, 0, sender=world.lp)
            assert found == ("VammSharesTooLow", [lp, has, amount])
        found = refusal(send, vamm, "requestWithdrawal", lp, 1, 0, sender=world.stranger)
        assert found == ("VammNotAuthorised", [lp, world.stranger])
        assert refusal(send, vamm, "executeWithdrawal", lp) == ("VammNoRequest", [lp])
        assert refusal(send, vamm, "lapse", lp, False) == ("VammNoRequest", [lp])
        self.ask(world, market, has)
        found = refusal(send, vamm, "requestWithdrawal", lp, 1, 0, sender=world.lp)
        assert found == ("VammRequestOpen", [lp])

    def test_cooled_request_lapses_after_its_window(self, world: World, market: Market) -> None:
        lp = account_id(world.lp)
        shares = market.vamm.read("sharesOf", lp)
        until = self.ask(world, market, shares) + DAY + 6 * HOUR
        world.chain.mine_at(until - 1)
        found = refusal(world.chain.send, market.vamm, "lapse", lp, False)
        assert found == ("VammTooEarly", [until - 1, until])
        world.chain.next_at(until + 1)
        world.push(market.feed, "2000")
        name, numbers = refusal(world.chain.send, market.vamm, "executeWithdrawal", lp)
        assert (name, numbers[1]) == ("VammTooLate", until)
        world.chain.send(market.vamm, "lapse", lp, False)
        assert market.vamm.read("sharesOf", lp) == shares
        assert refusal(world.chain.send, market.vamm, "executeWithdrawal", lp)[0] == "VammNoRequest"

    def test_pool_keeps_margin_for_its_position(self, world: World, market: Market) -> None:
        """RE-5: the position may not be left to those who stay."""
        lp = account_id(world.lp)
        world.trade(market, world.trader, 30 * WAD)
        shares = market.vamm.read("sharesOf", lp) * 99 // 100
        world.chain.send(market.vamm, "requestWithdrawal", lp, shares, 0, sender=world.lp)
        world.chain.advance(DAY)
        world.push(market.feed, "2000")
        name, numbers = refusal(world.chain.send, market.vamm, "executeWithdrawal", lp)
        assert (name, numbers[0]) == ("ClearingInitialMargin", market.pool)

    def test_lp_can_leave_in_kind_whenever_cooled(self, world: World, market: Market) -> None:
        """His part of money and position, at the index; even after the window."""
        lp = account_id(world.lp)
        world.trade(market, world.trader, 30 * WAD)
        total, held = market.vamm.read("totalShares"), world.size(market.pool, market)
        ready = self.ask(world, market, total // 2) + DAY
        world.chain.next_at(ready + 10 * HOUR)
        world.push(market.feed, "2000")
        found = refusal(world.chain.send, market.vamm, "executeInKind", lp, sender=world.stranger)
        assert found == ("VammNotAuthorised", [lp, world.stranger])
        world.touch(market.pool)
        pool, mid = world.account(market.pool), market.vamm.read("curve").mid
        receipt = world.chain.send(market.vamm, "executeInKind", lp, sender=world.lp)
        burned = event(market, "SharesBurned", receipt)
        assert burned["size"] == -(abs(held) * (total // 2) // total)
        gross = pool.capital * (total // 2) // total
        assert burned["amount"] == gross - -(-gross // 1_000)
        assert world.size(lp, market) == burned["size"]
        assert world.size(market.pool, market) == held - burned["size"]
        # the mid stands, up to a wei each of peg and mid; the offset may return in between
        step = I * 100 * 60 // PPM
        assert abs(market.vamm.read("curve").mid - mid) <= step

    def test_share_epoch_does_not_end_while_the_pool_has_value(
        self, world: World, market: Market
    ) -> None:
        equity = world.account(market.pool).capital
        found = refusal(world.chain.send, market.vamm, "endShareEpoch")
        assert found == ("VammPoolHasValue", [equity, 0])

    def test_last_lp_leaves_nothing_but_the_fee_and_no_curve(
        self, world: World, market: Market
    ) -> None:
        """An empty pool has no curve and no depth; the next deposit begins anew at the index."""
        lp = account_id(world.lp)
        total = market.vamm.read("totalShares")
        ready = self.ask(world, market, total) + DAY
        world.chain.next_at(ready + 1)
        world.push(market.feed, "2000")
        world.chain.send(market.vamm, "executeWithdrawal", lp)
        assert market.vamm.read("totalShares") == 0
        assert market.vamm.read("curve") == (0, 0, 0, 0)
        assert world.view(market).depth == 0
        left = world.account(market.pool).capital
        assert 0 < left <= MILLION // 1_000 + 10**7
        amount = (lp, 10**4 * WAD)
        world.chain.send(market.vamm, "requestDeposit", *amount, sender=world.lp)
        world.push(market.feed, "2100")
        world.chain.send(market.vamm, "executeDeposit", lp)
        assert market.vamm.read("totalShares") == 10**4 * WAD * 999 // 1_000
        assert market.vamm.read("curve").mid == 2_100 * WAD

    def test_last_lp_of_a_pool_that_lost_takes_all_there_is(
        self, world: World, market: Market
    ) -> None:
        """Without an exit fee the virtual shares would have him take more than there is."""
        venue, lp, trader = any_venue(world), account_id(world.lp), account_id(world.trader)
        cross(world, venue, market.pool, trader, 20 * WAD, 3_000)
        cross(world, venue, trader, market.pool, 20 * WAD, 2_000)
        left = world.account(market.pool).capital
        assert left == MILLION - 20_000 * WAD
        world.chain.send(market.vamm, "setParams", params_of(market, lpFee=0))
        total = market.vamm.read("totalShares")
        world.chain.next_at(self.ask(world, market, total) + DAY + 1)
        world.push(market.feed, "2000")
        receipt = world.chain.send(market.vamm, "executeWithdrawal", lp)
        assert event(market, "SharesBurned", receipt)["amount"] == left
        assert world.account(market.pool).capital == 0
        assert market.vamm.read("totalShares") == 0
