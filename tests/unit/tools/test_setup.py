"""scripts/setup: one clear line for what is missing, and the compiler that is already there."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local_chain import ROOT

NEEDED = ("bash", "cat", "dirname", "env", "flock", "ln", "mkdir")
COPIED = ("scripts/setup", "package.json", "package-lock.json", "pyproject.toml")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What set-up reads of the project, with its environments made already."""
    for name in COPIED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for folder in ("requirements", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/.stamp").write_text(stamp(tmp_path), encoding="utf-8")
    return tmp_path


def stamp(clone: Path) -> str:
    """What set-up notes of this Python and the locks of `dev`."""
    told = f"Python {platform.python_version()}"
    locks = ("pyproject.toml", "requirements/uv.txt", "requirements/dev.txt")
    content = b"".join((clone / lock).read_bytes() for lock in locks)
    return f"{told} {hashlib.sha256(content).hexdigest()}\n"


def set_up(clone: Path, path: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("PATH", "PYTHON", "HOME")}
    environment = kept | {"PATH": path, "HOME": str(clone)} | more
    command = [str(shutil.which("bash")), "scripts/setup"]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)


def only(clone: Path, *programs: str) -> str:
    """A PATH with these programs and no others."""
    folder = clone / "bin"
    folder.mkdir()
    for program in (*NEEDED, *programs):
        found = shutil.which(program)
        assert found, program
        (folder / program).symlink_to(found)
    return str(folder)


def script(folder: str, name: str, text: str) -> Path:
    file = Path(folder) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("programs", "line"),
    [
        ((), "setup: no Python 3.11 or 3.12 found"),
        (("python3",), "setup: node is not installed; install Node.js 20 or later"),
        (("python3", "node"), "setup: npm is not installed; it comes with Node.js"),
    ],
)
def test_missing_tool_is_one_line(clone: Path, programs: tuple[str, ...], line: str) -> None:
    done = set_up(clone, only(clone, *programs))
    assert done.returncode == 2
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_node_that_is_too_old_is_named_with_its_version(clone: Path) -> None:
    path = only(clone, "python3", "npm")
    script(path, "node", "[[ $1 == --version ]] && echo v18.1.0 || exit 1")
    done = set_up(clone, path)
    assert done.returncode == 2
    assert done.stderr == "setup: Node.js 20 or later is needed, this is v18.1.0\n"


def test_python_that_is_too_old_is_passed_over(clone: Path) -> None:
    path = only(clone)
    script(path, "python3", "exit 1")
    done = set_up(clone, path, PYTHON=f"{path}/python3")
    assert done.returncode == 2
    assert done.stderr.startswith("setup: no Python 3.11 or 3.12 found")


@pytest.mark.parametrize("version", ["0.8.37", "0.8.26"])
def test_native_solc_of_the_same_version_wins(clone: Path, version: str) -> None:
    """A solc that py-solc-x keeps is used when its version is the pinned one; else npm's."""
    told = f"echo 'Version: {version}+commit.1a2b3c4d.Linux.g++'"
    native = script(str(clone / ".solcx"), "solc-v0.8.37", told)
    done = set_up(clone, os.environ["PATH"], PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    chosen = clone / ".build/solc/solc-v0.8.37"
    shim = Path("../../tools/solc/solc-v0.8.37")
    assert chosen.readlink() == (native if version == "0.8.37" else shim)
    assert (clone / ".build/solc/solc-v0.6.6").readlink() == shim.with_name("solc-v0.6.6")
