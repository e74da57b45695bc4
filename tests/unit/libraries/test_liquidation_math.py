"""LiquidationMath.plan: bit for bit as compiled, refusals included."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novation.chain.codec import decode_outputs, find
from novation.chain.reverts import decode_revert
from novation.model.errors import Refused
from novation.model.fixed import mul_wad_up
from novation.model.liquidation import MAX_TARGET, MIN_TARGET, LiquidationTerms
from novation.units import WAD
from tests.unit.libraries.conftest import Harness

Case = tuple[LiquidationTerms, int, int, int, int, int, int]
TERMS = LiquidationTerms(5_000, 30_000, 10_000, 1_200_000, 500, 1_000, 5_000, 10_000)
NO_LIMIT = 2**256 - 1


def wide(most_bits: int) -> st.SearchStrategy[int]:
    """Positive, of any magnitude."""
    return st.integers(0, most_bits - 1).flatmap(lambda n: st.integers(2**n, 2 ** (n + 1) - 1))


@st.composite
def any_terms(draw: st.DrawFn) -> LiquidationTerms:
    low = draw(st.integers(1, 200_000))
    whole = draw(st.integers(1, 10_000) | st.integers(1, 2**32 - 1))
    return LiquidationTerms(
        low,
        low + draw(st.just(0) | st.integers(0, 300_000)),
        draw(st.just(0) | st.integers(1, 300_000)),
        draw(st.sampled_from([MIN_TARGET, MAX_TARGET]) | st.integers(MIN_TARGET, MAX_TARGET)),
        draw(st.just(whole) | st.integers(1, whole)),
        whole,
        0,
        0,
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Positions of 1 wei of a lot to 2^79, in accounts with other markets or without."""
    terms = draw(st.just(TERMS) | any_terms())
    index = draw(wide(79))
    ordinary = st.integers(1, 10**13).map(lambda cents: cents * 10**34 // index + 1)
    size = min(draw(ordinary | wide(78)), 2**79)
    notional = mul_wad_up(size, index)
    rate = draw(st.integers(10_000, 500_000)) * 10**12 + draw(st.integers(0, 10**12))
    own = mul_wad_up(notional, rate)
    maintenance = own + draw(st.just(0) | st.integers(0, own) | wide(90))
    health = draw(st.sampled_from([0, 1, WAD - 1, WAD // 2]) | st.integers(0, WAD - 1))
    equity = maintenance * health // WAD
    part = st.integers(0, size)
    cap = draw(st.just(NO_LIMIT) | part | st.just(min(terms.lots(index), size)) | st.just(size - 1))
    return terms, equity, maintenance, size, index, own, cap


def by_model(case: Case) -> Any:
    terms, *values = case
    try:
        return list(terms.plan(*values))
    except Refused as refused:
        return refused.name, refused.values


def by_contract(harness: Harness, made: list[Case]) -> list[Any]:
    entry = find(harness.contract.artifact.abi, "function", "plan")
    answer = harness.contract.read("each", [harness.encode(entry, case) for case in made])
    found: list[Any] = []
    for ok, data in zip(answer.oks, answer.results, strict=True):
        error = None if ok else decode_revert(data)
        found.append((error.name, error.arguments) if error else list(decode_outputs(entry, data)))
    return found


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=st.lists(cases(), min_size=10, max_size=40))
def test_plan_equals_the_model(harness: Harness, made: list[Case]) -> None:
    for case, found in zip(made, by_contract(harness, made), strict=True):
        assert by_model(case) == found, case


PRICE, LOTS = 2_000 * WAD, 100 * WAD
OWN = 12_000 * WAD  # 6 % of 200,000
HALF = 6_000 * WAD


@pytest.mark.parametrize(
    ("values", "cap", "expected"),
    [
        # 14,400 - 6,000 over 0.072 - 0.0175 - 0.01: 188,764.04 of value
        ((HALF, OWN, LOTS, PRICE), NO_LIMIT, 94_382_022_471_910_112_360),
        ((0, OWN, LOTS, PRICE), NO_LIMIT, LOTS),
        ((HALF, OWN, LOTS, PRICE), 10 * WAD, 10 * WAD),
        ((HALF, OWN, LOTS, PRICE), WAD // 4, WAD // 4),
        ((HALF, OWN, LOTS, PRICE), WAD // 4 - 1, (WAD // 4 - 1, WAD // 4)),
        ((30 * WAD, 60 * WAD, WAD // 2, PRICE), WAD // 4, (WAD // 4, WAD // 2)),
        ((119 * WAD, 120 * WAD, WAD, PRICE), NO_LIMIT, WAD // 4),
    ],
    ids=["partial", "no equity", "cap", "least lot", "below it", "dust", "least when less does"],
)
def test_plan_of_each_kind(
    harness: Harness, values: tuple[int, int, int, int], cap: int, expected: Any
) -> None:
    equity, maintenance, size, index = values
    case = (TERMS, equity, maintenance, size, index, maintenance, cap)
    (found,) = by_contract(harness, [case])
    assert by_model(case) == found
    if isinstance(expected, tuple):
        assert found == ("LiquidationCapTooLow", {"maxSize": expected[0], "least": expected[1]})
    else:
        assert found[0] == expected
