"""Compiled contracts, as `make build` leaves them in .build/artifacts."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / ".build" / "artifacts"


class ArtifactMissing(Exception):
    """No compiled contract of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no artifact of contract {name}: run `make build`, or check the name")
        self.name = name


@dataclass(frozen=True)
class Artifact:
    """One compiled contract. An interface or abstract contract has no bytecode."""

    name: str
    source_id: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    immutables: tuple[tuple[int, int], ...]
    """(start, length) in deployed_bytecode of what the constructor fills in; zero here."""
    storage_layout: dict[str, Any]


@cache
def load(name: str) -> Artifact:
    try:
        made = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactMissing(name) from None
    return Artifact(
        name=made["name"],
        source_id=made["sourceId"],
        abi=made["abi"],
        bytecode=bytes.fromhex(made["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(made["deployedBytecode"][2:]),
        immutables=tuple((start, length) for start, length in made["immutables"]),
        storage_layout=made["storageLayout"],
    )
