"""What makes a unit stale, and what it is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from novation import artifacts
from scripts import build

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "VENDOR_SOURCES", ())
    for name in build.SETTINGS_FILES:
        write(name, "settings")
    write("contracts/types/Leg.sol", "struct Leg { int128 size; }")
    write("contracts/types/Legs.sol", 'import {Leg} from "./Leg.sol";\nlibrary Legs {}')
    write("contracts/risk/Risk.sol", 'import "../types/Legs.sol";\ncontract Risk {}')
    write("contracts/risk/Ramp.sol", "contract Ramp {}")
    return write


def keys() -> dict[str, str]:
    return {unit.name: unit.key for unit in build.units()}


@pytest.mark.usefixtures("write")
def test_deployable_files_are_units_and_the_others_one_together() -> None:
    assert [(unit.name, unit.sources) for unit in build.units()] == [
        ("contracts/risk/Ramp.sol", ("contracts/risk/Ramp.sol",)),
        ("contracts/risk/Risk.sol", ("contracts/risk/Risk.sol",)),
        ("interfaces and libraries", ("contracts/types/Leg.sol", "contracts/types/Legs.sol")),
    ]


@pytest.mark.parametrize(
    ("source", "deployable"),
    [
        ("abstract contract A {}", False),
        ("// contract A {}", False),
        ("interface I { function f() external; }", False),
        ("library L { function f() internal {} }", False),
        ("library L { function f() internal {} function g() public {} }", True),
        ("/* a */ contract A {}", True),
        ("struct S { uint256 a; }\ncontract A {}", True),
    ],
)
def test_what_is_deployable(write: Write, source: str, deployable: bool) -> None:
    write("contracts/risk/New.sol", source)
    assert ("contracts/risk/New.sol" in keys()) == deployable


def test_change_of_an_imported_file_makes_its_importers_stale(write: Write) -> None:
    before = keys()
    write("contracts/types/Leg.sol", "struct Leg { int256 size; }")
    changed = {name for name, key in keys().items() if before[name] != key}
    assert changed == {"contracts/risk/Risk.sol", "interfaces and libraries"}


@pytest.mark.parametrize("settings", build.SETTINGS_FILES)
def test_change_of_settings_makes_everything_stale(write: Write, settings: str) -> None:
    before = keys()
    write(settings, "other settings")
    assert not before.items() & keys().items()


def test_import_of_a_missing_file_is_named(write: Write) -> None:
    write("contracts/risk/Risk.sol", 'import "./Gone.sol";\ncontract Risk {}')
    with pytest.raises(build.BuildError, match=r"Risk\.sol: imports \./Gone\.sol"):
        build.units()


def test_artifact_is_loaded_with_its_immutables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = {"object": "0102", "immutableReferences": {"7": [{"start": 1, "length": 1}]}}
    evm = {"bytecode": {"object": "000102"}, "deployedBytecode": runtime}
    output = {"contracts": {"contracts/risk/Sample.sol": {"Sample": {"abi": [], "evm": evm}}}}
    (made,) = build.artifacts_of(output)
    (tmp_path / "Sample.json").write_text(json.dumps(made))
    monkeypatch.setattr(artifacts, "FOLDER", tmp_path)
    assert artifacts.load("Sample") == artifacts.Artifact(
        name="Sample",
        source_id="contracts/risk/Sample.sol",
        abi=[],
        bytecode=bytes([0, 1, 2]),
        deployed_bytecode=bytes([1, 2]),
        immutables=((1, 1),),
        storage_layout={},
    )


def test_missing_artifact_says_what_to_do() -> None:
    with pytest.raises(artifacts.ArtifactMissing, match="no artifact of contract Nope: run `make"):
        artifacts.load("Nope")
