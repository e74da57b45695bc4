"""What no sequence of fills and LP events may break; in the model, which equals the contracts."""

import random
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

import pytest

from novation.model.errors import Refused
from novation.units import PPM, WAD
from tests.unit.venues.conftest import FIXED, FREE, LP, LP_2, OTHER, TRADER, Pool, account

I = 2_000 * WAD  # noqa: E741
SEEDS = range(6)


def lots(rng: random.Random, most: int = 60) -> int:
    """From dust to most lots, either way."""
    return rng.randint(10**9, most * 10 ** rng.randint(12, 18)) * rng.choice((-1, 1))


def try_trade(pool: Pool, size: int, owner: bytes = TRADER) -> Any:
    try:
        return pool.trade(size, owner)
    except Refused:
        return None


class TestClassicCurve:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_fixed_peg_is_the_constant_product_exactly(self, seed: int) -> None:
        """Reserves X and Y = p k / X: a buy pays ceil of what Y grows by, a sale gets the floor."""
        rng = random.Random(seed)
        pool = Pool(band=200_000, **FREE | FIXED)
        root = pool.vamm.state.root
        k = Fraction(root * root)
        done = 0
        while done < 40:
            if rng.random() < 0.2:
                pool.push(rng.randint(1_960, 2_040) * WAD)
                pool.calm()
            x, size = root + pool.held, lots(rng)
            fill = try_trade(pool, size)
            if fill is None:
                continue
            done += 1
            change = I * k * (Fraction(1, x - size) - Fraction(1, x)) / WAD
            assert fill.quote == (ceil(change) if size > 0 else floor(-change))
            assert fill.fee == 0
            assert fill.mid == floor(I * k / (x - size) ** 2)
            assert pool.vamm.state.root == root, "k never decreases (INV-11)"
            assert root + pool.held == x - size

    @pytest.mark.parametrize("seed", SEEDS)
    def test_pool_never_holds_less_than_its_curve_says(self, seed: int) -> None:
        """Cash taken is at least p k (1/X - 1/r), whatever was traded: k, rounded, only grows."""
        rng = random.Random(seed)
        pool = Pool(band=200_000, **FREE | FIXED)
        root, taken = pool.vamm.state.root, 0
        for _ in range(60):
            fill = try_trade(pool, lots(rng))
            if fill is None:
                continue
            taken += fill.quote if fill.size > 0 else -fill.quote
            x = root + pool.held
            assert taken >= I * (Fraction(root * root, x) - root) / WAD


class TestRoundTrips:
    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize("params", [{}, FREE, FREE | FIXED], ids=["usual", "free", "fixed"])
    def test_round_trip_never_profits(self, seed: int, params: dict[str, Any]) -> None:
        """INV-11, INV-06: any walk that ends where it began, by two accounts, at one index."""
        rng = random.Random(seed)
        pool = Pool(**params)
        try_trade(pool, lots(rng), OTHER)
        before = pool.worth(TRADER)
        for _ in range(15):
            try_trade(pool, lots(rng))
        size = pool.house.size_of(account(TRADER), 0)
        if size:
            pool.vamm.close(account(TRADER), 0 if size > 0 else 2**256 - 1, 2**256 - 1, TRADER)
        assert pool.worth(TRADER) <= before

    @pytest.mark.parametrize("seed", SEEDS)
    def test_sandwich_never_gains_more_than_its_victim_loses(self, seed: int) -> None:
        """The pool never pays for it: its own equity does not fall at a constant index."""
        rng = random.Random(seed)
        pool = Pool(**FREE)
        start = pool.equity()
        for _ in range(20):
            size = lots(rng, 7)
            if try_trade(pool, size) and try_trade(pool, lots(rng, 7), OTHER):
                try_trade(pool, -size)
        for owner in (TRADER, OTHER):
            size = pool.house.size_of(account(owner), 0)
            if size:
                pool.vamm.close(account(owner), 0 if size > 0 else 2**256 - 1, 2**256 - 1, owner)
        assert pool.held == 0
        assert pool.equity() >= start


