"""What a market promises: averages, funding, side indices, interruption, epochs, ramp, life.

Steps through `Pair` are made by contract and model alike and compared word by word.
"""

from dataclasses import replace
from typing import Any

import pytest

from novation.chain.errors import ContractError
from novation.model import accrual
from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.market import Listing, MarketState, PerpMarket, RiskParams
from novation.model.oracle import Price, PriceStatus
from novation.units import K_UNIT, PPM_IN_WAD, RATIO_UNIT, WAD
from tests.unit.markets.conftest import (
    DAY,
    HEARTBEAT,
    HOUR,
    LISTING,
    NORMAL,
    REVERTING,
    RISK,
    Bench,
    Pair,
    as_struct,
    numbers,
)

P = 2_000 * WAD
ONE = 10**9
"""1 in the unit of the stored premium."""


def alone(risk: RiskParams = RISK, listing: Listing = LISTING) -> PerpMarket:
    """A model whose one round stays good for months."""
    clock = Clock(10**9)

    def read() -> Price:
        return Price(P, 10**9, 10**9 + 100 * DAY, PriceStatus.OK)

    return PerpMarket(clock, read, listing, risk)


def refused(call: Any, *values: Any, **options: Any) -> tuple[str, list[Any]]:
    with pytest.raises(ContractError) as caught:
        call(*values, **options)
    return caught.value.name, numbers(caught.value)


