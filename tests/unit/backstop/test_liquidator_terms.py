"""Liquidator.setTerms: bounds, and who may."""

from typing import Any

import pytest

from novation.deploy.roles import RISK
from novation.units import WAD
from tests.unit.backstop.stressed import Stressed, refusal
from tests.world import World, liquidation_terms, risk


@pytest.fixture
def stress(world: World) -> Stressed:
    return Stressed(world)


def field_of(word: bytes) -> str:
    return word.rstrip(b"\0").decode()


@pytest.mark.parametrize(
    ("changes", "field", "value", "bound"),
    [
        ({"rewardMin": 0}, "rewardMin", 0, 1),
        ({"rewardMin": 30_001}, "rewardMin", 30_001, 30_000),
        ({"rewardMax": 50_000}, "rewardMax + penalty", 60_000, 59_999),
        ({"penalty": 30_000}, "rewardMax + penalty", 60_000, 59_999),
        ({"rewardMin": 1, "rewardMax": 2**24 - 1, "penalty": 2**24 - 1},
         "rewardMax + penalty", 2**25 - 2, 59_999),
        ({"target": 1_009_999}, "target", 1_009_999, 1_010_000),
        ({"target": 3_000_001}, "target", 3_000_001, 3_000_000),
        ({"minLot": 0}, "minLot", 0, 1),
        ({"minLot": 1_001}, "minLot", 1_001, 1_000),
        ({"minLot": 40, "wholeBelow": 49}, "wholeBelow", 49, 50),
        ({"budget": 100_001}, "budget", 100_001, 100_000),
        ({"minReward": 7_501}, "minReward", 7_501, 7_500),
        ({"minReward": 1, "minLot": 1, "rewardMin": 500, "penalty": 499}, "minReward", 1, 0),
    ],
)  # fmt: skip
def test_terms_out_of_bounds_are_refused(
    stress: Stressed, changes: dict[str, int], field: str, value: int, bound: int
) -> None:
    before = stress.world.liquidator.read("termsOf", 0)
    name, found = refusal(stress.set_terms, stress.eth, **changes)
    assert name == "LiquidatorOutOfBounds"
    assert [field_of(found[0]), *found[1:]] == [field, value, bound]
    assert stress.world.liquidator.read("termsOf", 0) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"rewardMin": 1, "minReward": 0},
        {"rewardMin": 30_000},
        {"rewardMax": 49_999},
        {"penalty": 29_999},
        {"penalty": 0, "minReward": 0},
        {"target": 1_010_000},
        {"target": 3_000_000},
        {"minLot": 1, "minReward": 15},
        {"minLot": 1_000},
        {"minLot": 50, "wholeBelow": 50, "minReward": 750},
        {"wholeBelow": 2**32 - 1},
        {"budget": 0},
        {"budget": 100_000},
        {"minReward": 7_500},
    ],
)
def test_terms_at_their_bounds_are_taken_and_told(
    stress: Stressed, changes: dict[str, int]
) -> None:
    made = liquidation_terms(**changes)
    told = stress.act("setTerms", 0, made, sender=stress.world.admin)
    assert list(stress.world.liquidator.read("termsOf", 0)) == list(made.values())
    (event,) = told["TermsSet"]
    assert (event["market"], list(event["terms"])) == (0, list(made.values()))


def test_bounds_follow_the_markets_own_parameters(stress: Stressed) -> None:
    world = stress.world
    lower = risk(mmr=30_000, minNotional=2_000)
    market = world.list_market("100", risks=lower)
    name, found = refusal(stress.set_terms, market)
    assert [name, field_of(found[0]), *found[1:]] == [
        "LiquidatorOutOfBounds", "rewardMax + penalty", 40_000, 29_999,
    ]  # fmt: skip
    name, found = refusal(stress.set_terms, market, rewardMax=15_000)
    assert [field_of(found[0]), *found[1:]] == ["wholeBelow", 1_000, 2_000]
    stress.set_terms(market, rewardMax=15_000, wholeBelow=2_000)


def test_terms_of_no_market_are_refused(stress: Stressed) -> None:
    values: tuple[Any, ...] = (9, liquidation_terms())
    found = refusal(stress.act, "setTerms", *values, sender=stress.world.admin)
    assert found == ("LiquidatorUnknownMarket", [9])
    assert stress.world.liquidator.read("termsOf", 9).target == 0


def test_terms_are_for_risk_alone(stress: Stressed) -> None:
    world, manager = stress.world, stress.world.manager
    values = (0, liquidation_terms(target=1_500_000))
    found = refusal(stress.act, "setTerms", *values, sender=world.other)
    assert found == ("AccessManagedUnauthorized", [world.other])
    selector = world.liquidator.encode("setTerms", *values)[:4]
    world.chain.send(manager, "setTargetFunctionRole", world.liquidator.address, [selector], RISK)
    world.chain.send(manager, "grantRole", RISK, world.other, 0)
    stress.act("setTerms", *values, sender=world.other)
    assert world.liquidator.read("termsOf", 0).target == 1_500_000
    assert refusal(stress.act, "setTerms", *values, sender=world.admin)[0] == found[0]


def test_market_without_terms_has_no_budget(stress: Stressed) -> None:
    stress.insure()
    assert stress.world.liquidator.read("termsOf", 5).target == 0
    assert stress.world.liquidator.read("budgetLeft", 5) == 0
    assert stress.world.liquidator.read("budgetLeft", 0) == 8 * WAD
    assert stress.world.liquidator.read("budgetLeft", 1) == 6 * WAD
