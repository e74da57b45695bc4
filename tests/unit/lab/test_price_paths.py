"""Paths: what is drawn touches what was traded, and the synthetic one what was published."""

from decimal import Decimal

import pytest

from novation.lab.candles import Candle, expand
from novation.lab.prices import PricePath, load_prices
from novation.lab.synthetic import START, black_thursday

HOUR = 3600


def candle(hour: int, *prices: str) -> Candle:
    return Candle(START + hour * HOUR, *map(Decimal, prices))


ROSE = candle(0, "100", "112.5", "97.25", "110")
FELL = candle(1, "110", "111", "90.75", "91")


@pytest.mark.parametrize("step", [12, 60, 300, 900, 5000])
def test_path_touches_open_low_high_close_in_the_candles_order(step):
    times, prices = expand([ROSE, FELL], step, 7)
    first = [p for t, p in zip(times, prices, strict=True) if t < FELL.time]
    second = prices[len(first) :]
    assert len(first) == max(HOUR // step, 4)
    assert (first[0], first[-1], min(first), max(first)) == (100, 110, ROSE.low, ROSE.high)
    assert first.index(ROSE.low) < first.index(ROSE.high)
    assert (second[0], second[-1], min(second), max(second)) == (110, 91, FELL.low, FELL.high)
    assert second.index(FELL.high) < second.index(FELL.low)


def test_path_is_the_same_for_a_seed_and_another_for_another():
    assert expand([ROSE, FELL], 60, 1) == expand([ROSE, FELL], 60, 1)
    assert expand([ROSE, FELL], 60, 1) != expand([ROSE, FELL], 60, 2)


def test_a_candle_is_drawn_alike_whatever_came_before_it():
    later = candle(2, "91", "95", "90", "94")
    _, all_three = expand([ROSE, FELL, later], 60, 1)
    _, last_two = expand([FELL, later], 60, 1)
    assert all_three[60:] == last_two


def test_times_increase_and_stay_inside_their_candle():
    times, _ = expand([ROSE, FELL], 7, 3)
    assert list(times) == sorted(set(times))
    assert times[0] == ROSE.time
    assert times[-1] < FELL.time + HOUR


def test_price_holds_until_the_next_one():
    path = PricePath("x", "y", False, (10, 20), (Decimal(1), Decimal(2)))
    assert [path.at(t) for t in (0, 10, 19, 20, 99)] == [1, 1, 1, 2, 2]


def test_path_with_times_that_do_not_increase_is_refused():
    with pytest.raises(ValueError, match="increase"):
        PricePath("x", "y", False, (10, 10), (Decimal(1), Decimal(2)))


def hourly(seed: int) -> list[Decimal]:
    prices = dict(zip(*black_thursday(60, seed), strict=True))
    return [prices[START + hour * HOUR] for hour in range(49)]


def worst(prices: list[Decimal], span: int) -> Decimal:
    return min(b / a for a, b in zip(prices, prices[span:], strict=False)) - 1


@pytest.mark.parametrize("seed", [0, 1, 2, 42, 1000])
def test_synthetic_path_has_the_published_figures(seed):
    _, prices = black_thursday(60, seed)
    hours = hourly(seed)
    assert Decimal("194") <= prices[0] <= Decimal("195")
    assert min(prices) == 86
    assert abs(worst(hours, 1) - Decimal("-0.209")) < Decimal("0.0005")
    assert abs(worst(hours, 24) - Decimal("-0.478")) < Decimal("0.0005")


@pytest.mark.parametrize("step", [12, 60, 120, 300, 3600])
def test_synthetic_path_touches_its_low_at_any_step(step):
    assert min(black_thursday(step, 1)[1]) == 86


def test_synthetic_path_says_that_it_is():
    path = load_prices(None, 60, 1)
    assert path.synthetic
    assert "synthetic" in path.label
    assert path == load_prices(None, 60, 1)
    assert path != load_prices(None, 60, 2)


def test_path_of_a_file_is_real_but_says_what_was_drawn(tmp_path):
    file = tmp_path / "eth.csv"
    file.write_text(
        "timestamp,open,high,low,close\n2020-03-12 00:00,1,2,1,2\n2020-03-12 01:00,2,2,1,1\n"
    )
    path = load_prices(str(file), 60, 1)
    assert (path.label, path.synthetic) == ("eth.csv", False)
    assert "drawn" in path.source


def test_rounds_are_not_drawn_between(tmp_path):
    file = tmp_path / "rounds.csv"
    file.write_text(
        "roundId,answer8,startedAt,updatedAt\n1,100000000,5,1692313103\n2,200000000,5,1692313703\n"
    )
    path = load_prices(str(file), 60, 1)
    assert path.times == (1692313103, 1692313703)
    assert path.prices == (1, 2)


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [(10, 30, (10, 20, 30)), (15, 25, (10, 20)), (-5, 5, (0, 10)), (30, 99, (30, 40))],
)
def test_part_of_a_path_begins_with_the_price_that_holds_then(start, end, times):
    path = PricePath("p", "s", False, (0, 10, 20, 30, 40), tuple(map(Decimal, range(1, 6))))
    part = path.between(start, end)
    assert part.times == times
    assert part.at(max(start, 0)) == path.at(max(start, 0))
