"""The manifest: what was deployed, where, from what. deployments/<network>.json, all text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address
from pydantic import BaseModel, ConfigDict, ValidationError

from novation.deploy.errors import NoManifest
from novation.deploy.files import read_json, write_json


class Entry(BaseModel):
    """A contract. Whole numbers, addresses and bytes of the arguments are text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contract: str
    address: str
    created: str
    salt: str | None = None
    arguments: dict[str, Any]
    code_hash: str
    block: int | None = None
    transaction: str | None = None


class Sent(BaseModel):
    """A transaction of the deployment; None where the journal was lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    hash: str | None = None
    block: int | None = None
    gas_used: int | None = None


class Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str
    chain_id: int
    genesis: str
    deployer: str
    first_block: int
    block: int
    commit: str | None
    compiler: dict[str, Any]
    spec: str
    """SHA-256 of the values of the spec."""
    contracts: dict[str, Entry]
    external: dict[str, str]
    transactions: list[Sent]

    def address(self, name: str) -> str:
        """Address of a contract, token or feed: "ClearingHouse", "VAMM ETH", "Token USDC"."""
        if name in self.contracts:
            return self.contracts[name].address
        return self.external[name]

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        try:
            raw = read_json(path)
            if raw is not None:
                return cls.model_validate(raw)
        except (ValueError, ValidationError):
            pass
        raise NoManifest(str(path))

    @classmethod
    def find(cls, path: Path) -> "Manifest | None":
        return cls.read(path) if path.exists() else None

    def write(self, path: Path) -> None:
        content = self.model_dump(mode="json")
        if read_json(path) != content:
            write_json(path, content)


def as_text(value: Any) -> Any:
    """An argument as the manifest keeps it: text, lists and mappings of text."""
    if isinstance(value, Mapping):
        return {str(key): as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value)


def from_text(parameter: Mapping[str, Any], text: Any) -> Any:
    """The argument again, by its type in the ABI."""
    kind: str = parameter["type"]
    if kind.endswith("]"):
        item = {**parameter, "type": kind[: kind.rindex("[")]}
        return [from_text(item, each) for each in text]
    if kind == "tuple":
        return {c["name"]: from_text(c, text[c["name"]]) for c in parameter["components"]}
    if kind == "bool":
        return text == "true"
    if kind == "address":
        return to_checksum_address(text)
    if kind.startswith("bytes"):
        return bytes.fromhex(text.removeprefix("0x"))
    return text if kind == "string" else int(text)
