"""What no sequence of deposits, claims, income and losses may break; in the model, which equals
the contract."""

import random
from fractions import Fraction

import pytest

from novation.model.errors import Refused
from novation.model.insurance import USED_DECAY, VIRTUAL
from novation.units import PPM, WAD
from tests.unit.backstop.conftest import (
    ATTACKER,
    COOLDOWN,
    DAY,
    JOINER,
    STAKER,
    Pot,
)

SEEDS = range(8)
VAULT_MOST = (2**96 - 1) // WAD
"""Whole quote that the vault takes at most, of which a donation is part."""


def price(pot: Pot) -> Fraction:
    """Of a share."""
    return Fraction(pot.fund.total_assets() + 1, pot.fund.total + VIRTUAL)


def shaken(rng: random.Random, decimals: int = 6) -> Pot:
    """A fund with a stake of 1 to 1e7 tokens at a price between 1e-5 and 1e3 of the first."""
    pot = Pot(decimals)
    stake = rng.randint(1, 10 ** rng.randint(0, 7)) * pot.unit
    pot.fund.deposit(stake, STAKER)
    if rng.random() < 0.5:
        pot.donate(rng.randint(1, 999 * stake))
    else:
        scale = pot.vault.settlement_scale
        pot.lose(stake * scale - rng.randint(stake * scale // 10**5 + 1, stake * scale - 1))
    return pot


def stake(pot: Pot, amount: int, owner: bytes = ATTACKER) -> int | None:
    """Shares; None when it is too small for the price."""
    try:
        return pot.fund.deposit(amount, owner)
    except Refused as refused:
        if refused.name != "InsuranceDepositTooSmall":
            raise
        return None


class TestShares:
    @pytest.mark.parametrize("decimals", [2, 6, 8, 18])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_inv_18_conversions_never_gain(self, seed: int, decimals: int) -> None:
        rng = random.Random(seed)
        pot = shaken(rng, decimals)
        for _ in range(200):
            x = rng.randint(0, 10 ** rng.randint(1, 25))
            assert pot.fund.to_assets(pot.fund.to_shares(x)) <= x
            assert pot.fund.to_shares(pot.fund.to_assets(x)) <= x

    @pytest.mark.parametrize("seed", SEEDS)
    def test_inv_18_price_changes_by_income_losses_and_what_claims_leave(self, seed: int) -> None:
        """Deposits, mints, requests and claims never lower it; losses do, income raises it."""
        rng = random.Random(seed)
        pot = shaken(rng)
        holders = (STAKER, JOINER, ATTACKER)
        for _ in range(300):
            before, kind, who = price(pot), rng.randint(0, 6), rng.choice(holders)
            try:
                if kind == 0:
                    pot.fund.deposit(rng.randint(1, 10 ** rng.randint(1, 12)), who)
                elif kind == 1:
                    pot.fund.mint(rng.randint(1, 10 ** rng.randint(1, 18)), who)
                elif kind <= 3:
                    pot.leave(who, rng.randint(1, max(pot.fund.balance_of(who), 1)))
                elif kind == 4:
                    pot.lose(rng.randint(1, 10**20))
                    assert price(pot) <= before
                    continue
                elif kind == 5:
                    pot.donate(rng.randint(1, 10**8))
                else:
                    pot.clock.now += rng.randint(1, DAY)
            except Refused:
                assert price(pot) == before
                continue
            assert price(pot) >= before

    @pytest.mark.parametrize("seed", SEEDS)
    def test_inv_18_deposit_and_claim_never_gain(self, seed: int) -> None:
        rng = random.Random(seed)
        pot = shaken(rng)
        for _ in range(100):
            amount = rng.randint(1, 10 ** rng.randint(1, 13))
            if (shares := stake(pot, amount)) is None:
                continue
            worth = pot.fund.to_assets(shares)
            assert worth <= amount
            if worth:
                assert pot.leave(ATTACKER, shares) == worth
            else:
                pot.fund.transfer(STAKER, shares, ATTACKER)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_withdraw_burns_no_less_than_redeem_of_as_much(self, seed: int) -> None:
        rng = random.Random(seed)
        pot = shaken(rng)
        has = pot.fund.balance_of(STAKER)
        pot.fund.request(has, STAKER)
        pot.donate(rng.randint(1, 10**9)) if seed % 2 else pot.lose(rng.randint(1, 10**9))
        pot.clock.now += COOLDOWN
        for _ in range(20):
            shares, most = pot.fund.claimable(STAKER)
            if not most:
                break
            amount = rng.randint(1, most)
            burned = pot.fund.withdraw(amount, STAKER, STAKER, STAKER)
            assert burned <= shares
            assert pot.fund.request_of(STAKER).shares == shares - burned

    def test_claims_pay_the_lower_price_whatever_happened_between(self) -> None:
        pot = Pot()
        pot.fund.deposit(1_000 * pot.unit, STAKER)
        pot.fund.deposit(1_000 * pot.unit, JOINER)
        pot.fund.request(pot.fund.balance_of(STAKER), STAKER)
        at_request = price(pot)
        pot.lose(1_500 * WAD)
        pot.donate(3_000 * pot.unit)
        pot.clock.now += COOLDOWN
        shares = pot.fund.balance_of(STAKER)
        assert pot.fund.redeem(shares, STAKER, STAKER, STAKER) == int(at_request * shares)
        rest = pot.fund.to_assets(pot.fund.balance_of(JOINER))
        assert abs(rest - 2_500 * pot.unit) <= 3_000, "what is nobody's is 1e-9 of it"


class TestFirstDepositor:
    @pytest.mark.parametrize("seeded", [0, 1, 10**6])
    @pytest.mark.parametrize("donation", [10**n for n in range(0, 11, 2)])
    @pytest.mark.parametrize("victims", [1, 7, 1_000, 10**6])
    def test_ins_04_victim_loses_a_ten_thousandth_at_most_and_the_attacker_pays(
        self, seeded: int, donation: int, victims: int
    ) -> None:
        """INV-18: deposits from 1 token on, donations up to all that the vault takes."""
        pot = Pot()
        shares = pot.fund.deposit(seeded, ATTACKER) if seeded else 0
        pot.donate(donation * pot.unit)
        deposit = victims * pot.unit + 1
        if (got := stake(pot, deposit, STAKER)) is None:
            return  # he keeps his money
        assert deposit - pot.fund.to_assets(got) <= deposit // 10_000 + 1
        back = pot.fund.to_assets(shares)
        assert back <= seeded + donation * pot.unit, "the attacker never gains"

    def test_ins_04_a_donation_of_1e12_tokens_cannot_be(self) -> None:
        pot = Pot()
        with pytest.raises(Refused, match="VaultCapExceeded"):
            pot.donate(10**12 * pot.unit)
        pot.donate(VAULT_MOST * pot.unit)

    def test_ins_04_what_bars_small_deposits_costs_a_hundred_times_as_much(self) -> None:
        """A gift of D to an empty fund bars deposits that are surely below D / 100."""
        pot = Pot()
        pot.donate(10_000 * pot.unit)
        with pytest.raises(Refused, match="InsuranceDepositTooSmall"):
            pot.fund.deposit(9_999, STAKER)
        pot.fund.deposit(100 * pot.unit, STAKER)
        half = pot.fund.to_assets(pot.fund.balance_of(STAKER))
        assert 100 * pot.unit - half <= pot.unit // 100 + 1

    def test_ins_04_a_gift_to_a_real_stake_bars_nobody(self) -> None:
        pot = Pot()
        pot.fund.deposit(1_000 * pot.unit, JOINER)
        pot.donate(10**9 * pot.unit)
        got = pot.fund.deposit(pot.unit, STAKER)
        assert pot.unit - pot.fund.to_assets(got) <= pot.unit // 10_000


class TestRuns:
    def test_re_10_rolling_requests_have_an_eighth_ready_and_no_more(self) -> None:
        """Eight holders, a day apart, each asking anew whenever his window is over."""
        pot = Pot()
        holders = [bytes([n]) * 20 for n in range(10, 18)]
        ends = {}
        for holder in holders:
            pot.fund.deposit(1_000 * pot.unit, holder)
            pot.fund.request(pot.fund.balance_of(holder), holder)
            ends[holder] = pot.fund.request_of(holder).until
            pot.clock.now += DAY
        most = 0
        for _ in range(5 * len(holders)):
            holder = min(ends, key=lambda h: ends[h])
            pot.clock.now = ends[holder] + 1
            pot.fund.request(pot.fund.balance_of(holder), holder)
            ends[holder] = pot.fund.request_of(holder).until
            pot.clock.now += DAY // 2
            most = max(most, sum(pot.fund.claimable(h)[0] for h in holders))
        assert most * 8 == pot.fund.total
        assert pot.fund.uncooled() <= 10**15, "and none of them stands for cover"
        # all who are ready leave before a loss of 40 % of the stake
        left = sum(
            pot.fund.redeem(pot.fund.claimable(h)[0], h, h, h)
            for h in holders
            if pot.fund.claimable(h)[0]
        )
        lost = 4 * 8_000 // 10
        assert left <= 1_000 * pot.unit
        assert Fraction(lost, 8_000 - left // pot.unit) < Fraction(46, 100), "RE-10: not 51 %"

    def test_re_10_asking_anew_gives_up_the_window_it_had(self) -> None:
        pot = Pot()
        pot.fund.deposit(1_000 * pot.unit, STAKER)
        has = pot.fund.balance_of(STAKER)
        pot.fund.request(has, STAKER)
        pot.clock.now += COOLDOWN
        pot.fund.request(1, STAKER)
        assert pot.fund.claimable(STAKER) == (0, 0)
        assert pot.fund.request_of(STAKER).from_ == pot.clock.now + COOLDOWN

    @pytest.mark.parametrize("seed", SEEDS)
    def test_inv_23_losses_are_borne_pro_rata_in_cooldown_or_not(self, seed: int) -> None:
        rng = random.Random(seed)
        pot = Pot()
        for holder in (STAKER, JOINER):
            pot.fund.deposit(rng.randint(1, 10**6) * pot.unit, holder)
        worth = {h: pot.fund.to_assets(pot.fund.balance_of(h)) for h in (STAKER, JOINER)}
        pot.fund.request(pot.fund.balance_of(STAKER), STAKER)
        capital = pot.fund.total_assets()
        pot.lose(rng.randint(1, capital - 1) * 10**12)
        rest = Fraction(pot.fund.total_assets(), capital)
        pot.clock.now += COOLDOWN
        paid = pot.fund.redeem(pot.fund.balance_of(STAKER), STAKER, STAKER, STAKER)
        assert abs(paid - worth[STAKER] * rest) <= 2
        stays = pot.fund.to_assets(pot.fund.balance_of(JOINER))
        assert abs(stays - worth[JOINER] * rest) <= 2 + stays // 10**5

    def test_ins_05_what_a_depositor_before_income_gains_is_pay_for_a_weeks_risk(self) -> None:
        """ATTACKS: 9 m beside 1 m before a penalty of 100,000. He can lose what all others can."""
        gains = {}
        for loss in (0, 100_000, 1_000_000):
            pot = Pot()
            pot.fund.deposit(10**6 * pot.unit, STAKER)
            pot.fund.deposit(9 * 10**6 * pot.unit, ATTACKER)
            pot.donate(10**5 * pot.unit)
            pot.fund.request(pot.fund.balance_of(ATTACKER), ATTACKER)
            if loss:
                pot.lose(loss * WAD)
            pot.clock.now += COOLDOWN
            has = pot.fund.balance_of(ATTACKER)
            paid = pot.fund.redeem(has, ATTACKER, ATTACKER, ATTACKER)
            gains[loss] = round(Fraction(paid, pot.unit)) - 9 * 10**6
        assert gains == {0: 90_000, 100_000: 0, 1_000_000: -810_000}


class TestCover:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_re_16e_allotments_fit_in_the_stake_not_in_cooldown(self, seed: int) -> None:
        rng = random.Random(seed)
        pot = shaken(rng)
        left = PPM
        for market in range(6):
            ppm = rng.randint(0, left)
            pot.fund.set_allotment(market, ppm)
            left -= ppm
        with pytest.raises(Refused, match="InsuranceOverAllotted"):
            pot.fund.set_allotment(6, left + 1)
        pot.fund.set_allotment(6, left)
        pot.fund.request(rng.randint(1, pot.fund.balance_of(STAKER)), STAKER)
        for _ in range(100):
            capital = pot.house.stored(pot.fund.account).capital
            covers = [pot.fund.allotment_of(m) for m in range(7)]
            asked = pot.fund.request_of(STAKER).shares
            claims = pot.fund.to_assets(asked) * pot.vault.settlement_scale
            assert sum(covers) <= pot.fund.uncooled() <= capital
            assert pot.fund.uncooled() + claims <= capital + pot.vault.settlement_scale
            market, wanted = rng.randrange(7), rng.randint(1, 10 ** rng.randint(1, 26))
            amount = pot.fund.draw(market, wanted, capital)
            assert amount == min(wanted, covers[market])
            if amount:
                pot.lose(amount)
            pot.clock.now += rng.choice((0, 1, DAY, 3 * DAY))

    def test_inv_24_a_market_takes_twice_its_allotment_in_a_week_at_most(self) -> None:
        """Whatever the pace, what a market took in any week is at most twice its allotment."""
        pot = Pot()
        pot.fund.deposit(10**6 * pot.unit, STAKER)
        pot.fund.set_allotment(0, 100_000)
        first = pot.fund.allotment_of(0)
        drawn = 0
        for _ in range(7 * 24):
            capital = pot.house.stored(pot.fund.account).capital
            amount = pot.fund.draw(0, first, capital)
            drawn += amount
            if amount:
                pot.lose(amount)
            pot.clock.now += 3_600
        assert first <= drawn <= 2 * first

    def test_a_request_calls_off_cover_at_once_and_a_cancel_restores_it(self) -> None:
        """What counting only the stake not in cooldown costs; losses are borne all the same."""
        pot = Pot()
        pot.fund.deposit(600 * pot.unit, STAKER)
        pot.fund.deposit(400 * pot.unit, JOINER)
        pot.fund.set_allotment(0, PPM)
        pot.fund.request(pot.fund.balance_of(STAKER), STAKER)
        drawn = pot.fund.draw(0, 1_000 * WAD, 1_000 * WAD)
        pot.lose(drawn)
        pot.fund.cancel(STAKER)
        assert drawn // WAD == 400
        assert abs(pot.fund.to_assets(pot.fund.balance_of(STAKER)) - 360 * pot.unit) <= 1
        assert pot.fund.uncooled() == 1_000 * WAD - drawn

    def test_used_is_forgotten_in_exactly_a_week(self) -> None:
        pot = Pot()
        pot.fund.deposit(10**6 * pot.unit, STAKER)
        pot.fund.set_allotment(0, 100_000)
        pot.fund.draw(0, 7 * WAD, 10**6 * WAD)
        start = pot.clock.now
        for days in range(8):
            pot.clock.now = start + days * DAY
            assert pot.fund.used_of(0) == (7 - days) * WAD
        pot.clock.now = start + USED_DECAY - 1
        assert pot.fund.used_of(0) == -(-7 * WAD // USED_DECAY)
