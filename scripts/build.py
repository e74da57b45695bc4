"""Compiles contracts/ into .build/artifacts/<Name>.json, and only what changed.

ape-solidity says how to compile (ape-config.yaml), py-solc-x runs the compiler. ape's own cache is
passed by: it keeps stale bytecode when a compiler setting or an imported file changes. Here each
unit is keyed by the content of its source, of all it imports and of the settings. Compiling each
contract in a call of its own makes its bytecode depend on nothing else, and uses every core.
"""

import fcntl
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.solidity import blank, imports

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / ".build" / "artifacts"
KEYS = ARTIFACTS / ".keys"
SETTINGS_FILES = ("ape-config.yaml", "package-lock.json", "tools/solc/solc.js", "scripts/build.py")

# Chainlink's own aggregator and the proxy before it: the price feed of local networks.
VENDOR_SOLC = "0.6.6"
VENDOR_SOURCES = (
    "node_modules/@chainlink/contracts/src/v0.6/EACAggregatorProxy.sol",
    "node_modules/@chainlink/contracts/src/v0.6/FluxAggregator.sol",
)
VENDOR_SETTINGS = {"optimizer": {"enabled": True, "runs": 1_000_000}, "evmVersion": "istanbul"}

CODE = [
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
]
DEPLOYABLE = re.compile(
    r"^\s*(contract|library\b.*\b(external|public))\b", re.DOTALL | re.MULTILINE
)


class BuildError(Exception):
    """The sources cannot be made into artifacts, for the reason in the message."""


@dataclass(frozen=True)
class Unit:
    """What one call of the compiler makes: one file's contracts, or the ABIs of all others."""

    name: str
    sources: tuple[str, ...]
    key: str
    outputs: list[str]
    vendor: bool = False


def read(source: str) -> str:
    return (ROOT / source).read_text(encoding="utf-8")


def imports_of(source: str) -> Iterator[str]:
    """Imports by relative path; packages are covered by package-lock.json."""
    for _, target in imports(read(source)):
        if target.startswith("."):
            path = os.path.normpath(Path(source).parent / target)
            if not (ROOT / path).is_file():
                raise BuildError(f"{source}: imports {target}, which does not exist")
            yield path


def closure(sources: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    pending = list(sources)
    while pending:
        source = pending.pop()
        if source not in seen:
            seen.add(source)
            pending.extend(imports_of(source))
    return sorted(seen)


def key_of(sources: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for file in (*SETTINGS_FILES, *closure(sources)):
        digest.update(
            f"{file}\0{hashlib.sha256((ROOT / file).read_bytes()).hexdigest()}\n".encode()
        )
    return digest.hexdigest()


def units() -> list[Unit]:
    ours = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "contracts").rglob("*.sol"))
    deployable = [s for s in ours if DEPLOYABLE.search(blank(read(s), strings=True))]
    rest = tuple(s for s in ours if s not in deployable)
    found = [Unit(s, (s,), key_of([s]), ["abi", "storageLayout", *CODE]) for s in deployable]
    if rest:
        found.append(Unit("interfaces and libraries", rest, key_of(rest), ["abi"]))
    found += [Unit(s, (s,), key_of([s]), ["abi", *CODE], vendor=True) for s in VENDOR_SOURCES]
    return found


