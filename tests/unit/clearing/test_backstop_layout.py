"""The clearing house runs the code of others in its own storage: what they name must lie alike."""

from typing import Any

import pytest

from novation import artifacts

BEHIND = ("Backstop", "Resolver")
SHARED = {"ANY_MARKET", "MAX_FEE", "MAX_HELD", "marketOf", "orphanDeficit", "vault"}


def slots(name: str) -> list[tuple[str, int, int, Any]]:
    layout = artifacts.load(name).storage_layout
    kinds = layout["types"]
    return [
        (v["label"], int(v["slot"]), v["offset"], kinds[v["type"]]["label"])
        for v in layout["storage"]
    ]


def functions(name: str) -> set[tuple[str, ...]]:
    found = artifacts.load(name).abi
    return {
        (e["name"], *(i["type"] for i in e["inputs"])) for e in found if e["type"] == "function"
    }


def common(one: str, other: str) -> set[str]:
    return {f[0] for f in functions(one) & functions(other)}


@pytest.mark.parametrize("name", BEHIND)
def test_storage_of_code_behind_begins_that_of_the_clearing_house(name: str) -> None:
    shared, whole = slots(name), slots("ClearingHouse")
    assert [v[0] for v in shared][:2] == ["accounts", "positions"]
    assert len(shared) < len(whole)
    assert whole[: len(shared)] == shared


def test_no_function_behind_is_hidden_by_another_before_it() -> None:
    assert common("Backstop", "ClearingHouse") <= SHARED
    assert common("Resolver", "ClearingHouse") <= SHARED
    assert common("Resolver", "Backstop") <= SHARED | {"insurance", "liquidator"}
    assert "takeover" in {f[0] for f in functions("Backstop")} - common("Backstop", "ClearingHouse")
    assert "resolve" in {f[0] for f in functions("Resolver")} - common("Resolver", "Backstop")
