"""The clearing house runs the backstop's code in its own storage: what both name must lie alike."""

from typing import Any

from novation import artifacts


def slots(name: str) -> list[tuple[str, int, int, Any]]:
    layout = artifacts.load(name).storage_layout
    kinds = layout["types"]
    return [
        (v["label"], int(v["slot"]), v["offset"], kinds[v["type"]]["label"])
        for v in layout["storage"]
    ]


def test_storage_of_the_backstop_begins_that_of_the_clearing_house() -> None:
    shared, whole = slots("Backstop"), slots("ClearingHouse")
    assert [v[0] for v in shared][:2] == ["accounts", "positions"]
    assert len(shared) < len(whole)
    assert whole[: len(shared)] == shared


def test_no_function_of_the_backstop_is_hidden_by_another_of_the_clearing_house() -> None:
    def functions(name: str) -> set[tuple[str, ...]]:
        found = artifacts.load(name).abi
        return {
            (e["name"], *(i["type"] for i in e["inputs"])) for e in found if e["type"] == "function"
        }

    both = {f[0] for f in functions("Backstop") & functions("ClearingHouse")}
    assert both <= {
        "ANY_MARKET", "MAX_FEE", "MAX_HELD", "marketOf", "orphanDeficit", "vault",
    }  # fmt: skip
    assert {"takeover", "resolve", "insurance"} <= {f[0] for f in functions("Backstop")} - both
