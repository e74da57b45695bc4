"""What each kind of trader decides. No chain."""

from dataclasses import replace

import numpy as np
import pytest

from novation.lab.traders import (
    Close,
    Kind,
    Seen,
    Trade,
    Traits,
    Trend,
    arbitrage,
    collect_funding,
    draw_traits,
    follow_trend,
    full_size,
    gamble,
    leave,
    stop_loss,
    trade_noise,
)
from novation.units import PPM, WAD

CALM = Seen(
    time=1000,
    spot=200 * WAD,
    index=200 * WAD,
    mid=200 * WAD,
    reserve=50_000 * WAD,
    premium=0,
    funding=0,
    fee=WAD // 2000,
    band=30_000,
    size=0,
    equity=10_000 * WAD,
    free=10_000 * WAD,
)
TRAITS = Traits(leverage=2 * PPM, stop=80_000, slippage=5_000, appetite=10**15)


def at_premium(premium: int, **more: int) -> Seen:
    return replace(CALM, premium=premium, mid=CALM.index * (WAD + premium) // WAD, **more)


def test_full_size_is_equity_at_the_traders_leverage():
    assert full_size(TRAITS, CALM) == 100 * WAD
    assert full_size(TRAITS, replace(CALM, equity=-5 * WAD)) == 0


@pytest.mark.parametrize("signal", [0.02, -0.02])
def test_trend_trader_goes_with_the_trend(signal):
    order = follow_trend(TRAITS, signal, CALM)
    assert isinstance(order, Trade)
    assert (order.size > 0) == (signal > 0)
    assert (order.limit > CALM.mid) == (signal > 0)
    assert abs(order.size) <= full_size(TRAITS, CALM)


def test_trend_trader_without_a_trend_does_nothing():
    assert follow_trend(TRAITS, 0.0005, CALM) is None


def test_signal_is_positive_while_the_price_rises_and_the_reverse():
    up, down = Trend(3600), Trend(3600)
    for minute in range(30):
        rising = up.signal(60 * minute + 60, (200 + minute) * WAD)
        falling = down.signal(60 * minute + 60, (200 - minute) * WAD)
    assert rising > 0 > falling


def test_noise_is_the_same_for_a_seed():
    orders = [trade_noise(TRAITS, CALM, np.random.default_rng(3)) for _ in range(2)]
    assert orders[0] == orders[1]


def test_noise_goes_either_way_and_comes_out_again():
    draw = np.random.default_rng(1)
    sizes = [o.size for _ in range(200) if isinstance(o := trade_noise(TRAITS, CALM, draw), Trade)]
    assert min(sizes) < 0 < max(sizes)
    holding = replace(CALM, size=50 * WAD)
    assert any(isinstance(trade_noise(TRAITS, holding, draw), Close) for _ in range(20))


@pytest.mark.parametrize("premium", [WAD // 200, -WAD // 200])
def test_arbitrageur_pushes_the_mid_toward_the_index_but_not_past_it(premium):
    rich = replace(at_premium(premium), equity=10**7 * WAD, free=10**7 * WAD)
    order = arbitrage(TRAITS, rich, rich.index)
    assert isinstance(order, Trade)
    assert (order.size < 0) == (premium > 0)
    after = rich.mid * rich.reserve**2 // (rich.reserve - order.size) ** 2
    assert abs(after - rich.index) < abs(rich.mid - rich.index)
    assert (after > rich.index) == (premium > 0)


@pytest.mark.parametrize("premium", [WAD // 1000, -WAD // 1000, 0])
def test_arbitrageur_leaves_what_does_not_pay_the_fee(premium):
    assert arbitrage(TRAITS, at_premium(premium), CALM.index) is None


def test_arbitrageur_stays_within_his_own_leverage():
    held = at_premium(-WAD // 50, size=100 * WAD)
    assert arbitrage(TRAITS, held, held.index) is None


@pytest.mark.parametrize("move", [10_000, -10_000])
def test_sniper_trades_on_what_the_index_does_not_know_yet(move):
    fair = CALM.index * (PPM + move) // PPM
    order = arbitrage(TRAITS, CALM, fair)
    assert isinstance(order, Trade)
    assert (order.size > 0) == (move > 0)
    assert (order.limit < fair) == (move > 0)


@pytest.mark.parametrize("funding", [WAD // 200, -WAD // 200])
def test_basis_trader_takes_the_side_that_is_paid(funding):
    order = collect_funding(TRAITS, replace(CALM, funding=funding))
    assert isinstance(order, Trade)
    assert (order.size < 0) == (funding > 0)


def test_basis_trader_leaves_when_nothing_is_paid_any_more():
    worst = CALM.mid * (PPM + TRAITS.slippage + 500) // PPM  # fee of 5 bps
    assert collect_funding(TRAITS, replace(CALM, size=-50 * WAD, funding=10**14)) == Close(worst)
    assert collect_funding(TRAITS, replace(CALM, size=-50 * WAD, funding=WAD // 2000)) is None
    assert collect_funding(TRAITS, CALM) is None


@pytest.mark.parametrize("size", [600 * WAD, -600 * WAD])
def test_everyone_closes_when_margin_is_nearly_gone(size):
    thin = replace(CALM, size=size, equity=9_000 * WAD)
    for order in (
        stop_loss(TRAITS, thin),
        follow_trend(TRAITS, 0.05, thin),
        trade_noise(TRAITS, thin, np.random.default_rng(1)),
        arbitrage(TRAITS, thin, thin.index),
        collect_funding(TRAITS, thin),
    ):
        assert isinstance(order, Close)
        assert (order.limit > thin.mid) == (size < 0)


def test_one_order_moves_the_mid_only_so_far():
    whale = replace(CALM, equity=10**9 * WAD, free=10**9 * WAD)
    order = follow_trend(TRAITS, 0.05, whale)
    assert isinstance(order, Trade)
    after = whale.mid * whale.reserve**2 // (whale.reserve - order.size) ** 2
    assert after < whale.mid * 1_0035 // 1_0000


@pytest.mark.parametrize(("size", "premium"), [(100 * WAD, -WAD // 40), (-100 * WAD, WAD // 40)])
def test_leaving_takes_only_what_the_band_lets_through(size, premium):
    crowded = at_premium(premium, size=size, reserve=20_000 * WAD)
    order = leave(TRAITS, crowded)
    assert isinstance(order, Trade)
    assert 0 < abs(order.size) < abs(size)
    assert (order.size < 0) == (size > 0)
    after = crowded.mid * crowded.reserve**2 // (crowded.reserve - order.size) ** 2
    assert abs(after - crowded.index) * PPM <= crowded.index * crowded.band


def test_leaving_waits_when_the_band_lets_nothing_through():
    assert leave(TRAITS, at_premium(-WAD * 3 // 100, size=100 * WAD)) is None
    assert isinstance(leave(TRAITS, at_premium(WAD * 3 // 100, size=100 * WAD)), Close)


@pytest.mark.parametrize(("size", "premium"), [(50 * WAD, WAD // 1000), (-50 * WAD, -WAD // 1000)])
def test_arbitrageur_goes_home_when_the_mid_has_come_back(size, premium):
    assert isinstance(arbitrage(TRAITS, at_premium(premium, size=size), CALM.index), Close)


def test_nobody_opens_when_the_fee_is_more_than_he_bears():
    dear = replace(CALM, fee=WAD // 100, funding=WAD // 50)
    assert follow_trend(TRAITS, 0.05, dear) is None
    assert trade_noise(TRAITS, dear, np.random.default_rng(1)) is None
    assert collect_funding(TRAITS, dear) is None


def test_premium_counts_as_a_cost_on_the_crowded_side_only():
    crowded = at_premium(WAD // 100)
    assert follow_trend(TRAITS, 0.05, crowded) is None
    assert follow_trend(TRAITS, -0.05, crowded) is not None


def test_nobody_grows_a_position_without_free_collateral():
    assert follow_trend(TRAITS, 0.05, replace(CALM, free=0)) is None


@pytest.mark.parametrize("side", [1, -1])
def test_gambler_opens_at_once_at_his_leverage_on_his_side_and_stays(side):
    traits = replace(TRAITS, leverage=8 * PPM, appetite=side, slippage=100_000)
    order = gamble(traits, CALM)
    assert isinstance(order, Trade)
    assert order.size == side * 400 * WAD
    assert gamble(traits, replace(CALM, size=order.size, equity=CALM.equity // 10)) is None


def test_gambler_takes_no_more_than_initial_margin_and_band_let():
    traits = replace(TRAITS, leverage=10 * PPM, appetite=1, slippage=100_000)
    most = gamble(traits, replace(CALM, most=9 * PPM))
    assert isinstance(most, Trade)
    assert most.size == 10_000 * (9 * PPM - 9 * PPM // 20) // PPM * WAD // 200
    rich = gamble(traits, replace(CALM, equity=10**7 * WAD))
    assert isinstance(rich, Trade)
    assert rich.size < CALM.reserve * 2 // 100
    assert gamble(traits, replace(CALM, equity=WAD)) is None


@pytest.mark.parametrize("kind", list(Kind))
def test_traits_are_drawn_from_the_seed_and_differ_between_traders(kind):
    draw = np.random.default_rng(9)
    first, second = draw_traits(kind, draw), draw_traits(kind, draw)
    assert first == draw_traits(kind, np.random.default_rng(9))
    assert first != second
    assert first.leverage >= PPM
