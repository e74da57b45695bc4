"""Insurance that bought collateral, and what bankrupts' losses do to claims on it."""

import pytest

from novation.units import WAD
from tests.unit.backstop.pledged import Pledged
from tests.unit.backstop.stressed import refusal
from tests.world import ANY_MARKET, DAY, NO_LIMIT, World


@pytest.fixture
def stress(world: World) -> Pledged:
    return Pledged(world)


class TestFundWithCollateral:
    def test_shares_are_neither_made_nor_ended_while_the_fund_holds_gold(
        self, stress: Pledged
    ) -> None:
        """Their price does not know it: who came now would get what the stakers paid for."""
        stress.insure(2_000)
        world = stress.world
        stress.owing(gold=100, lots=10, price="1080")
        assert stress.resolve(taker=stress.taker)["Resolved"][0]["done"]
        value = world.vault.read("collateralValue", stress.fund).maintenance
        assert value > 1_700 * WAD > stress.capital(stress.fund)
        shares = world.insurance.read("totalSupply")
        world.chain.send(
            world.token, "approve", world.insurance.address, NO_LIMIT, sender=world.stranger
        )
        most = stress.capital(stress.fund) // 100
        enter = (10**6, world.stranger)
        assert refusal(world.send, "insurance", "deposit", *enter, sender=world.stranger) in (
            ("InsuranceHoldsCollateral", [value, most]),
            ("InsuranceSpent", [stress.capital(stress.fund) // 10**12, shares]),
        )
        assert world.insurance.read("maxDeposit", world.stranger) == 0
        assert refusal(world.send, "insurance", "restart")[0] == "InsuranceNotSpent"
        stress.fund_taker(100_000)
        stress.convert(victim=stress.fund)
        assert stress.has(stress.fund) == 0
        world.send("insurance", "deposit", *enter, sender=world.stranger)
        assert world.insurance.read("totalSupply") > shares

    def test_taker_of_nothing_is_paid_nothing(self, stress: Pledged) -> None:
        """A flat bankrupt could be made again and again, each for the least reward."""
        stress.insure(10_000)
        world = stress.world
        stress.owing(gold=20, lots=2, price="1400")
        world.touch(stress.victim)
        world.chain.advance(3_000)
        stress.leave()
        world.push(stress.feed, "50")
        (told,) = stress.resolve(taker=stress.taker)["Resolved"]
        assert told == {
            "victim": stress.victim, "taker": stress.taker, "done": True, "paid": 0
        }  # fmt: skip

    def test_taker_of_dust_is_paid_what_its_owner_would_have_been_charged(
        self, stress: Pledged
    ) -> None:
        stress.insure(10_000)
        world = stress.world
        account = stress.victim = world.deposit(world.trader, 12)
        world.deposit(world.other, 10_000)
        stress.fund_taker()
        stress.cross(stress.eth, account, stress.other, WAD // 20, 2_000)
        world.push(stress.eth.feed, "1700")
        (told,) = stress.resolve(taker=stress.taker)["Resolved"]
        assert told["paid"] == 85 * WAD * 15_000 // 10**6

    def test_ins_01_a_gift_of_collateral_frees_no_claims_once_the_account_is_marked(
        self, stress: Pledged
    ) -> None:
        stress.insure(10_000)
        world = stress.world
        account = stress.victim = world.deposit(world.trader, 4_000)
        world.deposit(world.other, 100_000)
        stress.cross(stress.eth, account, stress.other, 10 * WAD, 2_000)
        world.push(stress.eth.feed, "1500")
        world.touch(account)
        stress.resolve()
        assert stress.debts()[:2] == (0, 1_000 * WAD)
        world.chain.send(stress.gold, "mint", world.lp, 1)
        world.chain.send(stress.gold, "approve", world.vault.address, NO_LIMIT, sender=world.lp)
        world.send("vault", "deposit", account, stress.gold.address, 1, sender=world.lp)
        assert world.account(account).bitmap >> 62 & 1 == 1
        assert stress.debts()[:2] == (0, 1_000 * WAD)

    def test_mark_goes_when_the_sale_of_collateral_ended_the_bankruptcy(
        self, stress: Pledged
    ) -> None:
        world = stress.world
        victim = stress.owing(gold=20, lots=2, price="1075")
        told = stress.resolve()  # nobody is there to buy the gold
        assert told["Marked"][0]["time"] > 0
        stress.insure(10_000)
        world.chain.advance(100)
        world.push(stress.eth.feed, "1075")
        told = stress.resolve()
        assert told["Marked"] == [{"account": victim, "time": 0}]
        assert told["Resolved"][0]["done"]
        assert stress.size(victim) == 2 * WAD
        world.push(stress.eth.feed, "500")
        assert stress.resolve()["Marked"][0]["time"] > 0  # anew
        assert stress.size(victim) == 2 * WAD


def test_claims_on_insurance_wait_for_bankrupts_and_go_on_after(stress: Pledged) -> None:
    """INS-01: a loss that everybody sees is borne by those who were there."""
    stress.insure(10_000)
    world = stress.world
    owner = world.lp
    shares = int(world.insurance.read("balanceOf", owner))
    world.send("insurance", "request", shares // 2, sender=owner)
    world.chain.advance(7 * DAY + 60)
    account = stress.victim = world.deposit(world.trader, 4_000)
    world.deposit(world.other, 100_000)
    stress.fund_taker()
    world.push(stress.eth.feed, "2000")
    stress.cross(stress.eth, account, stress.other, 10 * WAD, 2_000)
    world.push(stress.eth.feed, "1500")
    world.touch(account)
    values = (shares // 2, owner, owner)
    found = refusal(world.send, "insurance", "redeem", *values, sender=owner)
    assert found == ("InsuranceClaimsWait", [1_000 * WAD, 100 * WAD])
    assert world.insurance.read("maxRedeem", owner) == 0
    assert world.insurance.read("maxWithdraw", owner) == 0
    stress.resolve(taker=stress.taker)
    world.send("insurance", "redeem", *values, sender=owner)
    assert world.insurance.read("balanceOf", owner) == shares - shares // 2


def test_who_owes_behind_collateral_is_listed_as_no_venue(stress: Pledged) -> None:
    """A venue's account has no other collateral: its loss would leave the sum it is counted in."""
    world = stress.world
    victim = stress.owing(price="1960")
    stress.leave()
    assert world.account(victim).bitmap == 1 << 62
    assert stress.debts()[0] == 400 * WAD
    found = refusal(world.send, "clearing", "setVenue", world.trader, ANY_MARKET, True)
    assert found == ("ClearingVenueAccount", [victim])
