"""The crowd's make-up, and the names under which trades are counted."""

from dataclasses import replace

import numpy as np
import pytest

from novation.lab.crowd import most_leverage, name_of
from novation.lab.people import LP_SHARE_PPM, Mix, draw_crowd
from novation.lab.scenarios import SHARES
from novation.lab.traders import Kind, Trade
from novation.units import PPM, WAD
from tests.unit.lab.test_mirror import VIEW


@pytest.mark.parametrize("count", [10, 20, 300, 1000])
def test_crowd_has_so_many_people_and_all_kinds(count):
    people = draw_crowd(count, np.random.default_rng(1))
    assert len(people) == count
    assert {p.kind for p in people} == set(Kind) - {Kind.GAMBLER}
    assert len({p.owner for p in people}) == count


def test_lps_bring_their_share_of_what_the_others_do():
    people = draw_crowd(300, np.random.default_rng(1))
    lps = sum(p.money for p in people if p.kind is Kind.LP)
    others = sum(p.money for p in people if p.kind is not Kind.LP)
    assert abs(lps * PPM - others * LP_SHARE_PPM) < others


@pytest.mark.parametrize(("lean", "buyers"), [(0.0, 0), (1.0, 80)])
def test_mix_says_who_is_there_and_on_which_side_gamblers_are(lean, buyers):
    people = draw_crowd(200, np.random.default_rng(1), Mix(SHARES, LP_SHARE_PPM, lean))
    gamblers = [p for p in people if p.kind is Kind.GAMBLER]
    assert {p.kind for p in people} == set(Kind)
    assert len(gamblers) == 80
    assert sum(p.traits.appetite > 0 for p in gamblers) == buyers
    assert not any(p.careful for p in gamblers)


@pytest.mark.parametrize(
    ("interest", "leverage"), [(0, 10_000_000), (100, 9_900_990), (1_000, 9_090_909)]
)
def test_highest_leverage_falls_as_open_interest_outgrows_the_depth(interest, leverage):
    crowded = replace(VIEW, open_interest=interest * WAD, interest_rate=WAD // 100)
    assert most_leverage(crowded) == leverage


def test_same_seed_makes_the_same_crowd():
    first, second = (draw_crowd(50, np.random.default_rng(4)) for _ in range(2))
    assert [(p.owner, p.kind, p.money, p.traits) for p in first] == [
        (p.owner, p.kind, p.money, p.traits) for p in second
    ]


@pytest.mark.parametrize(
    ("before", "size", "name"),
    [
        (0, 5, "open"),
        (5, 5, "increase"),
        (-5, -5, "increase"),
        (5, -3, "reduce"),
        (-5, 3, "reduce"),
        (5, -9, "flip"),
        (-5, 9, "flip"),
    ],
)
def test_trade_is_named_for_what_it_does(before, size, name):
    assert name_of(before, Trade(size, 1)) == name