def ape_settings(sources: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """The compiler version and settings that ape reads from ape-config.yaml."""
    import ape  # takes a second: only when there is something to compile

    inputs = ape.compilers.solidity.get_standard_input_json(
        [ROOT / s for s in sources], project=ape.Project(ROOT)
    )
    if len(inputs) != 1:
        raise BuildError(f"one compiler version is expected, ape chose {sorted(map(str, inputs))}")
    ((version, standard_input),) = inputs.items()
    return version.base_version, standard_input["settings"]


def compile_unit(unit: Unit, version: str, settings: dict[str, Any]) -> dict[str, Any]:
    import solcx
    from solcx.exceptions import SolcError

    # solc finds imports under the base path. Old ones have none: they are handed all sources.
    sources = closure(unit.sources) if unit.vendor else unit.sources
    standard_input = {
        "language": "Solidity",
        "sources": {s: {"content": read(s)} for s in sources},
        "settings": {**settings, "outputSelection": {s: {"*": unit.outputs} for s in unit.sources}},
    }
    base_path = None if unit.vendor else ROOT
    try:
        return dict(
            solcx.compile_standard(
                standard_input, solc_version=version, allow_empty=True, base_path=base_path
            )
        )
    except SolcError as error:
        raise BuildError(str(error.message)) from None


def artifacts_of(output: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for source, contracts in sorted(output.get("contracts", {}).items()):
        for name, made in sorted(contracts.items()):
            evm = made.get("evm", {})
            runtime = evm.get("deployedBytecode", {})
            references = runtime.get("immutableReferences", {}).values()
            yield {
                "name": name,
                "sourceId": source,
                "abi": made["abi"],
                "bytecode": "0x" + evm.get("bytecode", {}).get("object", ""),
                "deployedBytecode": "0x" + runtime.get("object", ""),
                "immutables": sorted(
                    [r["start"], r["length"]] for spots in references for r in spots
                ),
                "storageLayout": made.get("storageLayout", {}),
            }


def write_atomically(path: Path, content: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(content, encoding="utf-8")
    draft.replace(path)


def warnings_of(output: dict[str, Any]) -> Iterator[str]:
    for entry in output.get("errors", []):
        if entry.get("sourceLocation", {}).get("file", "").startswith("contracts/"):
            yield entry["formattedMessage"].strip()


def build() -> None:
    wanted = units()
    recorded: dict[str, dict[str, Any]] = json.loads(KEYS.read_text()) if KEYS.is_file() else {}
    stale = [u for u in wanted if recorded.get(u.name, {}).get("key") != u.key]
    known = {u.name: recorded[u.name] for u in wanted if u not in stale}
    if not stale and known.keys() == recorded.keys():
        return

    started = time.monotonic()
    warnings: set[str] = set()
    errors: list[str] = []
    version, settings = VENDOR_SOLC, VENDOR_SETTINGS
    if ours := [s for u in wanted if not u.vendor for s in u.sources]:
        version, settings = ape_settings(ours)

    def run(unit: Unit) -> dict[str, Any] | BuildError:
        try:
            how = (VENDOR_SOLC, VENDOR_SETTINGS) if unit.vendor else (version, settings)
            return compile_unit(unit, *how)
        except BuildError as error:
            return error

    stale.sort(key=lambda u: -sum(len(read(s)) for s in closure(u.sources)))  # the longest first
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for unit, output in zip(stale, pool.map(run, stale), strict=True):
            if isinstance(output, BuildError):
                errors.append(str(output))
                continue
            warnings.update(warnings_of(output))
            made = {artifact["name"]: artifact for artifact in artifacts_of(output)}
            if twice := [n for n, k in known.items() if made.keys() & set(k["makes"])]:
                errors.append(f"{unit.name} and {twice[0]} define contracts of the same name")
                continue
            for name, artifact in made.items():
                write_atomically(ARTIFACTS / f"{name}.json", json.dumps(artifact))
            known[unit.name] = {"key": unit.key, "makes": sorted(made)}

    current = {name for k in known.values() for name in k["makes"]}
    for path in ARTIFACTS.glob("*.json"):
        if path.stem not in current:
            path.unlink()
    for warning in sorted(warnings):
        print(warning, file=sys.stderr)
    write_atomically(KEYS, json.dumps(known, indent=1))
    if errors:
        raise BuildError("\n".join(dict.fromkeys(errors)))
    print(f"build: {len(stale)} of {len(wanted)} units in {time.monotonic() - started:.1f} s")


def main() -> int:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with (ARTIFACTS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once take turns
        try:
            build()
        except BuildError as error:
            print(f"build: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