class TestListing:
    @pytest.mark.parametrize(
        ("field", "least", "most"),
        [
            ("strict_window", 60, DAY),
            ("premium_window", 60, DAY),
            ("short_window", 60, DAY),
            ("interruption", 0, 600),
            ("full_premium", WAD // 1_000, WAD),
            ("settlement_window", HOUR, 30 * DAY),
        ],
    )
    def test_listing_outside_a_bound_is_refused(
        self, bench: Bench, field: str, least: int, most: int
    ) -> None:
        camel = next(k for k in as_struct(LISTING) if k.lower() == field.replace("_", ""))
        for value, bound in ((least - 1, least), (most + 1, most)):
            if value < 0:
                continue
            listing = replace(LISTING, **{field: value})
            expected = ("MarketListing", [camel, value, bound])
            assert refused(bench.deploy, listing) == expected
            with pytest.raises(Refused) as caught:
                alone(listing=listing)
            assert (caught.value.name, numbers(caught.value)) == expected
        for value in (least, most):
            bench.deploy(replace(LISTING, **{field: value}))

    def test_listing_needs_a_price(self, bench: Bench) -> None:
        bench.chain.send(bench.feed, "setMode", REVERTING)
        assert refused(bench.deploy) == ("MarketNoPrice", [PriceStatus.NO_ANSWER])

    def test_new_market_stands_at_the_price(self, market: Pair) -> None:
        view = market.same()
        assert (view.index, view.strict, market.words.short) == (P, P, P)
        assert (view.open_interest, view.units, view.k) == (0, [0, 0], [0, 0])
        assert view.state is MarketState.ACTIVE
        assert view.mmr == 60_000 * PPM_IN_WAD


class TestCallers:
    @pytest.mark.parametrize(
        ("function", "values"),
        [
            ("accrue", ()),
            ("accrueToBook", ()),
            ("book", (0, 0, 0, 0)),
            ("setDepth", (1,)),
            ("setBacking", (1,)),
        ],
    )
    def test_only_the_clearing_house_moves_a_market(
        self, market: Pair, function: str, values: tuple[int, ...]
    ) -> None:
        stranger = market.chain.accounts[1]
        name, found = refused(
            market.chain.send, market.contract, function, *values, sender=stranger
        )
        assert (name, found[0].lower()) == ("MarketOnlyClearing", stranger.lower())

    @pytest.mark.parametrize(
        ("function", "values"),
        [
            ("setParams", (as_struct(RISK),)),
            ("tightenCaps", (1, 1)),
            ("reduceOnly", ()),
            ("activate", ()),
            ("beginSettlement", ()),
        ],
    )
    def test_only_roles_change_parameters_and_life(
        self, market: Pair, function: str, values: tuple[Any, ...]
    ) -> None:
        stranger = market.chain.accounts[1]
        send = market.chain.send
        name, _ = refused(send, market.contract, function, *values, sender=stranger)
        assert name == "AccessManagedUnauthorized"


class TestParams:
    @pytest.mark.parametrize(
        ("changes", "field", "value", "bound"),
        [
            ({"imr": 1_000_001}, "imr", 1_000_001, 1_000_000),
            ({"mmr": 2_499}, "mmr", 2_499, 2_500),
            ({"mmr": 100_000}, "mmr", 100_000, 100_000),
            ({"ramp_seconds": DAY - 1}, "rampSeconds", DAY - 1, DAY),
            ({"profit_weight": 500_001}, "profitWeight", 500_001, 500_000),
            ({"funding_cap": 50_001}, "fundingCap", 50_001, 50_000),
            ({"velocity": 50_001}, "velocity", 50_001, 50_000),
            ({"interest_rate": 1_000_001}, "interestRate", 1_000_001, 1_000_000),
            ({"size_scale": 9_999}, "sizeScale", 9_999, 10_000),
            ({"size_scale": 9_999_999}, "sizeScale", 9_999_999, 10_000_000),
            ({"min_notional": 0}, "minNotional", 0, 1),
            ({"open_interest_cap": 2**79 + 1}, "openInterestCap", 2**79 + 1, 2**79),
            ({"backing_multiple": 0}, "backingMultiple", 0, 1),
            ({"backing_multiple": 21}, "backingMultiple", 21, 20),
        ],
    )
    def test_parameter_outside_a_bound_is_refused(
        self, market: Pair, changes: dict[str, int], field: str, value: int, bound: int
    ) -> None:
        risk = replace(RISK, **changes)
        send = market.chain.send
        found = refused(send, market.contract, "setParams", as_struct(risk))
        assert found == ("RiskOutOfBounds", [field, value, bound])
        market.clock.now = market.chain.now
        with pytest.raises(Refused) as caught:
            market.model.set_params(risk)
        assert (caught.value.name, numbers(caught.value)) == found

    def test_parameters_at_their_bounds_are_taken(self, market: Pair) -> None:
        market.set_params(
            imr=1_000_000,
            mmr=999_999,
            profit_weight=500_000,
            funding_cap=50_000,
            velocity=50_000,
            interest_rate=1_000_000,
            size_scale=2**56 - 1,
            open_interest_cap=2**79,
            min_notional=1,
            backing_multiple=1,
        )
        assert not market.refusals
        assert market.contract.read("params").mmr == 999_999

    def test_setting_parameters_accrues_with_the_old_ones_first(self, market: Pair) -> None:
        """accrue, set is the same as set (INV-30)."""
        market.book(10 * WAD, 10 * WAD, 10 * WAD, WAD // 100)
        market.set_depth(10 * WAD)
        before = market.words.k[0]
        market.set_params(after=HOUR - 60, funding_cap=0)
        paid = market.words.k[0] - before
        assert paid < 0
        market.accrue(HOUR - 60)
        assert market.words.k[0] - before == paid, "nothing is paid at a cap of 0"

    def test_rise_of_maintenance_ramps_over_its_time(self, market: Pair) -> None:
        """No block brings more than its part of the rise (INV-30)."""
        market.set_params(mmr=90_000)
        assert market.same().mmr == 60_000 * PPM_IN_WAD
        start = market.clock.now
        for part in range(1, 9):
            market.clock.now = start + DAY * part // 8 - 1
            view = market.wait(1)
            assert view.mmr == (60_000 + 30_000 * part // 8) * PPM_IN_WAD
        assert market.wait(DAY).mmr == 90_000 * PPM_IN_WAD

    def test_fall_of_maintenance_holds_at_once(self, market: Pair) -> None:
        market.set_params(mmr=30_000)
        assert market.same().mmr == 30_000 * PPM_IN_WAD

    def test_second_ramp_starts_where_the_first_stands(self, market: Pair) -> None:
        market.set_params(mmr=90_000)
        market.set_params(after=DAY // 2, mmr=95_000)
        assert market.same().mmr == 75_000 * PPM_IN_WAD
        market.set_params(after=DAY // 2, mmr=60_000)
        assert market.same().mmr == 60_000 * PPM_IN_WAD

    def test_guardian_only_tightens_caps(self, market: Pair) -> None:
        p = market.model.params
        tighten = market.model.tighten_caps
        for o, a in ((p.open_interest_cap + 1, 0), (0, p.account_cap + 1)):
            market.both(lambda o=o, a=a: tighten(o, a), 1, "tightenCaps", o, a)
        assert market.refusals == {"MarketNotTighter": 2}
        market.both(lambda: tighten(5 * WAD, 7), 1, "tightenCaps", 5 * WAD, 7)
        view = market.same()
        assert (view.open_interest_cap, view.account_cap) == (5 * WAD, 7 * WAD)
        assert market.contract.read("params").accountCap == 7


class TestLife:
    def test_states_go_as_they_may(self, market: Pair) -> None:
        m = market.model
        market.both(m.activate, 1, "activate")
        market.both(m.reduce_only, 1, "reduceOnly")
        market.both(m.reduce_only, 1, "reduceOnly")
        market.both(m.activate, 1, "activate")
        market.begin_settlement()
        for call, name in ((m.activate, "activate"), (m.reduce_only, "reduceOnly")):
            market.both(call, 1, name)
        market.begin_settlement()
        assert market.refusals == {"MarketWrongState": 5}

    def test_settlement_fixes_the_index_for_good(self, market: Pair) -> None:
        market.book(10 * WAD, 10 * WAD, 10 * WAD)
        market.push(2_100 * 10**8, 100)
        market.begin_settlement()
        k = list(market.words.k)
        market.push(1_000 * 10**8, 100)
        view = market.accrue(HOUR)
        assert (view.index, view.strict, view.live) == (2_100 * WAD, 2_100 * WAD, True)
        assert view.k == k == [100 * K_UNIT, -100 * K_UNIT]

    def test_dead_market_settles_at_the_last_good_index(self, market: Pair) -> None:
        market.book(10 * WAD, 10 * WAD, 10 * WAD)
        market.push(2_100 * 10**8, 100)
        market.accrue()
        market.push(1_000 * 10**8, 10)
        market.misbehave(REVERTING)
        assert not market.accrue(30 * DAY).live
        market.begin_settlement()
        view = market.accrue(10)
        assert (view.index, view.live) == (2_100 * WAD, True)

    def test_settled_market_closes_after_its_window(self, market: Pair) -> None:
        market.book(10 * WAD, 11 * WAD, 12 * WAD)
        market.begin_settlement()
        k = list(market.words.k)
        assert market.accrue(LISTING.settlement_window - 1).open_interest == 10 * WAD
        assert market.accrue(1).state is MarketState.CLOSED
        assert (market.words.open_interest, market.words.units) == (0, [0, 0])
        assert market.words.epoch == [1, 1]
        market.same_epochs()
        assert [market.model.epoch_end(s, 0).k for s in (0, 1)] == k
        assert [market.model.epoch_end(s, 0).ratio for s in (0, 1)] == [0, 0]


class TestAverages:
    @pytest.mark.parametrize("touches", [2, 7, 60])
    def test_many_touches_equal_one(self, touches: int) -> None:
        """INV-22. What differs: each touch rounds each stored value by at most one of its units.

        Prices to a wei, the premium to 1e-9, velocity to 1e-12; n touches to n of these. Weights
        are rounded to 1e-18, which is a wei or so of a price of 1 more. Of funding, n * 1e-9 of
        premium over the time and n * 1e-12 of velocity are n * 1e-9 * 3 / day + n * 1e-12 / day.
        """
        span = 21 * 60
        parts, whole = alone(), alone()
        for m in (parts, whole):
            m.set_depth(100 * WAD)
            m.book(40 * WAD, 41 * WAD, 43 * WAD, WAD // 250)
            m.words.strict, m.words.short = P * 9 // 10, P * 11 // 10
        for _ in range(touches):
            parts.clock.now += span // touches
            parts.accrue()
        whole.clock.now = parts.clock.now
        whole.accrue()
        a, b = parts.words, whole.words
        wei = touches * (1 + 2 * P // WAD)
        assert abs(a.strict - b.strict) <= wei
        assert abs(a.short - b.short) <= wei
        assert abs(a.premium_average - b.premium_average) <= touches
        assert abs(a.velocity - b.velocity) <= touches
        premium = touches * ONE * 3 * span + touches * 10**6 * span
        slack = premium * P // (DAY * WAD) + touches
        for side in (0, 1):
            assert a.k[side] != 0
            assert abs(a.k[side] - b.k[side]) <= slack * 10**9 + touches

    def test_average_takes_the_value_that_stood(self, market: Pair) -> None:
        """A price that comes after an idle hour has weight 0 in that hour."""
        market.push(4_000 * 10**8, HOUR - 120)
        view = market.accrue(0)
        assert (view.index, view.strict) == (4_000 * WAD, P)
        view = market.accrue(1)
        assert P < view.strict < P + 2 * WAD

    def test_averages_stop_while_the_feed_is_dead(self, market: Pair) -> None:
        market.book(10 * WAD, 10 * WAD, 10 * WAD, WAD // 100)
        market.set_depth(10 * WAD)
        market.push(2_200 * 10**8, 10)
        market.accrue(0)
        end = market.words.valid_until
        market.clock.now = end - 1
        market.accrue(1)
        stood = replace(market.words)
        k = list(stood.k)
        for after in (1, HOUR, DAY):
            assert not market.accrue(after).live
            s = market.words
            assert (s.strict, s.short, s.premium_average) == (
                stood.strict,
                stood.short,
                stood.premium_average,
            )
            assert s.k == k, "no funding without a feed"
        market.push(2_200 * 10**8, 10)
        view = market.accrue(5)
        assert view.live
        expected = accrual.toward(
            stood.strict, 2_200 * WAD, accrual.weight(5, LISTING.strict_window)
        )
        assert market.words.strict == expected, "only the seconds since the new round count"

    def test_variance_comes_from_rounds_alone(self, market: Pair) -> None:
        market.push(2_020 * 10**8, 100)
        market.accrue()
        first = market.words.variance
        square, seconds = 10**14, market.clock.now - 1 - (market.words.valid_until - HEARTBEAT)
        assert first > 0
        assert seconds == 0
        for _ in range(3):
            market.accrue(100)
        assert market.words.variance == first
        assert first * accrual.VARIANCE_UNIT <= square


class TestFunding:
    def booked(self, market: Pair, premium: int, depth: int = 10 * WAD) -> None:
        market.set_depth(depth)
        market.book(10 * WAD, 10 * WAD, 10 * WAD, premium)

    def test_sides_never_gain_together(self) -> None:
        """Zero-sum by construction: what rounding leaves is at most a unit of k per side."""
        m = alone(replace(RISK, velocity=50_000, funding_cap=50_000))
        m.set_depth(3 * WAD)
        n = [7 * WAD + 3, 11 * WAD + 1]
        m.book(5 * WAD + 7, *n, WAD // 77)
        for step in range(1, 40):
            m.clock.now += 37 * step
            before = list(m.words.k)
            m.accrue()
            moved = [a - b for a, b in zip(m.words.k, before, strict=True)]
            assert -sum(n) < n[0] * moved[0] + n[1] * moved[1] <= 0

    def test_sign_is_that_of_the_premium(self, market: Pair) -> None:
        self.booked(market, WAD // 100)
        market.accrue(100)
        assert market.words.k[0] < 0 < market.words.k[1]
        self.booked(market, -WAD // 100)
        before = list(market.words.k)
        market.set_params(velocity=0)
        market.accrue(3_400)
        market.accrue(0)
        assert market.words.premium_average < 0
        assert market.words.k[0] > before[0]

    def test_rate_never_passes_its_cap(self, market: Pair) -> None:
        """1.2 % a day at most, whatever the premium (INV-22)."""
        self.booked(market, 2 * WAD)
        for after in (1, 60, 3_000):
            before = list(market.words.k)
            market.accrue(after)
            most = 12_000 * PPM_IN_WAD * after * P // (DAY * WAD)
            assert 0 < before[0] - market.words.k[0] <= most * 10**9
        before = market.words.k[0]
        market.accrue(500)
        exact = 12_000 * PPM_IN_WAD * 500 * P // (DAY * WAD)
        assert before - market.words.k[0] == exact * 10**9

    @pytest.mark.parametrize("seconds", [1, 12, 300])
    def test_spike_counts_its_time_over_the_window(self, seconds: int) -> None:
        """The average reaches p * d / W at most; all that is ever paid is p * d * 3 / day."""
        m = alone(replace(RISK, velocity=0))
        m.set_depth(10 * WAD)
        spike = WAD // 500
        m.book(10 * WAD, 10 * WAD, 10 * WAD, spike)
        m.clock.now += seconds
        m.accrue()
        m.book(10 * WAD, 10 * WAD, 10 * WAD, 0)
        window = LISTING.premium_window
        # stored in 1e-9, and rounded toward the premium that stood
        assert (m.words.premium_average - 1) * ONE * window <= spike * seconds
        m.clock.now += 40 * window
        m.accrue()
        paid = -m.words.k[0] // 10**9
        exact = spike * seconds * 3 * P // (DAY * WAD)
        # 1e-9 of the average, twice rounded, is 1e-9 * window * 3 / day of funding
        assert abs(paid - exact) <= 2 * ONE * window * 3 * P // (DAY * WAD)

    def test_push_within_a_second_counts_nothing(self, market: Pair) -> None:
        self.booked(market, 0)
        market.accrue(100)
        market.book(10 * WAD, 10 * WAD, 10 * WAD, WAD // 10, 0)
        market.book(10 * WAD, 10 * WAD, 10 * WAD, 0, 0)
        market.accrue(1_000)
        assert market.words.premium_average == 0
        assert market.words.k == [0, 0]

    def test_thin_push_cannot_tax_a_large_book(self) -> None:
        """Depth a tenth of the open interest: a tenth of the premium part."""
        paid = []
        for depth in (10 * WAD, WAD):
            m = alone(replace(RISK, velocity=0))
            m.set_depth(depth)
            m.book(10 * WAD, 10 * WAD, 10 * WAD, WAD // 500)
            m.clock.now += 1_000
            m.accrue()
            paid.append(m.words.k[1])
        assert abs(paid[0] - 10 * paid[1]) <= 10 * 10**9

    def test_full_skew_builds_velocity_by_the_hour(self) -> None:
        """0.3 % a day after an hour at the full premium; twice the premium is no more."""
        for premium in (3 * WAD // 100, 6 * WAD // 100):
            m = alone()
            m.set_depth(WAD)
            m.book(10 * WAD, 10 * WAD, 10 * WAD, premium)
            m.clock.now += HOUR
            m.accrue()
            assert m.words.velocity * accrual.VELOCITY_UNIT == 3_000 * PPM_IN_WAD
        half = alone()
        half.set_depth(WAD)
        half.book(10 * WAD, 10 * WAD, 10 * WAD, 15 * WAD // 1_000)
        half.clock.now += HOUR
        half.accrue()
        assert half.words.velocity * accrual.VELOCITY_UNIT == 1_500 * PPM_IN_WAD

    def test_velocity_stops_at_the_cap_and_turns_back(self) -> None:
        m = alone()
        m.set_depth(10 * WAD)
        m.book(10 * WAD, 10 * WAD, 10 * WAD, WAD)
        m.clock.now += 100 * HOUR
        m.accrue()
        assert m.words.velocity * accrual.VELOCITY_UNIT == 12_000 * PPM_IN_WAD
        m.book(10 * WAD, 10 * WAD, 10 * WAD, -WAD)
        m.clock.now += 2 * HOUR
        m.accrue()
        assert m.words.velocity * accrual.VELOCITY_UNIT == 6_000 * PPM_IN_WAD

    def test_velocity_ends_with_the_depth(self) -> None:
        """GOV-08: a venue that was stopped taxes nobody by the skew it left behind."""
        m = alone()
        m.set_depth(10 * WAD)
        m.book(10 * WAD, 10 * WAD, 10 * WAD, 3 * WAD // 100)
        m.clock.now += HOUR
        m.accrue()
        m.set_depth(0)
        m.clock.now += HOUR
        before = list(m.words.k)
        m.accrue()
        assert (m.words.velocity, m.words.k) == (0, before)

    def test_premium_is_stored_within_its_field(self, market: Pair) -> None:
        for premium, stored in ((3 * WAD, 2**31 - 1), (-3 * WAD, 1 - 2**31), (-ONE - 1, -1)):
            market.book(10 * WAD, 10 * WAD, 10 * WAD, premium)
            assert market.words.premium == stored


class TestInterruption:
    @pytest.mark.parametrize(
        ("answer", "shut"),
        [
            (2_060 * 10**8, False),
            (2_060 * 10**8 + 1, True),
            (1_940 * 10**8, False),
            (1_940 * 10**8 - 1, True),
        ],
    )
    def test_half_the_maintenance_rate_is_the_limit(
        self, market: Pair, answer: int, shut: bool
    ) -> None:
        """3 % away is not an interruption; one more unit of the feed is."""
        market.push(answer, 1)
        view = market.accrue(0)
        assert (view.interrupted_until > market.clock.now) is shut

    @pytest.mark.parametrize("answer", [2_400, 1_500, 200])
    def test_jump_shuts_until_the_computed_second(self, market: Pair, answer: int) -> None:
        market.push(answer * 10**8, 30)
        view = market.accrue(0)
        gap = accrual.gap_seconds(view.index, P, view.mmr // 2, LISTING.short_window)
        until = market.clock.now + gap + LISTING.interruption
        assert gap > 0
        assert view.interrupted_until == until
        for after in (1, gap // 2, gap // 2, 30):
            assert market.accrue(after).interrupted_until == until, "touches do not move it"
        market.clock.now = until - 1
        assert market.accrue(0).interrupted_until == until
        assert market.accrue(1).interrupted_until == market.clock.now, "open at that second"
        s = market.words
        assert abs(s.index - s.short) * WAD <= view.mmr // 2 * s.short

    @pytest.mark.parametrize("late", [1, 60, 400, 2_000])
    def test_jump_nobody_touched_opens_at_the_same_second(self, market: Pair, late: int) -> None:
        """Fills that are refused move nothing; the market must not stay shut because of it."""
        market.push(2_400 * 10**8, 30)
        gap = accrual.gap_seconds(2_400 * WAD, P, market.model.mmr // 2, LISTING.short_window)
        until = market.clock.now + gap + LISTING.interruption
        first = market.accrue(late)
        assert first.interrupted_until == max(until, market.clock.now)
        d = 400 * WAD
        short = 2_400 * WAD - d * accrual.weight(late, LISTING.short_window) // WAD
        assert abs(market.words.short - short) <= 2, "the average follows since the round"

    def test_second_jump_never_shortens(self, market: Pair) -> None:
        market.push(3_000 * 10**8, 30)
        until = market.accrue(0).interrupted_until
        market.push(2_070 * 10**8, 10)
        assert market.accrue(0).interrupted_until >= until


class TestEpochs:
    def test_empty_side_rolls_both(self, market: Pair) -> None:
        market.book(10 * WAD, 11 * WAD, 12 * WAD)
        market.push(2_100 * 10**8, 10)
        market.accrue()
        k = list(market.words.k)
        market.book(0, 0, 12 * WAD, after=0)
        assert market.words.epoch == [0, 1], "a side without units has nobody to convert"
        assert (market.words.open_interest, market.words.units) == (0, [0, 0])
        assert market.model.epoch_end(1, 0).k == k[1]
        assert market.model.epoch_end(1, 0).ratio == 0
        market.same_epochs()

    def test_dust_of_open_interest_empties_the_market(self, market: Pair) -> None:
        market.book(10 * WAD, 10 * WAD, 10 * WAD)
        market.book(10**9 - 1, 10**9, 10**9)
        assert market.words.epoch == [1, 1]
        market.book(10**9, 10**9, 10**9)
        assert market.words.epoch == [1, 1]
        assert market.words.open_interest == 10**9

    def test_side_below_the_floor_begins_anew_at_ratio_one(self, market: Pair) -> None:
        o = 10 * WAD
        market.book(o, 1_000 * o, o)
        assert market.words.epoch == [0, 0]
        market.book(o, 1_000 * o + 1, o)
        assert market.words.epoch == [1, 0]
        assert market.words.units == [o, o]
        assert market.model.epoch_end(0, 0).ratio == o * RATIO_UNIT // (1_000 * o + 1)
        market.same_epochs()

    def test_side_with_too_many_units_begins_anew(self, market: Pair) -> None:
        o = 2**78
        market.book(o, 2**79, o)
        assert market.words.epoch == [0, 0]
        market.book(o, o, 2**79 + 1)
        assert market.words.epoch == [0, 1]
        assert market.words.units == [o, o]
        market.same_epochs()

    def test_profit_index_goes_on_over_an_epoch(self, market: Pair) -> None:
        """A new epoch starts at the side's index: nobody gains or loses by a roll."""
        o = 10 * WAD
        market.book(o, 10 * o, o)
        market.push(2_100 * 10**8, 10)
        market.accrue()
        k = list(market.words.k)
        market.book(o // 200, 10 * o, o // 200, after=0)
        assert market.words.epoch == [1, 0]
        assert market.words.k == k == [10 * K_UNIT, -100 * K_UNIT]


class TestSides:
    def test_side_indices_carry_the_price(self, market: Pair) -> None:
        """K_long += O * dP / N_long, toward minus infinity on each side."""
        o, long, short = 10 * WAD, 30 * WAD, 7 * WAD
        market.book(o, long, short)
        market.push(2_001 * 10**8, 10)
        market.accrue()
        assert market.words.k == [K_UNIT // 3, -(10 * K_UNIT // 7) - 1]

    def test_depth_saturates(self, market: Pair) -> None:
        market.set_depth(2**100)
        assert market.same().depth == 2**80 - 1

    def test_dead_price_is_named(self, market: Pair) -> None:
        market.misbehave(REVERTING)
        assert refused(market.contract.read, "requirePrice")[0] == "OracleNoAnswer"
        with pytest.raises(Refused, match="OracleNoAnswer"):
            market.model.require_price()
        market.misbehave(NORMAL)
        market.contract.read("requirePrice")
        market.model.require_price()