class TestParts:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_parts_never_pay_less_than_the_whole(self, seed: int) -> None:
        """INV-12. Cost exactly; the fee to a price's rounding per part: lots * rate + 2 wei."""
        rng = random.Random(seed)
        compared = 0
        while compared < 5:
            whole_pool, parts_pool = (Pool(base_fee=500) for _ in range(2))
            lean = lots(rng, 10)
            for pool in (whole_pool, parts_pool):
                try_trade(pool, lean, OTHER)
            size = lots(rng, 15)
            whole = try_trade(whole_pool, size)
            if whole is None:
                continue
            cuts = sorted(rng.randint(0, abs(size)) for _ in range(rng.randint(1, 6)))
            edges = [0, *cuts, abs(size)]
            sizes = [b - a for a, b in pairwise(edges) if b > a]
            sign = 1 if size > 0 else -1
            fills = [try_trade(parts_pool, sign * s) for s in sizes]
            if None in fills:
                continue  # a first part below the least notional
            compared += 1
            cost = sum(f.quote for f in fills) - whole.quote
            assert cost >= 0 if size > 0 else cost <= 0
            slack = len(sizes) * (2 * abs(size) * 50_000 // (PPM * WAD) + 2)
            assert sum(f.fee for f in fills) >= whole.fee - slack

    @pytest.mark.parametrize("seed", SEEDS)
    def test_exact_quote_and_exact_size_agree(self, seed: int) -> None:
        """Buying for a quote gives no more than that quote buys; a wei of lots is 2,000 wei."""
        rng = random.Random(seed)
        pool = Pool()
        try_trade(pool, lots(rng, 5), OTHER)
        for _ in range(50):
            quote = rng.randint(10**9, 10 ** rng.randint(10, 22)) * rng.choice((-1, 1))
            try:
                by_quote = pool.vamm.quote_trade_quote(quote)
            except Refused:
                continue
            by_size = pool.vamm.quote_trade(by_quote.size)
            assert by_quote.quote == abs(quote)
            if quote > 0:
                assert 0 <= by_quote.quote - by_size.quote <= 3 * by_quote.mid // WAD + 1
            else:
                assert 0 <= by_size.quote - by_quote.quote <= 3 * by_quote.mid // WAD + 1
            assert abs(by_quote.fee - by_size.fee) <= 3 * by_quote.mid // WAD + 1


class TestBand:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_band_binds_growing_fills_alone(self, seed: int) -> None:
        """After a fill the mid is inside the band, or the inventory shrank."""
        rng = random.Random(seed)
        pool = Pool(follow=False, return_speed=0, return_cap=0, band=30_000)
        bound = 0
        for _ in range(60):
            if rng.random() < 0.3:
                pool.push(pool.price * rng.randint(985_000, 1_015_000) // PPM)
                pool.calm()
            before, size = pool.held, lots(rng, 30)
            try:
                fill = pool.trade(size)
            except Refused as refused:
                if refused.name == "VammOutsideBand":
                    bound += 1
                    assert abs(before - size) > abs(before)
                continue
            away = abs(fill.mid - fill.index)
            assert away <= fill.index * 30_000 // PPM or abs(pool.held) <= abs(before)
        assert bound

    @pytest.mark.parametrize("sign", [1, -1])
    def test_last_lot_inside_the_band_and_one_more(self, sign: int) -> None:
        pool = Pool(**FREE)
        edge = pool.price + sign * pool.price * 30_000 // PPM
        size = pool.to_mid(edge)
        inside = size - sign * 10**5
        assert abs(pool.vamm.quote_trade(inside).mid - edge) <= 10**6
        with pytest.raises(Refused) as caught:
            pool.vamm.quote_trade(size + sign * 10**6)
        assert caught.value.name == "VammOutsideBand"
        mid, index, band = caught.value.values.values()
        assert (index, band) == (pool.price, pool.price * 30_000 // PPM)
        assert abs(int(str(mid)) - pool.price) > pool.price * 30_000 // PPM

    def test_position_can_always_be_closed_after_a_drift(self) -> None:
        """A peg that never moves, index 20 % away: what shrinks the inventory still fills."""
        pool = Pool(follow=False, return_speed=0, return_cap=0, fee_cap=0, base_fee=0, age_fee=0)
        pool.trade(10 * WAD)
        for _ in range(10):
            pool.push(pool.price * 98 // 100)
            pool.calm()
        assert abs(pool.vamm.curve()[0] - pool.price) > pool.price * 30_000 // PPM
        fill = pool.vamm.close(account(TRADER), 0, 2**256 - 1, TRADER)
        assert fill.size == -10 * WAD
        assert pool.held == 0


class TestPegReturn:
    def lagging(self, move: int = 20, **params: Any) -> Pool:
        """A peg that stays behind while the index moves by so many thousandths."""
        terms = {"follow": False, "return_speed": 100, "return_cap": 2_500} | params
        pool = Pool(**FREE | terms)
        pool.push(pool.price * (1_000 + move) // 1_000, 1_000)
        pool.calm()
        return pool

    @pytest.mark.parametrize("move", [20, -20])
    @pytest.mark.parametrize("wait", [1, 7, 59, 60, 61, 3_000])
    def test_peg_returns_at_its_speed_for_a_minute_at_most(self, move: int, wait: int) -> None:
        """1 bp of the index a second; an idle hour counts as a minute."""
        pool = self.lagging(move)
        pool.trade(WAD)  # the peg has moved now
        peg = pool.vamm.state.peg
        pool.push(after=wait)
        step = pool.price * 100 * min(wait, 60) // PPM
        assert abs(pool.vamm.curve()[1] - peg) == step
        pool.trade(-WAD // 1_000)
        assert abs(pool.vamm.state.peg - peg) == step
        assert pool.vamm.curve()[1] == pool.vamm.state.peg, "not twice in a second"

    def test_peg_stops_at_the_index(self) -> None:
        pool = self.lagging(2)
        for _ in range(4):
            pool.push(after=60)
            try_trade(pool, WAD // 100)
        assert pool.vamm.curve()[1] == pool.price
        assert pool.vamm.state.peg == pool.price

    @pytest.mark.parametrize("seed", SEEDS)
    def test_return_never_carries_the_mid_past_the_cap(self, seed: int) -> None:
        """25 bps past the index at most, unless it was further already; and toward the index."""
        rng = random.Random(seed)
        pool = Pool(**FREE | {"follow": bool(seed % 2), "return_speed": 1_000})
        for _ in range(40):
            if rng.random() < 0.4:
                pool.push(pool.price * rng.randint(990_000, 1_010_000) // PPM)
                pool.calm()
            else:
                pool.push(after=rng.randint(1, 100))
            stood = pool.vamm._peg_at(pool.price)
            mid, peg, _, _ = pool.vamm.curve()
            assert abs(peg - pool.price) <= abs(stood - pool.price)
            if peg != stood:
                cap = pool.price * 2_500 // PPM
                past = mid - pool.price if peg > stood else pool.price - mid
                assert past <= cap + 2, "the mid is rounded down to a wei, and so is the peg"
            try_trade(pool, lots(rng, 8))

    def test_following_peg_moves_with_the_index(self) -> None:
        pool = Pool(**FREE)
        pool.trade(5 * WAD)
        mid = pool.vamm.curve()[0]
        pool.push(pool.price * 101 // 100)
        assert abs(pool.vamm.curve()[0] - mid * 101 // 100) <= 2


class TestLiquidityEvents:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_event_keeps_the_mid_and_raises_nobodys_take(self, seed: int) -> None:
        """INV-21, RE-1: the mid stays to the rounding of peg and mid, a wei each.

        G per unit of equity does not rise by more than two wei of mid are worth. (Per share it
        rises with the equity per share, when who enters or leaves pays a fee to the others.)
        """
        rng = random.Random(seed)
        pool = Pool(follow=bool(seed % 2), return_speed=0, return_cap=0, band=50_000)
        pool.add(LP_2, 10**6 * WAD)
        done = 0
        while done < 12:
            if rng.random() < 0.5:
                pool.push(pool.price * rng.randint(985_000, 1_015_000) // PPM)
                pool.calm()
            try_trade(pool, lots(rng, 20))
            kind = rng.random()
            if kind < 0.4:
                pool.request(OTHER, rng.randint(WAD, 10**6 * WAD))
                pool.push()
                event = pool.vamm.execute_deposit
                who = account(OTHER)
            else:
                who = account(rng.choice((LP, LP_2)))
                shares = pool.vamm.shares_of(who)
                pool.leave(who[:20], shares * rng.randint(1, 30) // 100)
                event = pool.vamm.execute_withdrawal
                if kind > 0.7:
                    pool.fund(who[:20], 10**6 * WAD)

                    def event(a: bytes) -> Any:
                        return pool.vamm.execute_in_kind(a, sender=a[:20])

            mid, owed, equity = pool.vamm.curve()[0], pool.owed(), pool.equity()
            event(who)
            done += 1
            x = pool.vamm.curve()[2]
            assert abs(pool.vamm.curve()[0] - mid) <= 2
            worth_of_rounding = Decimal(2 * x) / WAD + 2
            assert pool.owed() <= owed * pool.equity() / equity + worth_of_rounding

    @pytest.mark.parametrize("fees", [{}, FREE], ids=["usual", "free"])
    @pytest.mark.parametrize("sign", [1, -1])
    @pytest.mark.parametrize("kind", ["cash", "kind"])
    def test_buy_to_the_band_redeem_and_sell_gains_nothing(
        self, fees: dict[str, int], sign: int, kind: str
    ) -> None:
        """RE-1: who owns half of the shares and all of the trades, at one index.

        The kept mid is rounded by up to two wei, of which every lot of his can gain.
        """
        pool = Pool(**fees)
        pool.add(LP_2, 10**6 * WAD)
        pool.leave(LP_2, pool.vamm.shares_of(account(LP_2)))
        start = pool.worth(TRADER) + pool.worth(LP_2) + pool.equity() // 2
        size = pool.to_mid(pool.price + sign * pool.price * 29_900 // PPM)
        pool.trade(size)
        if kind == "cash":
            pool.vamm.execute_withdrawal(account(LP_2))
        else:
            pool.fund(LP_2, 10**5 * WAD)
            start += 10**5 * WAD
            pool.vamm.execute_in_kind(account(LP_2), sender=LP_2)
        for owner in (TRADER, LP_2):
            held = pool.house.size_of(account(owner), 0)
            step = pool.to_mid(pool.price)
            if held and step * held < 0:
                close = max(-abs(held), -abs(step)) if held > 0 else min(abs(held), abs(step))
                pool.trade(close, owner)
        end = pool.worth(TRADER) + pool.worth(LP_2)
        assert end <= start + 2 * abs(size) // WAD, f"gains {Decimal(end - start) / WAD} quote"

    def test_deposit_passes_no_depth_limit(self) -> None:
        """Base reserve times index is at most `depth` times the equity after a deposit."""
        pool = Pool()
        assert pool.vamm.state.root == 5 * 10**6 * WAD * WAD // pool.price
        pool.push(pool.price * 98 // 100)
        pool.calm()
        pool.add(LP_2, 5 * 10**5 * WAD)
        x = pool.vamm.curve()[2]
        assert x * pool.price // WAD <= 5 * pool.equity()

    def test_cycle_of_deposits_and_withdrawals_does_not_profit(self) -> None:
        """INV-18: in and out at one index costs the two fees, and never pays."""
        pool = Pool(lp_fee=0)
        pool.fund(LP_2, 0)
        for _ in range(3):
            shares = pool.add(LP_2, 10**5 * WAD)
            before = pool.worth(LP_2)
            pool.leave(LP_2, shares)
            paid = pool.vamm.execute_withdrawal(account(LP_2))
            assert paid <= 10**5 * WAD
            assert paid >= 10**5 * WAD - 2, "two divisions, each rounded down"
            assert pool.worth(LP_2) == before + paid


class TestInflation:
    @pytest.mark.parametrize("victim", [WAD, 1_000 * WAD, 10**6 * WAD])
    def test_first_depositor_cannot_round_the_second_down(self, victim: int) -> None:
        """VAM-09. The least first deposit, all but dust redeemed, fees pushed in by trading:
        the second depositor loses less than 1e-4, and the first gains nothing."""
        pool = Pool(0, lp_fee=0, house_share=0)
        spent = pool.worth(TRADER)
        first = pool.add(LP, WAD)
        with pytest.raises(Refused, match="ClearingVenueAccount"):
            pool.house.transfer(account(TRADER), pool.vamm.account, 10**5 * WAD, sender=TRADER)
        pool.leave(LP, first - 1_000)
        paid = pool.vamm.execute_withdrawal(account(LP))
        assert pool.vamm.total == 1_000
        shares = pool.add(LP_2, victim)
        value = pool.vamm.value()[0]
        mine = value * shares // pool.vamm.total
        assert mine >= victim - victim // 10_000
        assert paid + value - mine <= WAD
        assert pool.worth(TRADER) == spent


class TestEmptyPool:
    @pytest.mark.parametrize("gain", [1, 10**6, WAD])
    def test_last_lp_can_leave_whatever_is_left_over(self, gain: int) -> None:
        """Without a fee a wei or so of profit stays behind: too little to scale a curve to."""
        pool = Pool(lp_fee=0)
        pool.house.accounts[pool.vamm.account].capital += gain
        pool.house.house.capital_total += gain
        pool.vault.held += gain
        pool.leave(LP, pool.vamm.total)
        paid = pool.vamm.execute_withdrawal(account(LP))
        assert 10**6 * WAD <= paid <= 10**6 * WAD + gain
        assert (pool.vamm.total, pool.vamm.curve()) == (0, (0, 0, 0, 0))
        assert pool.market.depth == 0
        pool.add(LP_2, WAD)
        assert pool.vamm.total == WAD
        assert pool.vamm.curve()[0] == pool.price

    @pytest.mark.parametrize("loss", [1, WAD, 3 * 10**5 * WAD, 10**6 * WAD - 1])
    def test_last_lp_of_a_pool_that_lost_can_leave_with_all_of_it(self, loss: int) -> None:
        """Without a fee the virtual shares would have him take a wei more than there is."""
        pool = Pool(lp_fee=0)
        pool.house.accounts[pool.vamm.account].capital -= loss
        pool.house.house.capital_total -= loss
        left = pool.house.accounts[pool.vamm.account].capital
        pool.leave(LP, pool.vamm.total)
        assert pool.vamm.execute_withdrawal(account(LP)) == left
        assert (pool.vamm.total, pool.vamm.curve()) == (0, (0, 0, 0, 0))

    def test_share_epoch_ends_and_debt_keeps_deposits_out(self) -> None:
        """Nobody buys the debt of those before him; shares of the old epoch are void."""
        pool = Pool()
        old = pool.vamm.total
        with pytest.raises(Refused, match="VammPoolHasValue"):
            pool.vamm.end_share_epoch()
        books = pool.house.accounts[pool.vamm.account]
        pool.house.house.capital_total -= books.capital
        books.capital, books.pnl = 0, -5 * WAD
        with pytest.raises(Refused, match="VammInsolvent"):
            pool.add(LP_2, 100 * WAD)
        pool.vamm.request_withdrawal(account(LP), old, WAD, LP)
        pool.vamm.end_share_epoch()
        assert pool.vamm.withdrawals == {}, "it would count as cooled for new shares"
        assert (pool.vamm.total, pool.vamm.shares_of(account(LP))) == (0, 0)
        assert pool.vamm.shares[0, account(LP)] == old
        with pytest.raises(Refused, match="VammPoolHasValue"):
            pool.vamm.end_share_epoch()
        pool.push()
        with pytest.raises(Refused) as caught:
            pool.vamm.execute_deposit(account(LP_2))
        assert (caught.value.name, caught.value.values) == ("VammInsolvent", {"value": -5 * WAD})
        pool.house.accounts[pool.vamm.account].pnl = 0
        assert pool.vamm.execute_deposit(account(LP_2)) == 100 * WAD * 999 // 1_000

    def test_release_below_one_for_one_shrinks_the_curve_by_what_it_cost(self) -> None:
        """RE-1, RE-14: the profit that a cut release forfeits backs no depth."""
        pool = Pool(lp_fee=0)
        books = pool.house.accounts[pool.vamm.account]
        moved = 9 * 10**5 * WAD
        books.capital -= moved
        books.pnl += moved
        pool.house.house.capital_total -= moved
        pool.house.house.profit_total += moved
        pool.vault.held -= moved // 2
        pool.leave(LP, pool.vamm.total * 4 // 10)
        before, x = pool.equity(), pool.vamm.curve()[2]
        paid = pool.vamm.execute_withdrawal(account(LP))
        after = pool.equity()
        assert after < before - paid
        assert pool.vamm.curve()[2] == x * after // before
