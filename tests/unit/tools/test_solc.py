"""The command line over npm's compiler behaves as solc does."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools" / "solc"


def solc(
    *arguments: object, version: str = "0.8.37", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [TOOLS / f"solc-v{version}", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def compile_importing(target: str, *arguments: object) -> dict[str, Any]:
    source = f'pragma solidity 0.8.37;\nimport "{target}";\ncontract A is B {{}}'
    standard_input = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": source}},
        "settings": {"outputSelection": {"A.sol": {"*": ["evm.bytecode.object"]}}},
    }
    done = solc("--standard-json", *arguments, stdin=json.dumps(standard_input))
    assert done.returncode == 0
    output: dict[str, Any] = json.loads(done.stdout)
    return output


def messages(output: dict[str, Any]) -> str:
    return "\n".join(e["message"] for e in output["errors"] if e["severity"] == "error")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "B.sol").write_text("pragma solidity 0.8.37;\ncontract B {}")
    return folder


@pytest.mark.parametrize("version", ["0.8.37", "0.6.6"])
def test_version_is_the_one_of_its_name(version: str) -> None:
    assert f"Version: {version}+commit." in solc("--version", version=version).stdout


@pytest.mark.parametrize("option", ["--base-path", "--include-path"])
def test_import_is_found_below(library: Path, option: str) -> None:
    output = compile_importing("B.sol", option, library)
    assert output["contracts"]["A.sol"]["A"]["evm"]["bytecode"]["object"]


def test_missing_import_is_an_error(library: Path) -> None:
    output = compile_importing("C.sol", "--base-path", library)
    assert "File not found: C.sol" in messages(output)


def test_import_from_outside_needs_leave(library: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "B.sol").symlink_to(library / "B.sol")
    refused = compile_importing("B.sol", "--base-path", base)
    assert "outside of allowed directories" in messages(refused)
    allowed = compile_importing("B.sol", "--base-path", base, "--allow-paths", library)
    assert "A.sol" in allowed["contracts"]


@pytest.mark.parametrize("arguments", [["--optimise"], [], ["--base-path"]])
def test_what_it_does_not_understand_is_refused(arguments: list[str]) -> None:
    done = solc(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("solc: ")
