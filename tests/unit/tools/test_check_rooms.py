"""The room check, on small trees."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.check_rooms import Violation, check_model, check_runtime_sizes, check_solidity, main

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("clearing/House.sol", "./Ledger.sol"),
        ("clearing/House.sol", "../types/Leg.sol"),
        ("clearing/House.sol", "../risk/Margin.sol"),
        ("markets/Perp.sol", "../risk/Margin.sol"),
        ("lens/Lens.sol", "../risk/Margin.sol"),
        ("venues/VAMM.sol", "../interfaces/IClearing.sol"),
        ("venues/curves/Curve.sol", "../../libraries/Fixed.sol"),
        ("venues/VAMM.sol", "solady/utils/SafeCastLib.sol"),
        ("oracles/Feed.sol", "@openzeppelin/contracts/access/manager/AccessManaged.sol"),
        ("mocks/Token.sol", "../clearing/House.sol"),
        ("mocks/Feed.sol", "@chainlink/contracts/src/v0.6/FluxAggregator.sol"),
    ],
)
def test_import_within_the_rules_passes(
    tmp_path: Path, write: Write, file: str, target: str
) -> None:
    write(f"contracts/{file}", f'pragma solidity 0.8.37;\nimport {{A}} from "{target}";\n')
    assert list(check_solidity(tmp_path)) == []


@pytest.mark.parametrize(
    ("file", "target", "reason"),
    [
        (
            "venues/VAMM.sol",
            "../clearing/House.sol",
            "venues/ may not import clearing/ (House.sol)",
        ),
        ("venues/VAMM.sol", "../risk/Margin.sol", "venues/ may not import risk/ (Margin.sol)"),
        ("types/Leg.sol", "../risk/Margin.sol", "types/ may not import risk/ (Margin.sol)"),
        ("lens/Lens.sol", "../mocks/Token.sol", "lens/ may not import mocks/ (Token.sol)"),
        ("risk/Margin.sol", "../../node_modules/A.sol", "../../node_modules/A.sol is in no room"),
        ("oracles/Feed.sol", "@chainlink/A.sol", "@chainlink/A.sol: not Solady or OpenZeppelin"),
        ("oracles/Feed.sol", "contracts/a.sol", "contracts/a.sol: not Solady or OpenZeppelin"),
    ],
)
def test_import_across_rooms_is_named(
    tmp_path: Path, write: Write, file: str, target: str, reason: str
) -> None:
    write(f"contracts/{file}", f'pragma solidity 0.8.37;\n\nimport "{target}";\n')
    assert list(check_solidity(tmp_path)) == [Violation(f"contracts/{file}", 3, reason)]


def test_import_over_several_lines_is_seen(tmp_path: Path, write: Write) -> None:
    write("contracts/risk/R.sol", 'import {\n    A,\n    B\n} from "../venues/V.sol";\n')
    (found,) = check_solidity(tmp_path)
    assert found.reason == "risk/ may not import venues/ (V.sol)"


def test_import_in_a_comment_or_string_is_not_one(tmp_path: Path, write: Write) -> None:
    text = (
        '/* import "../venues/V.sol"; */\n// import "../venues/V.sol";\nstring constant S = "//";\n'
    )
    write("contracts/risk/R.sol", text)
    assert list(check_solidity(tmp_path)) == []


def test_file_outside_every_room_is_refused(tmp_path: Path, write: Write) -> None:
    write("contracts/Loose.sol", "")
    write("contracts/misc/Loose.sol", "")
    assert [v.reason.split(";")[0] for v in check_solidity(tmp_path)] == [
        "Loose.sol is no room",
        "misc is no room",
    ]


@pytest.mark.parametrize(("statements", "found"), [(38, 0), (39, 1)])
def test_function_length_counts_code_only(
    tmp_path: Path, write: Write, statements: int, found: int
) -> None:
    body = "    // a comment\n\n    x = 1; // and one more\n" * statements
    text = f'contract C {{\n  string s = "}}";\n\n  function f() external {{\n{body}  }}\n}}\n'
    write("contracts/risk/C.sol", text)
    violations = list(check_solidity(tmp_path))
    assert len(violations) == found
    for violation in violations:
        assert violation.line == 4
        assert violation.reason == "function f has 41 lines of code, 40 allowed"


def test_declared_function_has_no_length(tmp_path: Path, write: Write) -> None:
    filler = "  uint256 constant A = 1;\n" * 60
    write("contracts/risk/I.sol", f"interface I {{\n  function f() external;\n{filler}}}\n")
    assert list(check_solidity(tmp_path)) == []


@pytest.mark.parametrize(("lines", "found"), [(350, 0), (351, 1)])
def test_file_length_counts_code_only(tmp_path: Path, write: Write, lines: int, found: int) -> None:
    write("contracts/risk/C.sol", "/**\n * text\n */\nuint256 constant A = 1;\n\n" * lines)
    assert len(list(check_solidity(tmp_path))) == found


@pytest.mark.parametrize(
    "statement",
    [
        "import math",
        "from dataclasses import dataclass",
        "from novation.model.risk import margin",
        "from novation.units import WAD",
        "from novation import types, units",
        "from . import ledger",
        "from ..risk import margin",
        "from __future__ import annotations",
    ],
)
def test_model_may_import(tmp_path: Path, write: Write, statement: str) -> None:
    write("novation/model/clearing/house.py", f"{statement}\n")
    assert list(check_model(tmp_path)) == []


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import web3", "web3"),
        ("import eth_abi.packed as p", "eth_abi.packed"),
        ("from ape import project", "ape"),
        ("import numpy", "numpy"),
        ("from novation import chain", "novation.chain"),
        ("from novation.chain.client import Client", "novation.chain.client"),
        ("from ... import chain", "novation.chain"),
        ("from ...chain import client", "novation.chain"),
        ("def f():\n    import requests", "requests"),
    ],
)
def test_model_may_not_import(tmp_path: Path, write: Write, statement: str, module: str) -> None:
    write("novation/model/clearing/house.py", f'"""Doc."""\n{statement}\n')
    line = 1 + len(statement.splitlines())
    reason = f"the model may not import {module}"
    found = Violation("novation/model/clearing/house.py", line, reason)
    assert list(check_model(tmp_path)) == [found]


@pytest.mark.parametrize(
    ("source", "size", "found"),
    [
        ("contracts/lens/Lens.sol", 22_000, 0),
        ("contracts/lens/Lens.sol", 22_001, 1),
        ("node_modules/@chainlink/A.sol", 22_001, 0),
    ],
)
def test_runtime_code_has_room(
    tmp_path: Path, write: Write, source: str, size: int, found: int
) -> None:
    artifact = {"name": "Lens", "sourceId": source, "deployedBytecode": "0x" + "00" * size}
    write(".build/artifacts/Lens.json", json.dumps(artifact))
    assert len(list(check_runtime_sizes(tmp_path))) == found


def test_violation_fails_and_is_printed(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("contracts/risk/R.sol", 'import "../venues/V.sol";\n')
    write("novation/model/a.py", "")
    assert main(tmp_path) == 1
    expected = "contracts/risk/R.sol:1: risk/ may not import venues/ (V.sol)\n"
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("present", ["contracts/risk/R.sol", "novation/model/a.py", "README.md"])
def test_nothing_to_check_is_not_a_pass(tmp_path: Path, write: Write, present: str) -> None:
    write(present, "")
    assert main(tmp_path) == 2


def test_clean_tree_passes(tmp_path: Path, write: Write) -> None:
    write("contracts/risk/R.sol", "")
    write("novation/model/a.py", "")
    assert main(tmp_path) == 0
