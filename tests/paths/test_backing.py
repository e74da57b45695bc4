"""What backs a market, and the cap of open interest that follows: LPs, stakers, gaps, takeovers."""

from typing import Any

import pytest

from novation.chain.errors import ContractError
from novation.units import WAD
from tests.paths.acts import any_venue, ask_exit, calm, cross, refused, round_
from tests.paths.losses import against, end, insured, resolve, take, worth
from tests.world import DAY, Market, World, account_id, risk

MILLION = 10**6 * WAD


def at_multiple(world: World, market: Market, multiple: int) -> None:
    world.chain.send(market.perp, "setParams", risk(backingMultiple=multiple))
    back(world, market)


def back(world: World, market: Market, sender: str | None = None) -> dict[str, Any]:
    """By anybody."""
    who = sender or world.stranger
    return dict(world.send("backing", "back", market.number, False, sender=who))


def cap(world: World, market: Market) -> int:
    """The cap in force, WAD lots."""
    return int(world.view(market).openInterestCap)


def expected(world: World, market: Market, multiple: int) -> int:
    """By the definition, of what stands in the ledger and in insurance; the pool's venue fills."""
    pool = max(worth(world, market.pool), 0)
    cover = world.insurance.read("allotmentOf", market.number)
    return int((pool // 2 + cover) * WAD // world.view(market).index * multiple)


def open_interest(world: World, market: Market) -> int:
    return int(world.view(market).openInterest)


def crowd(world: World) -> tuple[bytes, bytes]:
    """A long and a short of people with a million each."""
    return world.deposit(world.trader, 10**6), world.deposit(world.stranger, 10**6)


def numbers(error: pytest.ExceptionInfo[ContractError]) -> list[Any]:
    return list(error.value.arguments.values())


class TestBack:
    def test_half_of_the_pool_and_the_cover_times_the_multiple(self, world: World) -> None:
        """What it returns, tells, and stores; to the wei after trades, a stake and a new price."""
        eth = world.markets[0]
        assert world.backing.read("back", 0, False) == (0, expected(world, eth, 20))
        assert expected(world, eth, 20) == 5_000 * WAD
        world.deposit(world.trader, 50_000)
        world.trade(eth, world.trader, 7 * WAD)
        insured(world, stake=100_000)
        round_(world, eth, "2013.37")
        at_multiple(world, eth, 12)
        receipt = back(world, eth)
        found = expected(world, eth, 12)
        block = int(receipt["blockNumber"], 16)
        (told,) = eth.perp.events(["BackingSet"], block, block)
        assert told.values["backing"] == found // 12
        assert eth.perp.read("backing") == (found // 12, found, True)
        assert cap(world, eth) == found < 20_000 * WAD

    def test_pool_below_nothing_counts_nothing(self, world: World) -> None:
        """Its deficit does not eat the cover of insurance."""
        eth = world.markets[0]
        venue = any_venue(world)
        insured(world, stake=100_000)
        other = world.deposit(world.other, 3_000_000)
        cross(world, venue, other, eth.pool, 450 * WAD, 2_000)
        round_(world, eth, "5000")
        assert worth(world, eth.pool) < -300_000 * WAD
        back(world, eth)
        assert cap(world, eth) == 20 * 40_000 * WAD // 5_000 == expected(world, eth, 20)

    def test_dead_market_keeps_what_it_was_told(self, world: World) -> None:
        eth = world.markets[0]
        before = cap(world, eth)
        world.chain.advance(DAY)
        with refused("OracleStale"):
            back(world, eth)
        assert cap(world, eth) == before

    def test_market_that_nobody_told_has_its_static_cap(self, world: World) -> None:
        new = world.list_market("2000")
        assert cap(world, new) == 20_000 * WAD
        back(world, new)
        assert cap(world, new) == 0
        with refused("ClearingUnknownMarket"):
            world.send("backing", "back", 9, False)

    def test_stopped_venue_backs_nothing_and_holds_nobody_back(self, world: World) -> None:
        """GOV-08: its LPs leave in cash whatever is open; nobody else can be held by its name."""
        eth = world.markets[0]
        long, short = crowd(world)
        cross(world, any_venue(world), long, short, 100 * WAD, 2_000)
        exiting = ask_exit(world, eth, world.lp, ratio=0)
        world.send("clearing", "stopVenue", eth.vamm.address)
        world.push(eth.feed, "2000")
        back(world, eth)
        assert cap(world, eth) == 0
        world.send("backing", "back", 0, True, sender=world.stranger)
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        assert world.account(eth.pool).capital < 1_001 * WAD  # the fee of his exit


class TestLiquidityLeaves:
    def two_pools(self, world: World) -> tuple[Market, bytes, bytes, str]:
        """A million of either LP at multiple 1: 500 lots, all of them open; the second LP asks."""
        eth = world.markets[0]
        at_multiple(world, eth, 1)
        assert cap(world, eth) == 250 * WAD
        world.add_liquidity(eth, 10**6, "2000", lp=world.other)
        assert cap(world, eth) == 500 * WAD
        venue = any_venue(world)
        long, short = crowd(world)
        cross(world, venue, long, short, 500 * WAD, 2_000)
        return eth, long, short, venue

    def test_re_05_cash_does_not_leave_what_is_open_unbacked(self, world: World) -> None:
        """Deposit k, open to the cap, exit: refused until the traders have closed as much."""
        eth, long, short, venue = self.two_pools(world)
        with pytest.raises(ContractError, match="ClearingOpenInterestCap") as over:
            cross(world, venue, long, short, WAD, 2_000)
        assert numbers(over) == [0, 501 * WAD, 500 * WAD]
        exiting = ask_exit(world, eth, world.other)
        world.push(eth.feed, "2000")
        shares = eth.vamm.read("sharesOf", exiting)
        with pytest.raises(ContractError, match="BackingTooLow") as held:
            world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        market, open_, left = numbers(held)
        assert (market, open_) == (0, 500 * WAD)
        assert 250 * WAD < left < 251 * WAD
        assert eth.vamm.read("sharesOf", exiting) == shares
        assert eth.vamm.read("requestsOf", exiting)[1].amount == shares
        assert cap(world, eth) == 500 * WAD
        cross(world, venue, short, long, 250 * WAD, 2_000)
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        assert eth.vamm.read("sharesOf", exiting) == 0
        assert cap(world, eth) == left == expected(world, eth, 1)
        assert open_interest(world, eth) == 250 * WAD

    def test_lps_of_a_settling_market_leave_whatever_is_open(self, world: World) -> None:
        """Nothing opens any more, and leaving in kind is shut: cash is the only way."""
        eth, *_ = self.two_pools(world)
        exiting = ask_exit(world, eth, world.other)
        world.push(eth.feed, "2000")
        with pytest.raises(ContractError, match="BackingTooLow"):
            world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        world.chain.send(eth.perp, "beginSettlement")
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        assert eth.vamm.read("sharesOf", exiting) == 0
        assert open_interest(world, eth) == 500 * WAD > cap(world, eth)

    def test_re_05_a_part_may_leave_as_far_as_the_rest_backs(self, world: World) -> None:
        eth, long, short, venue = self.two_pools(world)
        cross(world, venue, short, long, 50 * WAD, 2_000)
        exiting = ask_exit(world, eth, world.other, shares=190_000 * WAD)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        assert 450 * WAD < cap(world, eth) < 453 * WAD

    def test_re_05_guardians_cap_does_not_hold_money_back(self, world: World) -> None:
        """Only what backs counts: a static cap below what is open leaves LPs their way out."""
        eth, long, short, venue = self.two_pools(world)
        cross(world, venue, short, long, 300 * WAD, 2_000)
        world.chain.send(eth.perp, "tightenCaps", WAD, 5_000_000)
        exiting = ask_exit(world, eth, world.other)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        assert (cap(world, eth), open_interest(world, eth)) == (WAD, 200 * WAD)

    def test_re_05_in_kind_he_leaves_and_growth_stops(self, world: World) -> None:
        """His part of the position is his own then, and open: it may only shrink, as all may."""
        eth, long, short, venue = self.two_pools(world)
        cross(world, venue, eth.pool, long, 20 * WAD, 2_000)
        exiting = ask_exit(world, eth, world.other)
        world.push(eth.feed, "2000")
        before = open_interest(world, eth)
        world.chain.send(eth.vamm, "executeInKind", exiting, sender=world.other)
        size = world.size(exiting, eth)
        assert abs(size - 10 * WAD) < WAD
        assert abs(open_interest(world, eth) - before) < 100
        assert 250 * WAD < cap(world, eth) < 252 * WAD
        for buyer, seller in ((long, short), (exiting, short)):
            with refused("ClearingOpenInterestCap"):
                cross(world, venue, buyer, seller, WAD, 2_000)
        cross(world, venue, short, exiting, 5 * WAD, 2_000)
        cross(world, venue, short, long, 260 * WAD, 2_000)
        cross(world, venue, long, short, WAD, 2_000)

    def test_re_05_coming_back_opens_no_more_than_before(self, world: World) -> None:
        """Who opens to the cap and leaves in kind has had his one time: the same money again
        brings the cap to what is open."""
        eth, long, short, venue = self.two_pools(world)
        exiting = ask_exit(world, eth, world.other)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeInKind", exiting, sender=world.other)
        assert cap(world, eth) < 252 * WAD
        world.add_liquidity(eth, 998_000, "2000", lp=world.other)
        assert 499 * WAD < cap(world, eth) <= 500 * WAD == open_interest(world, eth)
        with refused("ClearingOpenInterestCap"):
            cross(world, venue, long, short, WAD, 2_000)

    def test_re_05_money_of_a_moment_raises_no_cap(self, world: World) -> None:
        """In the block it comes it is in escrow and backs nothing; once in, it stays a day; when
        it goes, so does its cap."""
        eth = world.markets[0]
        at_multiple(world, eth, 1)
        account = world.deposit(world.other, 10**6)
        values = (account, eth.vamm.address, 4)
        world.send("clearing", "setDelegate", *values, sender=world.other)
        world.chain.send(eth.vamm, "requestDeposit", account, MILLION, sender=world.other)
        with refused("VammNoNewRound"):
            world.chain.send(eth.vamm, "executeDeposit", account)
        back(world, eth)
        assert cap(world, eth) == 250 * WAD
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeDeposit", account)
        assert cap(world, eth) == 500 * WAD
        shares = eth.vamm.read("sharesOf", account)
        world.chain.send(eth.vamm, "requestWithdrawal", account, shares, WAD, sender=world.other)
        with refused("VammTooEarly"):
            world.chain.send(eth.vamm, "executeWithdrawal", account)
        world.chain.advance(DAY)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeWithdrawal", account)
        assert 250 * WAD < cap(world, eth) < 251 * WAD

    @pytest.mark.parametrize("function", ["executeWithdrawal", "executeInKind"])
    def test_inv_17_an_lp_who_leaves_changes_nobodys_health(
        self, world: World, function: str
    ) -> None:
        """At the same second with and without him: equity and maintenance of all, to the wei."""
        eth, long, short, venue = self.two_pools(world)
        world.deposit(world.stranger, 50_000, sub=1)
        thin = account_id(world.stranger, 1)
        cross(world, venue, short, long, 430 * WAD, 2_000)
        cross(world, venue, thin, eth.pool, 190 * WAD, 2_000)
        exiting = ask_exit(world, eth, world.other)
        world.push(eth.feed, "1880")
        world.touch(long, short, thin, eth.pool)
        calm(world, eth, "1880")
        others = (long, short, thin, account_id(world.lp))
        then = world.chain.now + 1
        found = []
        for leaves in (True, False):
            with world.isolated() as copy:
                copy.chain.next_at(then)
                if leaves:
                    sender = world.other if function == "executeInKind" else None
                    copy.chain.send(eth.vamm, function, exiting, sender=sender)
                else:
                    copy.touch(eth.pool)
                assert copy.chain.now == then
                found.append([tuple(copy.health(each))[:2] for each in others])
        assert found[0] == found[1]
        equity, maintenance = found[0][2]
        assert maintenance < equity < 2 * maintenance


class TestInsurance:
    def test_stake_that_asks_to_leave_backs_nothing(self, world: World) -> None:
        """Without waiting for its cooldown, from the next `back` on; a cancel brings it back."""
        eth = world.markets[0]
        at_multiple(world, eth, 10)
        assert cap(world, eth) == 2_500 * WAD
        insured(world, stake=100_000)
        back(world, eth)
        assert cap(world, eth) == 2_700 * WAD
        shares = world.insurance.read("balanceOf", world.lp)
        world.send("insurance", "request", shares, sender=world.lp)
        back(world, eth)
        assert 2_500 * WAD < cap(world, eth) == expected(world, eth, 10) < 2_501 * WAD
        world.send("insurance", "cancel", sender=world.lp)
        back(world, eth)
        assert cap(world, eth) == 2_700 * WAD

    def test_draw_lowers_the_cap_when_anybody_asks(self, world: World) -> None:
        """10,000 of the cover of 40,000 are gone: 20 * 10,000 / 1,500 lots, and a bit: the rest
        of the allotment is counted of the stake that is left."""
        eth = world.markets[0]
        insured(world, stake=100_000)
        back(world, eth)
        before = cap(world, eth)
        long, _ = against(world, any_venue(world), 5_000, 50_000, size=20 * WAD)
        taker = world.deposit(world.stranger, 100_000)
        round_(world, eth, "1500")
        assert resolve(world, long, taker, sender=world.stranger)[0]
        assert world.insurance.read("usedOf", 0) > 4_900 * WAD
        assert cap(world, eth) == before
        back(world, eth)
        assert cap(world, eth) == expected(world, eth, 20)

    def test_re_08_at_the_cap_cover_pays_a_gap_of_a_tenth(self, world: World) -> None:
        """10 times the cover is open at full leverage: a jump 10 % past the margin costs the other
        side nothing. With a fifth more open it would."""
        eth = world.markets[0]
        world.send("clearing", "stopVenue", eth.vamm.address)
        insured(world, stake=100_000)
        at_multiple(world, eth, 10)
        assert cap(world, eth) == 200 * WAD
        for size, pays in ((200 * WAD, False), (240 * WAD, True)):
            with world.isolated() as copy:
                if pays:
                    at_multiple(copy, eth, 20)
                margin = size * 2_120 // 10 // WAD
                venue = any_venue(copy)
                long, short = against(copy, venue, margin, 10**6, size=size)
                taker = copy.deposit(copy.stranger, 10**6)
                stake = worth(copy, account_id(copy.insurance.address))
                round_(copy, eth, "1590")
                gap = -copy.health(long).equity
                assert 0.09 < gap / (size * 2_000) < 0.11
                has = worth(copy, short)
                resolve(copy, long, taker, sender=copy.stranger)
                paid = stake - worth(copy, account_id(copy.insurance.address))
                charged = has - worth(copy, short)
                assert (charged > 1_000 * WAD) == pays
                if not pays:
                    assert charged == 0
                    assert gap <= paid < 40_000 * WAD


class TestCapBelowWhatIsOpen:
    def test_gov_09_growth_stops_and_all_else_goes_on(self, world: World) -> None:
        """The cap falls to nothing: nobody may grow; who reduces, takes over or ends an account may
        (LIQ-21, RL-14)."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world, stake=0)
        world.send("clearing", "stopVenue", eth.vamm.address)
        back(world, eth)
        assert (cap(world, eth), open_interest(world, eth)) == (0, 20 * WAD)
        with pytest.raises(ContractError, match="ClearingOpenInterestCap") as over:
            cross(world, venue, taker, short, WAD, 2_000)
        assert numbers(over) == [0, 21 * WAD, 0]
        cross(world, venue, short, long, WAD, 2_000)
        cross(world, venue, taker, long, WAD, 2_000)
        assert open_interest(world, eth) == 19 * WAD
        round_(world, eth, "1820")
        took = take(world, long, taker, world.stranger, size=2 * WAD)
        assert took.size == -2 * WAD
        assert open_interest(world, eth) == 19 * WAD
        round_(world, eth, "1650")
        end(world, long, "1650")
        assert world.size(long, eth) == 0
        assert open_interest(world, eth) == pytest.approx(3 * WAD, rel=1e-9)

    def test_liq_21_a_taker_without_capital_sells_to_the_venue(self, world: World) -> None:
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        insured(world)
        for price in ("1910", "1850"):
            round_(world, eth, price)
            calm(world, eth, price)
        world.chain.send(eth.perp, "tightenCaps", 0, 0)
        before = open_interest(world, eth)
        world.known[account_id(world.stranger)] = None
        took = take(world, long, account_id(world.stranger), world.stranger, venue=eth.vamm.address)
        assert took.size < 0
        assert open_interest(world, eth) <= before

    def test_gov_09_a_price_that_rose_leaves_lps_in_kind_only(self, world: World) -> None:
        """The same money backs fewer lots: 250 at 2,000 are 200 at 2,500. It reads the lower of
        the two, and no sum goes below 0."""
        eth = world.markets[0]
        at_multiple(world, eth, 1)
        long, short = crowd(world)
        cross(world, any_venue(world), long, short, 250 * WAD, 2_000)
        exiting = ask_exit(world, eth, world.lp, shares=10_000 * WAD)
        world.push(eth.feed, "2500")
        back(world, eth)
        assert (cap(world, eth), open_interest(world, eth)) == (200 * WAD, 250 * WAD)
        with refused("BackingTooLow"):
            world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        calm(world, eth, "2500")
        world.chain.send(eth.vamm, "executeInKind", exiting, sender=world.lp)
        assert eth.vamm.read("requestsOf", exiting)[1].amount == 0
