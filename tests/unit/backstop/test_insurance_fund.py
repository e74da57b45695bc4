"""InsuranceFund: deposits, the way out, the end of a stake, cover, parameters."""

from typing import Any

import pytest

from novation.chain.reverts import decode_revert
from novation.units import WAD
from tests.local_chain import LocalChain
from tests.unit.backstop.conftest import (
    COOLDOWN,
    MARKET,
    OTHER_MARKET,
    SHARES,
    WINDOW,
    Insured,
    deploy_fund,
    refusal,
)
from tests.world import ANY_MARKET, DAY, HOUR, KEEP_PREMIUM, NO_LIMIT, ZERO, World, account_id

M = 10**6  # units of a token of 6 decimals
WEEK = 7 * DAY  # in which a draw is forgotten


def events(insured: Insured, receipt: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    block = int(receipt["blockNumber"], 16)
    return [dict(e.values) for e in insured.fund.events(list(names), block, block)]


class TestConstruction:
    def test_knows_its_account_token_and_times(self, insured: Insured) -> None:
        world = insured.world
        assert bytes(insured.read("account")) == account_id(insured.fund.address)
        assert insured.read("asset") == world.token.address
        assert insured.read("decimals") == world.decimals + 6
        assert tuple(insured.read("times")) == (COOLDOWN, WINDOW)
        assert insured.read("allotted") == insured.read("shareEpoch") == 0
        assert insured.read("name") == "Novation Insurance"
        assert insured.read("symbol") == "nvINS"

    def test_vault_of_another_clearing_house_is_refused(self, world: World) -> None:
        values = (world.manager.address, world.trader, world.vault.address, COOLDOWN, WINDOW)
        found = refusal(world.chain.deploy, "InsuranceFund", *values)
        assert found == ("InsuranceOtherClearing", [world.clearing.address, world.trader])

    def test_times_out_of_bounds_are_refused(self, world: World) -> None:
        values = (world.manager.address, world.clearing.address, world.vault.address)
        found = refusal(world.chain.deploy, "InsuranceFund", *values, HOUR - 1, DAY)
        assert found == ("InsuranceOutOfBounds", ["cooldown", HOUR - 1, HOUR])


class TestDeposit:
    def test_deposit_mints_at_one_for_one_first(self, insured: Insured) -> None:
        owner = insured.world.lp
        before = insured.tokens(owner)
        receipt = insured.send("deposit", 1_000 * M, owner, sender=owner)
        assert insured.read("balanceOf", owner) == 1_000 * M * SHARES
        assert insured.read("totalSupply") == 1_000 * M * SHARES
        assert insured.read("totalAssets") == 1_000 * M
        assert insured.capital == 1_000 * WAD
        assert before - insured.tokens(owner) == 1_000 * M
        assert insured.tokens(insured.fund.address) == 0
        (told,) = events(insured, receipt, "Deposit")
        assert (told["assets"], told["shares"]) == (1_000 * M, 1_000 * M * SHARES)

    def test_previews_of_the_way_in_are_exact(self, insured: Insured) -> None:
        world = insured.world
        insured.stake(world.lp, 1_000)
        insured.earn(7)
        insured.lose(WAD // 3)
        for amount in (10_001, 333_333_333):
            expected = insured.read("previewDeposit", amount)
            before = insured.read("balanceOf", world.trader)
            insured.send("deposit", amount, world.trader, sender=world.trader)
            assert insured.read("balanceOf", world.trader) - before == expected
        for shares in (1, 10**12 + 1):
            expected, before = insured.read("previewMint", shares), insured.tokens(world.other)
            insured.send("mint", shares, world.other, sender=world.other)
            assert before - insured.tokens(world.other) == expected

    def test_deposit_for_somebody_else_takes_from_the_caller(self, insured: Insured) -> None:
        world = insured.world
        insured.send("deposit", M, world.other, sender=world.trader)
        assert insured.read("balanceOf", world.other) == M * SHARES
        assert insured.read("balanceOf", world.trader) == 0

    def test_deposit_of_nothing_is_refused(self, insured: Insured) -> None:
        world = insured.world
        found = refusal(insured.send, "deposit", 0, world.lp, sender=world.lp)
        assert found == ("VaultZeroAmount", [])

    def test_assets_never_count_pnl_nor_tokens_sent_by_transfer(self, insured: Insured) -> None:
        world = insured.world
        insured.stake(world.lp, 1_000)
        for to in (world.vault.address, insured.fund.address):
            world.send("token", "transfer", to, 500 * M, sender=world.stranger)
        assert insured.read("totalAssets") == 1_000 * M
        junior_income(insured, 30 * WAD)
        assert insured.read("totalAssets") == 1_000 * M

    def test_assets_round_down_to_token_units(self, insured: Insured) -> None:
        insured.stake(insured.world.lp, 1_000)
        insured.lose(1)
        assert insured.read("totalAssets") == 1_000 * M - 1

    def test_most_that_may_be_deposited_fills_the_vault(self, insured: Insured) -> None:
        world = insured.world
        owner, most = world.lp, insured.read("maxDeposit", world.lp)
        world.chain.send(world.token, "mint", owner, most)
        name, _ = refusal(insured.send, "deposit", most + 1, owner, sender=owner)
        assert name == "VaultCapExceeded"
        insured.send("deposit", most, owner, sender=owner)
        assert insured.read("maxDeposit", owner) == insured.read("maxMint", owner) == 0


def junior_income(insured: Insured, amount: int, hidden: bool = False) -> bytes:
    """A penalty paid out of a profit arrives as pnl, WAD quote; the loser whose capital backs it.

    `hidden`: the loser is not touched, so that nothing backs the profit yet (h = 0).
    """
    world = insured.world
    market, venue = world.markets[0], world.chain.accounts[6]
    loser, buyer = world.deposit(world.trader, 50_000), world.deposit(world.other, 50_000)
    winner = account_id(venue)
    world.known[winner] = None
    values = (winner, world.token.address, 50_000 * M)
    world.send("vault", "deposit", *values, sender=world.stranger)
    world.send("clearing", "setVenue", venue, ANY_MARKET, True)

    def clear(*legs: tuple[bytes, int, int, int]) -> None:
        named = [dict(zip(("account", "size", "cash", "transfer"), x, strict=True)) for x in legs]
        named.sort(key=lambda leg: leg["account"])
        values = (market.number, named, 0, KEEP_PREMIUM)
        world.send("clearing", "clear", *values, sender=venue)

    clear((winner, WAD, -2_000 * WAD, 0), (loser, -WAD, 2_000 * WAD, 0))
    world.push(market.feed, "2040")
    clear((winner, -WAD, 2_040 * WAD, 0), (buyer, WAD, -2_040 * WAD, 0))
    if not hidden:
        world.touch(loser)
    # All its capital goes first, so that what comes after it is pnl; the capital goes on.
    capital = world.account(winner).capital
    clear((winner, 0, 0, -capital - amount), (insured.account, 0, 0, capital + amount))
    insured.lose(capital)
    return loser


class TestWayOut:
    def test_request_stores_price_and_times(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 1_000)
        insured.earn(500)
        receipt = insured.send("request", 400 * M * SHARES, sender=owner)
        now = world.chain.now
        made = (
            400 * M * SHARES,
            now + COOLDOWN,
            now + COOLDOWN + WINDOW,
            1_500 * M,
            1_000 * M * SHARES,
        )
        assert tuple(insured.read("requestOf", owner)) == made
        assert insured.read("sharesRequested") == 400 * M * SHARES
        (told,) = events(insured, receipt, "RequestSet")
        assert told["holder"] == owner
        wanted = [told[k] for k in ("shares", "from", "until", "assets", "supply")]
        assert tuple(wanted) == made

    def test_claim_in_the_window_pays_and_burns(self, insured: Insured) -> None:
        owner = insured.world.lp
        shares = insured.stake(owner, 1_000)
        insured.ask(owner)
        insured.wait(COOLDOWN)
        before = insured.tokens(owner)
        receipt = insured.send("redeem", shares, owner, owner, sender=owner)
        assert insured.tokens(owner) - before == 1_000 * M
        assert insured.read("totalSupply") == insured.read("sharesRequested") == 0
        assert insured.read("requestOf", owner).shares == 0
        assert insured.capital == 0
        (told,) = events(insured, receipt, "Withdraw")
        assert (told["assets"], told["shares"]) == (1_000 * M, shares)

    def test_claims_outside_the_window_are_refused_and_max_is_0(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 1_000)
        name, values = refusal(insured.send, "redeem", 1, owner, owner, sender=owner)
        assert (name, values) == ("InsuranceNoRequest", [owner])
        shares = insured.ask(owner)
        start = world.chain.now + COOLDOWN
        assert insured.read("maxRedeem", owner) == insured.read("maxWithdraw", owner) == 0
        for way, amount in (("redeem", shares), ("withdraw", M)):
            world.chain.next_at(start - 1)
            name, values = refusal(insured.send, way, amount, owner, owner, sender=owner)
            assert (name, values[1]) == ("InsuranceTooEarly", start)
        for at in (start, start + WINDOW):
            world.chain.mine_at(at)
            assert insured.read("maxRedeem", owner) == shares
            assert insured.read("maxWithdraw", owner) == 1_000 * M
        world.chain.mine_at(start + WINDOW + 1)
        assert insured.read("maxRedeem", owner) == insured.read("maxWithdraw", owner) == 0
        name, values = refusal(insured.send, "redeem", shares, owner, owner, sender=owner)
        assert (name, values[1]) == ("InsuranceTooLate", start + WINDOW)

    def test_withdraw_burns_shares_rounded_up_and_max_is_exact(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 1_000)
        insured.stake(world.other, 333)
        insured.earn(77)
        insured.ask(owner)
        insured.wait(COOLDOWN)
        had = insured.read("balanceOf", owner)
        insured.send("withdraw", 10 * M + 1, owner, owner, sender=owner)
        burned = had - insured.read("balanceOf", owner)
        assert insured.read("requestOf", owner).shares == had - burned
        # one share less would have paid less
        assert insured.read("previewClaim", owner, burned) >= 10 * M + 1
        most = insured.read("maxWithdraw", owner)
        name, _ = refusal(insured.send, "withdraw", most + 1, owner, owner, sender=owner)
        assert name == "InsuranceSharesTooLow"
        insured.send("withdraw", most, owner, owner, sender=owner)

    def test_preview_of_a_claim_is_what_it_pays(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 1_000)
        insured.stake(world.other, 333)
        insured.ask(owner)
        insured.lose(123 * WAD + 1)
        insured.wait(COOLDOWN)
        for part in (3, 2, 1):
            shares = insured.read("requestOf", owner).shares // part
            expected = insured.read("previewClaim", owner, shares)
            assert insured.claim(owner, shares) == expected

    def test_previews_without_a_request_are_refused(self, insured: Insured) -> None:
        for function in ("previewRedeem", "previewWithdraw"):
            assert refusal(insured.read, function, 1) == ("InsuranceNoPreview", [])
        assert insured.read("previewClaim", insured.world.lp, 1) == 0

    def test_claim_by_another_takes_an_allowance(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        shares = insured.stake(owner, 10)
        insured.ask(owner)
        insured.wait(COOLDOWN)
        values = (shares, world.other, owner)
        name, _ = refusal(insured.send, "redeem", *values, sender=world.other)
        assert name == "ERC20InsufficientAllowance"
        insured.send("approve", world.other, shares, sender=owner)
        before = insured.tokens(world.other)
        insured.send("redeem", *values, sender=world.other)
        assert insured.tokens(world.other) - before == 10 * M
        assert insured.read("allowance", owner, world.other) == 0

    def test_more_than_was_asked_is_refused(self, insured: Insured) -> None:
        owner = insured.world.lp
        insured.stake(owner, 10)
        insured.ask(owner, 4 * M * SHARES)
        insured.wait(COOLDOWN)
        wanted = 4 * M * SHARES + 1
        found = refusal(insured.send, "redeem", wanted, owner, owner, sender=owner)
        assert found == ("InsuranceSharesTooLow", [owner, 4 * M * SHARES, wanted])

    @pytest.mark.parametrize("wanted", [0, 10 * M * SHARES + 1])
    def test_request_of_nothing_or_too_much_is_refused(self, insured: Insured, wanted: int) -> None:
        owner = insured.world.lp
        insured.stake(owner, 10)
        found = refusal(insured.send, "request", wanted, sender=owner)
        assert found == ("InsuranceSharesTooLow", [owner, 10 * M * SHARES, wanted])

    def test_another_request_replaces_and_begins_anew(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 10)
        insured.ask(owner, 4 * M * SHARES)
        insured.wait(COOLDOWN)
        insured.ask(owner, M * SHARES)
        shares, start, *_ = insured.read("requestOf", owner)
        assert (shares, start) == (M * SHARES, world.chain.now + COOLDOWN)
        assert insured.read("sharesRequested") == M * SHARES
        name, _ = refusal(insured.send, "redeem", M * SHARES, owner, owner, sender=owner)
        assert name == "InsuranceTooEarly"

    def test_cancel_ends_a_request(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        assert refusal(insured.send, "cancel", sender=owner) == ("InsuranceNoRequest", [owner])
        shares = insured.stake(owner, 10)
        insured.ask(owner)
        receipt = insured.send("cancel", sender=owner)
        assert events(insured, receipt, "RequestSet")[0]["shares"] == 0
        assert insured.read("sharesRequested") == 0
        insured.send("transfer", world.other, shares, sender=owner)

    def test_lapse_is_for_anyone_once_the_window_is_over(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        shares = insured.stake(owner, 10)
        insured.ask(owner)
        until = world.chain.now + COOLDOWN + WINDOW
        world.chain.next_at(until)
        name, values = refusal(insured.send, "lapse", owner, sender=world.stranger)
        assert (name, values[1]) == ("InsuranceTooEarly", until)
        world.chain.mine_at(until + 1)
        assert insured.read("sharesRequested") == shares, "counts until it is cleared"
        insured.send("lapse", owner, sender=world.stranger)
        assert insured.read("sharesRequested") == 0
        insured.send("transfer", world.other, shares, sender=owner)

    def test_new_times_leave_open_requests_alone(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 10)
        insured.ask(owner)
        before = tuple(insured.read("requestOf", owner))
        receipt = insured.send("setTimes", 30 * DAY, HOUR)
        assert events(insured, receipt, "TimesSet") == [{"cooldown": 30 * DAY, "window": HOUR}]
        assert tuple(insured.read("requestOf", owner)) == before
        insured.ask(owner)
        assert insured.read("requestOf", owner)[1] == world.chain.now + 30 * DAY

    def test_claim_that_pays_nothing_is_refused(self, insured: Insured) -> None:
        owner = insured.world.lp
        insured.stake(owner, 10)
        insured.ask(owner)
        insured.wait(COOLDOWN)
        found = refusal(insured.send, "redeem", 1, owner, owner, sender=owner)
        assert found == ("InsuranceNothingToPay", [1])
        insured.lose(insured.capital)
        assert insured.read("maxRedeem", owner) == insured.read("maxWithdraw", owner) == 0


class TestPrices:
    def test_claim_pays_the_price_at_request_after_income(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 1_000)
        insured.stake(world.other, 1_000)
        insured.ask(owner)
        insured.earn(500)
        insured.wait(COOLDOWN)
        assert insured.claim(owner) == 1_000 * M
        rest = insured.read("convertToAssets", insured.read("balanceOf", world.other))
        assert 0 <= 1_500 * M - rest <= 2, "what was not paid stays with those who remain"

    def test_claim_pays_the_price_now_after_a_loss(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        insured.stake(owner, 1_000)
        insured.stake(world.other, 1_000)
        insured.ask(owner)
        insured.lose(500 * WAD)
        insured.wait(COOLDOWN)
        assert insured.claim(owner) == 750 * M

    def test_inv_18_deposit_and_claim_never_gain(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.trader
        insured.stake(world.lp, 1_234)
        insured.earn(17)
        insured.lose(7 * WAD + 3)
        for amount in (10_007, 999_999, 12_345_678_901):
            insured.send("deposit", amount, owner, sender=owner)
            insured.ask(owner)
            insured.wait(COOLDOWN)
            assert 0 <= amount - insured.claim(owner) <= 1

    def test_inv_23_shares_in_cooldown_bear_losses_as_all_others(self, insured: Insured) -> None:
        world = insured.world
        for owner in (world.lp, world.other):
            insured.stake(owner, 1_000)
        insured.ask(world.lp)
        insured.lose(800 * WAD)
        for owner in (world.lp, world.other):
            shares = insured.read("balanceOf", owner)
            assert insured.read("convertToAssets", shares) == 600 * M


class TestAttacks:
    def test_ins_01_nobody_leaves_before_a_loss(self, insured: Insured) -> None:
        world = insured.world
        for owner in (world.lp, world.other):
            insured.stake(owner, 500_000)
        shares = insured.ask(world.lp)
        name, _ = refusal(insured.send, "redeem", shares, world.lp, world.lp, sender=world.lp)
        assert name == "InsuranceTooEarly"
        insured.lose(400_000 * WAD)
        insured.wait(COOLDOWN)
        assert insured.claim(world.lp) == 300_000 * M
        assert insured.read("convertToAssets", insured.read("balanceOf", world.other)) == (
            300_000 * M
        )

    def test_ins_02_asked_shares_cannot_move(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        shares = insured.stake(owner, 10)
        insured.ask(owner, 4 * M * SHARES)
        free = shares - 4 * M * SHARES
        found = refusal(insured.send, "transfer", world.other, free + 1, sender=owner)
        assert found == ("InsuranceSharesRequested", [owner, free, free + 1])
        insured.send("approve", world.other, NO_LIMIT, sender=owner)
        values = (owner, world.other, free + 1)
        name, _ = refusal(insured.send, "transferFrom", *values, sender=world.other)
        assert name == "InsuranceSharesRequested"
        insured.send("transferFrom", owner, world.other, free, sender=world.other)
        insured.wait(COOLDOWN)
        name, _ = refusal(insured.send, "transfer", world.other, 1, sender=owner)
        assert name == "InsuranceSharesRequested", "nor once they cooled"
        found = refusal(insured.send, "transfer", world.other, shares, sender=owner)
        assert found == ("ERC20InsufficientBalance", [owner, 4 * M * SHARES, shares])

    def test_ins_02_a_request_covers_no_later_deposit_nor_gift(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        asked = insured.stake(owner, 10)
        insured.ask(owner)
        insured.stake(owner, 1_000)
        gift = insured.stake(world.other, 1_000)
        insured.send("transfer", owner, gift, sender=world.other)
        insured.wait(COOLDOWN)
        assert insured.read("maxRedeem", owner) == asked
        assert insured.claim(owner) == 10 * M
        name, _ = refusal(insured.send, "redeem", 1, owner, owner, sender=owner)
        assert name == "InsuranceNoRequest"

    def test_ins_04_first_depositor_is_not_rounded_away(self, insured: Insured) -> None:
        """The attacker has the first shares and donates; the victim is refused or keeps 99.99 %."""
        world = insured.world
        insured.send("deposit", 1, world.trader, sender=world.trader)
        insured.earn(1_000)
        # a share is worth 500 units now: 2,000 shares, and 250 units would be lost
        found = refusal(insured.send, "deposit", 1_000_250, world.lp, sender=world.lp)
        assert found == ("InsuranceDepositTooSmall", [1_000_250, 1_000_000])
        insured.stake(world.lp, 100)
        kept = insured.read("convertToAssets", insured.read("balanceOf", world.lp))
        assert kept >= 100 * M * 9_999 // 10_000
        attacker = insured.read("convertToAssets", insured.read("balanceOf", world.trader))
        assert attacker <= 501 * M, "half of the donation is nobody's"

    def test_ins_05_deposit_before_income_gains_nothing_at_once(self, insured: Insured) -> None:
        """A stake of 1 m, a deposit of 9 m, then a penalty of 100,000."""
        world = insured.world
        insured.stake(world.lp, 1_000_000)
        before = insured.tokens(world.other)
        insured.stake(world.other, 9_000_000)
        with world.isolated():
            insured.ask(world.other)
            insured.earn(100_000)
            insured.wait(COOLDOWN)
            insured.claim(world.other)
            assert insured.tokens(world.other) - before <= 0, "asked before: none of it"
        insured.earn(100_000)
        insured.ask(world.other)
        with world.isolated():
            insured.wait(COOLDOWN)
            insured.claim(world.other)
            gained = insured.tokens(world.other) - before
            assert 89_999 * M < gained <= 90_000 * M, "asked after: his part, for seven days' risk"
        insured.lose(200_000 * WAD)
        insured.wait(COOLDOWN)
        insured.claim(world.other)
        assert insured.tokens(world.other) - before < -89_999 * M, "which he bears"

    def test_re_14_junior_income_is_released_one_for_one_or_not(self, insured: Insured) -> None:
        world = insured.world
        insured.stake(world.lp, 1_000)
        loser = junior_income(insured, 10 * WAD, hidden=True)
        assert world.account(insured.account).pnl == 10 * WAD
        name, values = refusal(insured.send, "release", 10 * WAD, [], sender=world.stranger)
        assert (name, values) == ("ClearingReleaseRatio", [0, WAD])
        insured.send("release", 10 * WAD, [loser], sender=world.stranger)
        assert world.account(insured.account).pnl == 0
        assert insured.read("totalAssets") == 1_010 * M


class TestEndOfAStake:
    def test_restart_ends_the_shares_of_a_stake_paid_out(self, insured: Insured) -> None:
        world, owner = insured.world, insured.world.lp
        shares = insured.stake(owner, 1_000)
        insured.ask(owner, shares // 2)
        insured.send("approve", world.trader, 5, sender=owner)
        insured.lose(insured.capital)
        for way in ("deposit", "mint"):
            found = refusal(insured.send, way, M, world.other, sender=world.other)
            assert found == ("InsuranceSpent", [0, shares])
        assert insured.read("maxDeposit", world.other) == insured.read("maxMint", world.other) == 0
        receipt = insured.send("restart", sender=world.stranger)
        assert events(insured, receipt, "ShareEpochEnded") == [{"epoch": 0, "shares": shares}]
        assert insured.read("balanceOf", owner) == insured.read("totalSupply") == 0
        assert insured.read("sharesRequested") == insured.read("requestOf", owner).shares == 0
        assert insured.read("shareEpoch") == 1
        name, _ = refusal(insured.send, "transfer", world.other, 1, sender=owner)
        assert name == "ERC20InsufficientBalance"
        name, _ = refusal(insured.send, "request", 1, sender=owner)
        assert name == "InsuranceSharesTooLow"
        assert insured.stake(world.other, 10) == 10 * M * SHARES, "1 to 1 again"
        assert insured.read("balanceOf", owner) == 0
        assert insured.read("allowance", owner, world.trader) == 5, "allowances remain"
        insured.ask(world.other)
        insured.wait(COOLDOWN)
        assert insured.claim(world.other) == 10 * M

    def test_restart_while_shares_have_value_is_refused(self, insured: Insured) -> None:
        world = insured.world
        assert refusal(insured.send, "restart") == ("InsuranceNotSpent", [0, 0])
        shares = insured.stake(world.lp, 1_000)
        assert refusal(insured.send, "restart") == ("InsuranceNotSpent", [1_000 * M, shares])
        # (A + 1) * 1e12 >= S + 1e6: a price of 1e-6 of the first one
        insured.lose(insured.capital - 1_000 * insured.scale)
        assert refusal(insured.send, "restart") == ("InsuranceNotSpent", [1_000, shares])
        insured.stake(world.other, 1)

    def test_a_price_below_a_millionth_counts_as_paid_out(self, insured: Insured) -> None:
        world = insured.world
        shares = insured.stake(world.lp, 1_000)
        insured.lose(insured.capital - 998 * insured.scale)
        found = refusal(insured.send, "deposit", M, world.other, sender=world.other)
        assert found == ("InsuranceSpent", [998, shares])
        insured.send("restart")
        insured.stake(world.other, 1)
        kept = insured.read("convertToAssets", insured.read("balanceOf", world.other))
        assert kept >= M - 1_000, "what was left is the new holders'"

    def test_restart_waits_for_junior_income(self, insured: Insured) -> None:
        world = insured.world
        shares = insured.stake(world.lp, 1_000)
        junior_income(insured, 10 * WAD)
        insured.lose(insured.capital)
        assert refusal(insured.send, "restart") == ("InsuranceNotSpent", [10 * M, shares])
        insured.send("release", 10 * WAD, [])
        assert insured.read("convertToAssets", shares) == 10 * M
        insured.stake(world.other, 1)

    def test_income_before_restart_saves_the_shares(self, insured: Insured) -> None:
        world = insured.world
        shares = insured.stake(world.lp, 1_000)
        insured.lose(insured.capital)
        insured.earn(100)
        name, _ = refusal(insured.send, "restart")
        assert name == "InsuranceNotSpent"
        assert insured.read("convertToAssets", shares) == 100 * M


class TestCover:
    def test_draw_is_for_the_clearing_house_alone(self, insured: Insured) -> None:
        for caller in (insured.world.admin, insured.fund.address):
            found = refusal(insured.send, "draw", MARKET, 1, 1, sender=caller)
            assert found == ("InsuranceNotClearing", [caller])

    def test_draw_takes_up_to_the_allotment_and_counts_it(self, insured: Insured) -> None:
        insured.stake(insured.world.lp, 1_000)
        insured.send("setAllotment", MARKET, 400_000)
        assert insured.read("allotmentOf", MARKET) == 400 * WAD
        assert insured.draw(MARKET, 100 * WAD) == 100 * WAD
        # 40 % of the 900 left, less the 100 that it had
        assert abs(insured.read("allotmentOf", MARKET) - 260 * WAD) <= 10**15
        assert insured.draw(MARKET, 1_000 * WAD) > 259 * WAD
        assert insured.read("allotmentOf", MARKET) == 0
        assert insured.draw(MARKET, WAD) == 0

    def test_draw_of_nothing_does_not_hold_up_the_decay(self, insured: Insured) -> None:
        insured.stake(insured.world.lp, 1_000)
        insured.send("setAllotment", MARKET, 100_000)
        insured.draw(MARKET, 100 * WAD)
        before = tuple(insured.read("coverOf", MARKET))
        insured.wait(DAY)
        assert insured.draw(OTHER_MARKET, WAD) == 0
        assert insured.draw(MARKET, 0) == 0
        assert tuple(insured.read("coverOf", MARKET)) == before

    def test_used_decays_linearly_in_seven_days_rounded_up(self, insured: Insured) -> None:
        world = insured.world
        insured.stake(world.lp, 1_000)
        insured.send("setAllotment", MARKET, 500_000)
        drawn = 100 * WAD + 1
        assert insured.draw(MARKET, drawn, insured.capital) == drawn
        at = insured.read("coverOf", MARKET).drawnAt
        for age in (1, DAY, 3 * DAY + 7, WEEK - 1):
            world.chain.mine_at(at + age)
            used = -(-drawn * (WEEK - age) // WEEK)
            assert insured.read("usedOf", MARKET) == used
            assert insured.read("allotmentOf", MARKET) == 500 * WAD - used
        world.chain.mine_at(at + WEEK)
        assert insured.read("usedOf", MARKET) == 0

    def test_a_draw_adds_to_what_is_left_of_earlier_ones(self, insured: Insured) -> None:
        world = insured.world
        insured.stake(world.lp, 1_000)
        insured.send("setAllotment", MARKET, 500_000)
        insured.draw(MARKET, 70 * WAD, insured.capital)
        at = insured.read("coverOf", MARKET).drawnAt
        world.chain.next_at(at + 4 * DAY)
        values = (MARKET, 7 * WAD, insured.capital)
        receipt = insured.send("draw", *values, sender=world.clearing.address)
        (told,) = events(insured, receipt, "Drawn")
        assert told == {"market": MARKET, "amount": 7 * WAD, "used": 37 * WAD}
        assert tuple(insured.read("coverOf", MARKET)) == (500_000, at + 4 * DAY, 37 * WAD)

    def test_draw_never_passes_the_capital_it_is_told(self, insured: Insured) -> None:
        insured.stake(insured.world.lp, 1_000)
        insured.send("setAllotment", MARKET, 1_000_000)
        assert insured.draw(MARKET, 1_000 * WAD, 3 * WAD) == 3 * WAD

    def test_inv_24_a_market_draws_no_more_than_its_allotment(self, insured: Insured) -> None:
        insured.stake(insured.world.lp, 1_000)
        insured.send("setAllotment", MARKET, 300_000)
        drawn = sum(insured.draw(MARKET, 90 * WAD) for _ in range(6))
        assert drawn <= 300 * WAD
        assert insured.read("allotmentOf", OTHER_MARKET) == 0

    def test_re_16e_allotments_sum_to_the_stake_not_in_cooldown(self, insured: Insured) -> None:
        world = insured.world
        shares = insured.stake(world.lp, 600)
        insured.stake(world.other, 400)
        insured.send("setAllotment", MARKET, 700_000)
        insured.send("setAllotment", OTHER_MARKET, 300_000)
        found = refusal(insured.send, "setAllotment", 2, 1)
        assert found == ("InsuranceOverAllotted", [1_000_001, 1_000_000])

        def covers() -> int:
            return int(sum(insured.read("allotmentOf", m) for m in (MARKET, OTHER_MARKET)))

        assert covers() == insured.read("uncooled") == 1_000 * WAD
        insured.ask(world.lp)
        assert 0 <= covers() - 400 * WAD <= 10**15, "the 1e6 shares that are nobody's still stand"
        assert covers() <= insured.read("uncooled")
        insured.wait(COOLDOWN + WINDOW + 1)
        assert covers() <= 401 * WAD, "lapsed and not cleared: still in cooldown"
        insured.send("lapse", world.lp)
        assert covers() == 1_000 * WAD
        assert insured.read("balanceOf", world.lp) == shares

    def test_allotment_is_replaced_and_told_with_the_sum(self, insured: Insured) -> None:
        insured.send("setAllotment", MARKET, 700_000)
        receipt = insured.send("setAllotment", OTHER_MARKET, 200_000)
        told = events(insured, receipt, "AllotmentSet")
        assert told == [{"market": OTHER_MARKET, "ppm": 200_000, "total": 900_000}]
        insured.send("setAllotment", MARKET, 800_000)
        insured.send("setAllotment", MARKET, 100_000)
        assert insured.read("allotted") == 300_000
        assert insured.read("coverOf", MARKET).ppm == 100_000


class TestParameters:
    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            ((HOUR - 1, DAY), ["cooldown", HOUR - 1, HOUR]),
            ((30 * DAY + 1, DAY), ["cooldown", 30 * DAY + 1, 30 * DAY]),
            ((DAY, HOUR - 1), ["window", HOUR - 1, HOUR]),
            ((DAY, 30 * DAY + 1), ["window", 30 * DAY + 1, 30 * DAY]),
        ],
    )
    def test_times_out_of_bounds_are_refused(
        self, insured: Insured, times: tuple[int, int], expected: list[Any]
    ) -> None:
        assert refusal(insured.send, "setTimes", *times) == ("InsuranceOutOfBounds", expected)

    @pytest.mark.parametrize("call", [("setTimes", DAY, DAY), ("setAllotment", 0, 1)])
    def test_setters_are_restricted(self, insured: Insured, call: tuple[Any, ...]) -> None:
        name, _ = refusal(insured.send, *call, sender=insured.world.stranger)
        assert name == "AccessManagedUnauthorized"


ENTRIES = {
    "deposit": lambda who: (1, who), "mint": lambda who: (1, who),
    "redeem": lambda who: (1, who, who), "withdraw": lambda who: (1, who, who),
    "request": lambda _: (1,), "cancel": lambda _: (), "lapse": lambda who: (who,),
    "restart": lambda _: (), "release": lambda _: (1, []),
}  # fmt: skip
READS = {
    "totalAssets": lambda _: (), "convertToAssets": lambda _: (1,), "uncooled": lambda _: (),
    "convertToShares": lambda _: (1,), "previewDeposit": lambda _: (1,),
    "previewMint": lambda _: (1,), "maxDeposit": lambda who: (who,), "maxMint": lambda who: (who,),
    "allotmentOf": lambda _: (MARKET,), "previewClaim": lambda who: (who, 1),
    "maxRedeem": lambda who: (who,), "maxWithdraw": lambda who: (who,),
}  # fmt: skip


def test_inv_34_a_token_that_calls_back_finds_every_door_shut(world: World) -> None:
    """In a deposit and in a claim; the token has a stake and an open request itself."""
    insured = callback_stage(world.chain)
    w, token, fund, owner = insured.world, insured.world.token, insured.fund, insured.world.trader
    for way in ("deposit", "redeem"):
        for name, values in (ENTRIES | READS).items():
            data = fund.encode(name, *values(token.address))
            w.chain.send(token, "setCallback", fund.address, data, way == "redeem")
            args = (M, owner) if way == "deposit" else (M * SHARES, owner, owner)
            insured.send(way, *args, sender=owner)
            assert token.read("calls") == (2 if way == "deposit" else 1)
            assert token.read("success") is False, (way, name)
            found = decode_revert(token.read("returned")).name
            shut = "ReentrancyGuardReentrantCall" if name in ENTRIES else "ClearingLocked"
            assert found == shut, (way, name)
    w.chain.send(token, "setCallback", ZERO, b"", False)
    w.check_identity()


def callback_stage(chain: LocalChain) -> Insured:
    token = chain.deploy("CallbackToken", 6)
    w = World.deploy(chain)
    w.token = token
    w.deploy_core()
    for owner in (w.trader, w.lp, w.stranger):
        w.fund(owner, 10_000)
    insured = deploy_fund(w)
    chain.request("anvil_impersonateAccount", token.address)
    chain.request("anvil_setBalance", token.address, hex(WAD))
    insured.send("deposit", 10 * M, token.address, sender=w.lp)
    insured.stake(w.trader, 1_000)
    insured.ask(w.trader)
    insured.ask(token.address)
    insured.wait(COOLDOWN)
    return insured


def test_gas_of_the_usual_calls_is_bounded(insured: Insured) -> None:
    world, owner = insured.world, insured.world.lp
    insured.stake(owner, 1_000)
    insured.stake(world.other, 1_000)
    gas = world.chain.gas
    found = {"deposit": gas(insured.send("deposit", M, owner, sender=owner))}
    found["request"] = gas(insured.send("request", M * SHARES, sender=owner))
    insured.wait(COOLDOWN)
    found["redeem"] = gas(insured.send("redeem", M * SHARES, owner, owner, sender=owner))
    insured.send("setAllotment", MARKET, 400_000)
    values = (MARKET, WAD, insured.capital)
    found["draw"] = gas(insured.send("draw", *values, sender=world.clearing.address))
    most = {"deposit": 105_000, "request": 115_000, "redeem": 118_000, "draw": 40_000}
    assert {k for k, v in found.items() if v > most[k]} == set(), found
