"""The journal of a deployment under way: which nonce each transaction was given.

Whether a step is done is read from the chain. The journal answers what the chain cannot: that a
transaction may be on its way, under which nonce it must be sent again, and what it cost.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from novation.deploy.errors import OtherDeployment
from novation.deploy.files import read_json, write_json


@dataclass
class Entry:
    """One transaction. `hash` is None until known, `block` until mined."""

    nonce: int
    code: str
    hash: str | None = None
    block: int | None = None
    gas_used: int | None = None


@dataclass
class Journal:
    path: Path
    chain: str
    deployer: str
    reserved: dict[str, int] = field(default_factory=dict)
    """Nonces set aside for contracts whose address is made of them."""
    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, chain: str, deployer: str) -> "Journal":
        """The journal of this chain and deployer; a new one when the file is of another chain."""
        raw = read_json(path)
        if raw is None or raw["chain"] != chain:
            return cls(path, chain, deployer)
        if raw["deployer"] != deployer:
            raise OtherDeployment(
                f"{path} belongs to a deployment that {raw['deployer']} began; go on with that "
                f"account, or remove the file to begin another deployment"
            )
        entries = {name: Entry(**entry) for name, entry in raw["entries"].items()}
        return cls(path, chain, deployer, raw["reserved"], entries)

    def save(self) -> None:
        content: dict[str, Any] = {
            "chain": self.chain,
            "deployer": self.deployer,
            "reserved": self.reserved,
            "entries": {name: asdict(entry) for name, entry in self.entries.items()},
        }
        write_json(self.path, content)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
