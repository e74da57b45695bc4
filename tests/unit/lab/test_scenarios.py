"""What stresses do to a path and to the venue's parameters."""

from decimal import Decimal
from itertools import pairwise

import pytest

from novation.deploy import spec as specs
from novation.lab.demo import DemoSettings
from novation.lab.prices import PricePath, load_prices
from novation.lab.scenarios import (
    HOUR,
    LAST_PRICE,
    OPEN_INTEREST_CAP,
    STRESSES,
    open_cap,
    quick_exit,
    wide_band,
    worst_hour,
)
from novation.lab.stress import FINE, StressRun
from novation.lab.venue import SPEC

PATH = load_prices(None, 60, 1)
SETTINGS = DemoSettings(20, 1, step=240)


def test_worst_hour_is_the_one_that_loses_most():
    worst = worst_hour(PATH)
    change = PATH.at(worst + HOUR) / PATH.at(worst)
    assert change <= Decimal("0.80")
    others = range(PATH.start, PATH.end - HOUR, 300)
    assert all(PATH.at(t + HOUR) / PATH.at(t) >= change for t in others)


@pytest.mark.parametrize("name", STRESSES)
def test_stress_keeps_the_path_before_the_worst_moment(name):
    run = StressRun(PATH, SETTINGS, STRESSES[name])
    worst = worst_hour(PATH)
    assert run.path.at(worst - 60) == PATH.at(worst - 60)
    assert run.path.label.endswith(f": {name}")
    assert run.recording.scenario.notes[0] == STRESSES[name].says


@pytest.mark.parametrize("name", ["jump", "pool", "nothing"])
def test_path_that_a_stress_bends_is_no_real_one_any_more(name):
    real = PricePath("ETH", "candles", False, PATH.times, PATH.prices)
    assert StressRun(real, SETTINGS, STRESSES[name]).path.synthetic
    assert not StressRun(real, SETTINGS, STRESSES["asleep"]).path.synthetic


def test_jump_is_several_maintenance_margins_in_one_step():
    worst, path = worst_hour(PATH), StressRun(PATH, SETTINGS, STRESSES["jump"]).path
    assert path.at(worst) / path.at(worst - 60) < Decimal("0.75")
    assert path.at(worst + 3 * HOUR // 2) / path.at(worst + 3 * HOUR // 2 - 60) > Decimal("1.5")


def test_fall_ends_just_above_what_the_oracle_believes():
    prices = StressRun(PATH, SETTINGS, STRESSES["nothing"]).path.prices
    assert min(prices) == LAST_PRICE
    assert prices[-1] < 2


def test_blocks_are_finer_around_the_worst_hour():
    times = StressRun(PATH, SETTINGS, STRESSES["asleep"]).times
    worst = worst_hour(PATH)
    gaps = {b - a for a, b in pairwise(times) if worst <= a < worst + HOUR}
    assert gaps == {FINE}
    assert {b - a for a, b in pairwise(times[:10])} == {240}
    assert list(times) == sorted(set(times))
    notes = " ".join(StressRun(PATH, SETTINGS, STRESSES["asleep"]).recording.scenario.notes)
    assert "blocks are 240 s apart" in notes
    assert f"an hour after it they are {FINE} s apart" in notes
    same = StressRun(PATH, DemoSettings(20, 1, step=FINE), STRESSES["asleep"])
    assert "an hour after it" not in " ".join(same.recording.scenario.notes)


def test_keepers_sleep_for_an_hour_of_the_chains_blocks():
    run = StressRun(PATH, SETTINGS, STRESSES["asleep"])
    worst = worst_hour(PATH)
    assert worst in run.asleep
    assert worst + HOUR in run.asleep
    assert worst - 60 not in run.asleep
    assert worst + HOUR + 60 not in run.asleep
    assert run.recording.scenario.parameters["keepers asleep"] == "300 blocks of the chain"
    assert not StressRun(PATH, SETTINGS, STRESSES["jump"]).asleep


def test_parameters_change_in_the_traded_market_alone():
    spec = specs.read(SPEC)
    opened = open_cap(spec, 1)
    assert opened.markets[1].risk.open_interest_cap == OPEN_INTEREST_CAP
    assert opened.markets[0] == spec.markets[0]
    assert wide_band(spec, 0).markets[0].vamm.band == 200_000
    assert wide_band(spec, 0).markets[1] == spec.markets[1]
    assert quick_exit(spec, 0).insurance.cooldown == HOUR
    assert quick_exit(spec, 0).markets == spec.markets
