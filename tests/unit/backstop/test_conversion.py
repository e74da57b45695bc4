"""Other collateral behind a loss: conversion, interest, and what resolution does with it."""

from fractions import Fraction

import pytest

from novation.units import WAD
from tests.unit.backstop.pledged import DISCOUNT, SALE, YEAR, Pledged
from tests.unit.backstop.stressed import DUST, refusal, worth
from tests.world import DAY, HOUR, NO_LIMIT, World


@pytest.fixture(params=[18, 8, 6])
def scaled(world: World, request: pytest.FixtureRequest) -> Pledged:
    return Pledged(world, decimals=request.param)


@pytest.fixture
def stress(world: World) -> Pledged:
    return Pledged(world)


class TestSale:
    def test_loss_is_paid_for_at_the_price_less_the_discount(self, scaled: Pledged) -> None:
        victim = scaled.owing()
        had = scaled.capital(scaled.taker)
        sold = scaled.convert()
        amount = -(-1_000 * WAD * scaled.unit // SALE)
        paid = -(-amount * SALE // scaled.unit)
        assert (sold["amount"], sold["paid"]) == (amount, paid)
        assert (sold["left"], sold["has"]) == (100 * scaled.unit - amount, amount)
        assert scaled.has(scaled.taker) == amount
        assert scaled.capital(scaled.taker) == had - paid
        left = scaled.world.account(victim)
        assert (left.pnl, left.capital) == (0, paid - 1_000 * WAD)
        assert scaled.debts() == (0, 0, 0)

    def test_liq_18_a_sale_raises_equity_by_more_than_the_collateral_counted(
        self, stress: Pledged
    ) -> None:
        """The discount is half the haircut: 100 that counted less than 90 bring 95."""
        stress.owing()
        before = stress.health().equity
        sold = stress.convert()
        gained = stress.health().equity - before
        least = sold["amount"] * 100 * (Fraction(1, 10) - DISCOUNT)
        assert gained > least > 0

    def test_liq_06_an_amount_is_cut_to_what_is_needed_and_what_the_taker_has(
        self, stress: Pledged
    ) -> None:
        stress.owing()
        assert stress.convert(amount=WAD)["amount"] == WAD
        assert stress.world.account(stress.victim).pnl == -1_000 * WAD + SALE
        world = stress.world
        poor = world.deposit(world.stranger, 10, 7)
        sold = stress.convert(taker=poor)
        assert sold["amount"] == 10 * WAD * WAD // SALE
        assert sold["paid"] <= 10 * WAD
        with_all = stress.convert()
        assert with_all["left"] > 0
        assert stress.world.account(stress.victim).pnl == 0

    def test_last_of_a_token_ends_the_mark_of_other_collateral(self, stress: Pledged) -> None:
        stress.owing(gold=40, lots=10, price="1600")
        stress.convert()
        left = stress.world.account(stress.victim)
        assert stress.has(stress.victim) == 0 == left.bitmap >> 62 & 1
        assert left.pnl == 40 * SALE - 4_000 * WAD
        assert stress.debts() == (0, -left.pnl, 0)

    def test_price_above_the_takers_is_refused(self, stress: Pledged) -> None:
        stress.owing()
        assert refusal(stress.convert, price=SALE - 1) == ("BackstopPrice", [SALE, SALE - 1])
        assert stress.convert(price=SALE)["amount"] > 0

    def test_only_who_may_fund_the_taker_converts_into_it(self, stress: Pledged) -> None:
        stress.owing()
        world = stress.world
        found = refusal(stress.convert, sender=world.other)
        assert found == ("ClearingNotAuthorised", [stress.taker, world.other])
        stress.lend(stress.taker, world.other, world.stranger)
        assert stress.convert(sender=world.other)["to"] == stress.taker

    def test_victim_insurance_and_venues_are_no_takers(self, stress: Pledged) -> None:
        stress.owing()
        world = stress.world
        found = refusal(stress.convert, taker=stress.victim, sender=world.trader)
        assert found == ("BackstopSameAccount", [stress.victim])
        mine = world.deposit(world.stranger, 10, 9)
        found = refusal(stress.convert, victim=mine, taker=mine)
        assert found == ("BackstopSameAccount", [mine])

    def test_account_without_that_token_has_nothing_to_sell(self, stress: Pledged) -> None:
        silver, _ = stress.list_token("Silver", 18, 100_000)
        stress.owing()
        found = refusal(stress.convert, token=silver)
        assert found == ("BackstopNothing", [stress.victim, silver.address])

    def test_dead_feed_stops_a_conversion_by_name(self, stress: Pledged) -> None:
        stress.owing()
        stress.world.chain.advance(2 * HOUR)
        stress.world.push(stress.eth.feed, "1900")
        assert refusal(stress.convert)[0] == "OracleStale"

    def test_inv_08_taker_keeps_initial_margin(self, stress: Pledged) -> None:
        """Gold for 500 counts less than 475: what he pays must be free without it."""
        stress.owing(price="1950")
        world = stress.world
        small = world.deposit(world.stranger, 1_970, 3)
        stress.cross(stress.eth, small, stress.other, 10 * WAD, 1_950)
        found = refusal(stress.convert, taker=small)
        assert found[0] == "ClearingInitialMargin"

    def test_gold_that_was_bought_can_be_withdrawn_and_no_money_is_made(
        self, stress: Pledged
    ) -> None:
        stress.owing()
        world = stress.world
        amount = stress.convert()["amount"]
        values = (stress.taker, stress.gold.address, amount, world.stranger, [], 0)
        world.send("vault", "withdraw", *values, sender=world.stranger)
        assert stress.gold.read("balanceOf", world.stranger) == amount
        assert world.account(stress.taker).bitmap == 0


class TestThreshold:
    def test_loss_up_to_the_threshold_is_left_alone(self, stress: Pledged) -> None:
        stress.terms(threshold=1_000)
        victim = stress.owing()
        found = refusal(stress.convert)
        assert found == ("BackstopLossTooSmall", [victim, 1_000 * WAD, 1_000 * WAD])
        stress.world.push(stress.eth.feed, "1899.99")
        assert stress.convert()["amount"] > 0

    def test_account_without_a_loss_is_never_converted(self, stress: Pledged) -> None:
        victim = stress.owing(price="2001")
        assert refusal(stress.convert) == ("BackstopLossTooSmall", [victim, 0, 0])

    def test_loss_of_an_account_without_positions_has_no_threshold(self, stress: Pledged) -> None:
        stress.terms(threshold=10_000)
        stress.owing(price="1990")
        assert refusal(stress.convert)[0] == "BackstopLossTooSmall"
        stress.leave()
        assert stress.convert()["paid"] == pytest.approx(100 * WAD, abs=100)

    def test_threshold_is_gone_while_profits_are_not_covered(self, stress: Pledged) -> None:
        """h < 1 once the winner's profit is recorded: nothing of the loss is in the vault."""
        stress.terms(threshold=10_000)
        victim = stress.owing()
        assert refusal(stress.convert)[0] == "BackstopLossTooSmall"
        stress.world.touch(stress.other, victim)
        assert stress.world.clearing.read("releaseRatio") < WAD
        assert stress.convert()["amount"] > 0
        assert stress.world.clearing.read("releaseRatio") == WAD

    def test_rl_11_threshold_is_gone_when_all_losses_together_pass_the_cap(
        self, stress: Pledged
    ) -> None:
        """Sub-accounts cannot borrow without limit: their sum is bounded."""
        stress.terms(threshold=10_000, cap=1_000)
        world = stress.world
        victim = stress.owing(price="2000")
        other = stress.pledge(100 * stress.unit, world.lp)
        stress.cross(stress.eth, other, stress.other, 6 * WAD, 2_000)
        world.push(stress.eth.feed, "1960")
        world.touch(victim)
        assert refusal(stress.convert)[0] == "BackstopLossTooSmall"
        world.push(stress.eth.feed, "1910")
        world.touch(victim, other)
        assert stress.debts()[0] == 900 * WAD + 540 * WAD
        assert world.clearing.read("releaseRatio") == WAD
        assert stress.convert()["amount"] > 0

    def test_bankrupt_account_has_no_threshold(self, stress: Pledged) -> None:
        stress.terms(threshold=10_000)
        stress.owing(gold=20, lots=2, price="1000")
        assert stress.health().equity < 0
        assert stress.convert()["left"] == 0


class TestInterest:
    def test_loss_behind_collateral_bears_interest_by_the_second(self, stress: Pledged) -> None:
        stress.terms(rate=100_000)
        victim = stress.owing()
        world = stress.world
        world.touch(victim)
        assert stress.debts() == (1_000 * WAD, 0, 0)
        at, index = world.chain.now, world.vault.read("interestIndex")
        world.chain.mine_at(at + 30 * DAY)
        owed = stress.touched(victim).pnl
        grown = world.vault.read("interestIndex") - index
        assert grown == pytest.approx(WAD // 10 * 30 * DAY // YEAR, abs=2)
        assert owed == -1_000 * WAD - -(-1_000 * WAD * grown // WAD)

    def test_interest_is_insurances_when_it_was_charged(self, stress: Pledged) -> None:
        stress.terms(rate=500_000)
        victim = stress.owing()
        world = stress.world
        world.touch(victim)
        world.chain.advance(10 * DAY)
        world.push(stress.eth.feed, "1900")
        world.push(stress.feed, "100")
        world.touch(victim)
        charged = stress.debts()[2]
        assert charged == pytest.approx(1_000 * WAD * 10 // 365 // 2, rel=1e-4)
        world.check_identity()
        world.chain.send(stress.door, "collectInterest", sender=world.stranger)
        assert stress.debts()[2] == 0
        assert world.account(stress.fund).pnl == charged
        assert refusal(world.chain.send, stress.door, "collectInterest") == (
            "ClearingZeroAmount",
            [],
        )
        stress.convert()
        assert world.clearing.read("releaseRatio") == WAD
        world.send("insurance", "release", charged, [], sender=world.stranger)
        assert stress.capital(stress.fund) == charged

    def test_inv_30_a_change_of_the_rate_changes_no_interest_of_the_past(
        self, stress: Pledged
    ) -> None:
        stress.terms(rate=100_000)
        victim = stress.owing()
        world = stress.world
        world.touch(victim)
        world.chain.mine_at(world.chain.now + YEAR // 10)
        before = world.vault.read("interestIndex")
        stress.terms(rate=0)
        assert world.vault.read("interestIndex") - before <= WAD // 10 * 10 // YEAR
        then = stress.touched(victim).pnl
        world.chain.mine_at(world.chain.now + YEAR)
        assert stress.touched(victim).pnl == then < -1_009 * WAD

    def test_deposit_pays_interest_first(self, stress: Pledged) -> None:
        stress.terms(rate=500_000)
        victim = stress.owing()
        world = stress.world
        world.touch(victim)
        world.chain.advance(30 * DAY)
        world.deposit(world.trader, 2_000)
        left, interest = world.account(victim), stress.debts()[2]
        assert interest == pytest.approx(1_000 * WAD * 30 // 365 // 2, rel=1e-4)
        assert (left.pnl, left.capital) == (0, 1_000 * WAD - interest)
        assert stress.debts()[:2] == (0, 0)
        world.chain.advance(30 * DAY)
        assert stress.touched(victim).capital == left.capital

    def test_loss_without_collateral_bears_none(self, stress: Pledged) -> None:
        stress.terms(rate=500_000)
        world = stress.world
        stress.world.deposit(world.trader, 400)
        stress.victim = account = stress.long(1)
        world.push(stress.eth.feed, "1000")
        world.touch(account)
        then = stress.touched(account).pnl
        assert then < 0
        world.chain.advance(30 * DAY)
        assert stress.touched(account).pnl == then
        assert stress.debts() == (0, -then, 0)

    @pytest.mark.parametrize(
        ("values", "found"),
        [
            ((500_001, 0, 0), [b"rate".ljust(32, b"\0"), 500_001, 500_000]),
            ((0, 10_001, 0), [b"threshold".ljust(32, b"\0"), 10_001, 10_000]),
        ],
    )
    def test_terms_beyond_their_bounds_are_refused(
        self, stress: Pledged, values: tuple[int, int, int], found: list[object]
    ) -> None:
        send = stress.world.send
        assert refusal(send, "vault", "setLossTerms", *values) == ("VaultOutOfBounds", found)

    def test_gov_05_only_risk_sets_terms(self, stress: Pledged) -> None:
        world = stress.world
        found = refusal(world.send, "vault", "setLossTerms", 1, 1, 1, sender=world.stranger)
        assert found[0] == "AccessManagedUnauthorized"

    def test_only_the_clearing_house_sells_collateral(self, stress: Pledged) -> None:
        victim = stress.owing()
        world, send = stress.world, stress.world.send
        values = (victim, stress.taker, stress.gold.address, WAD, WAD, WAD)
        for name, given in (("seize", values), ("seizeAll", (victim, stress.taker, WAD, WAD))):
            found = refusal(send, "vault", name, *given, sender=world.stranger)
            assert found == ("VaultNotClearing", [world.stranger])


class TestBankrupt:
    def test_insurance_buys_the_collateral_and_pays_the_rest(self, stress: Pledged) -> None:
        """Gold brings 1,900 of 3,000; 1,100 are missing, of which cover pays 800."""
        stress.insure(4_000, (200_000, 0))
        victim = stress.owing(gold=20, lots=2, price="500")
        assert stress.health().equity < 0
        told = stress.resolve(taker=stress.taker)
        cover = (4_000 - 1_900) * WAD * 200_000 // 10**6
        assert told["Covered"] == [
            {
                "account": victim,
                "market": 0,
                "insured": pytest.approx(cover, rel=1e-9),
                "charged": pytest.approx(1_100 * WAD - cover, rel=1e-9),
            }
        ]
        assert stress.has(stress.fund) == 20 * stress.unit
        assert stress.has(victim) == 0
        assert stress.world.account(victim).bitmap == 0
        assert stress.size(stress.taker) == 2 * WAD

    def test_collateral_that_covers_the_loss_ends_it_there(self, stress: Pledged) -> None:
        """Below zero by the haircut, and not by what the gold brings: the position stays."""
        stress.insure(10_000)
        victim = stress.owing(gold=20, lots=2, price="1075")
        assert stress.health().equity < 0
        told = stress.resolve(taker=stress.taker)
        assert told["Resolved"][0]["done"]
        assert "Covered" not in told
        assert stress.size(victim) == 2 * WAD
        assert stress.world.account(victim).pnl == 0
        assert stress.has(stress.fund) > 19 * stress.unit

    def test_ins_10_insurances_gold_is_for_sale_and_never_below_the_discount(
        self, stress: Pledged
    ) -> None:
        stress.insure(4_000, (200_000, 0))
        stress.owing(gold=20, lots=2, price="500")
        stress.resolve(taker=stress.taker)
        had = stress.capital(stress.fund)
        sold = stress.convert(victim=stress.fund, amount=5 * stress.unit)
        assert (sold["amount"], sold["paid"]) == (5 * stress.unit, 5 * SALE)
        assert stress.capital(stress.fund) == had + 5 * SALE
        stress.convert(victim=stress.fund)
        assert stress.has(stress.fund) == 0
        assert stress.world.account(stress.fund).bitmap == 0

    @pytest.mark.parametrize("stake", [0, 4_000])
    def test_liq_22_a_wei_of_collateral_stops_nothing(self, stress: Pledged, stake: int) -> None:
        """Anybody may give a bankrupt account some."""
        if stake:
            stress.insure(stake)
        world = stress.world
        account = stress.victim = world.deposit(world.trader, 400)
        world.deposit(world.other, 10_000)
        stress.fund_taker()
        stress.cross(stress.eth, account, stress.other, WAD, 2_000)
        world.push(stress.eth.feed, "1500")
        world.chain.send(stress.gold, "mint", world.lp, 1)
        world.chain.send(stress.gold, "approve", world.vault.address, NO_LIMIT, sender=world.lp)
        world.send("vault", "deposit", account, stress.gold.address, 1, sender=world.lp)
        told = stress.resolve(taker=stress.taker)
        assert told["Resolved"][0]["done"]
        assert stress.size(account) == 0
        assert abs(world.account(account).pnl) <= DUST

    def test_collateral_that_nobody_can_pay_for_waits_with_a_loss_behind_it(
        self, stress: Pledged
    ) -> None:
        """No stake: 20 gold count some 1,796, the rest of 3,000 is charged; the gold is on sale."""
        victim = stress.owing(gold=20, lots=2, price="500")
        counted = stress.world.vault.read("collateralValue", victim).maintenance
        told = stress.resolve(taker=stress.taker)
        assert told["Covered"][0]["charged"] == 3_000 * WAD - counted
        left = stress.world.account(victim)
        assert (left.pnl, left.bitmap) == (-counted, 1 << 62)
        assert stress.size(victim) == 0
        sold = stress.convert()
        assert sold["paid"] == pytest.approx(counted, rel=1e-9)
        assert stress.world.account(victim).pnl == 0

    def test_mrg_10_a_dead_token_waits_at_twice_its_haircut_and_stops_nothing(
        self, stress: Pledged
    ) -> None:
        stress.insure(4_000)
        world = stress.world
        victim = stress.owing(gold=20, lots=2, price="500")
        world.chain.advance(2 * HOUR)
        world.push(stress.eth.feed, "500")
        counted = world.vault.read("collateralValue", victim).maintenance
        assert counted == pytest.approx(1_600 * WAD, rel=1e-3)
        told = stress.resolve(taker=stress.taker)
        assert told["Covered"][0]["insured"] + told["Covered"][0]["charged"] == (
            3_000 * WAD - counted
        )
        assert world.account(victim).pnl == -counted
        assert stress.has(victim) == 20 * stress.unit
        assert stress.size(victim) == 0
        assert refusal(stress.convert)[0] == "OracleStale"
        world.push(stress.feed, "100")
        assert stress.convert()["paid"] == pytest.approx(counted, rel=1e-9)

    def test_rl_08_flat_account_whose_collateral_fell_is_an_orphan(self, stress: Pledged) -> None:
        """S19: a loss behind collateral, no position, no market: insurance, then through h."""
        stress.insure(500, (0, 0))
        world = stress.world
        victim = stress.owing(gold=20, lots=2, price="1400")
        world.touch(victim)
        world.chain.advance(3_000)
        stress.leave()
        assert world.account(victim).pnl == pytest.approx(-1_200 * WAD, abs=DUST)
        world.push(stress.feed, "50")
        assert stress.health().equity < 0
        told = stress.resolve(taker=stress.taker)
        # all of the 500 bought gold at 47.5; what is left of it counts some 427, and waits
        assert stress.capital(stress.fund) < 10**13
        assert stress.has(stress.fund) == pytest.approx(500 * stress.unit * 2 // 95, rel=1e-9)
        waits = -world.account(victim).pnl
        assert waits == world.vault.read("collateralValue", victim).maintenance > 400 * WAD
        (orphan,) = told["Orphaned"]
        lost = world.clearing.read("orphanDeficit")
        assert orphan["lost"] == lost == pytest.approx(700 * WAD - waits, abs=10**14)

    def test_bankrupt_without_a_taker_is_marked_after_its_collateral_was_sold(
        self, stress: Pledged
    ) -> None:
        stress.insure(4_000)
        victim = stress.owing(gold=20, lots=2, price="500")
        told = stress.resolve()
        assert told["Marked"][0]["account"] == victim
        assert not told["Resolved"][0]["done"]
        assert (stress.has(victim), stress.has(stress.fund)) == (0, 20 * stress.unit)
        assert stress.world.account(victim).pnl == pytest.approx(-1_100 * WAD, rel=1e-9)
        assert stress.size(victim) == 2 * WAD
        stress.world.chain.advance(2 * HOUR)
        stress.world.push(stress.eth.feed, "500")
        told = stress.resolve()
        assert told["Resolved"][0]["done"]
        assert stress.size(victim) == 0

    def test_coalition_of_victim_and_taker_gains_nothing(self, stress: Pledged) -> None:
        """INV-16: what the taker gets cheaper the victim gave."""
        world = stress.world
        victim = stress.owing()
        before = worth(stress, victim) + worth(stress, stress.taker)
        gold = stress.has(victim) + stress.has(stress.taker)
        stress.convert()
        after = worth(stress, victim) + worth(stress, stress.taker)
        assert stress.has(victim) + stress.has(stress.taker) == gold
        assert after == before
        world.check_identity()
