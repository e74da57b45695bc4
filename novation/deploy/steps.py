"""What a plan is made of: steps, each one transaction, and facts that can be read on chain."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from novation.chain import Call
from novation.chain.errors import show


class How(Enum):
    """How a contract comes into being, and so what its address is made of."""

    CREATE2 = "create2"  # salt, creation code and arguments
    FACTORY = "factory"  # CoreFactory and its nonce
    CREATE = "create"  # the deployer and his nonce: only what must belong to him


@dataclass(frozen=True)
class Drift:
    """One difference between what should be and what is."""

    what: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.what}: expected {show(self.expected)}, found {show(self.found)}"


@dataclass(frozen=True)
class Fact:
    """A read and the answer it should give."""

    what: str
    call: Call[Any]
    expected: Any

    def drifts(self, found: Any) -> Iterator[Drift]:
        if isinstance(found, Exception):
            yield Drift(self.what, self.expected, found)
        elif isinstance(self.expected, dict):  # a struct: field by field
            for name, value in self.expected.items():
                if getattr(found, name) != value:
                    yield Drift(f"{self.what}.{name}", value, getattr(found, name))
        elif found != self.expected:
            yield Drift(self.what, self.expected, found)


@dataclass(frozen=True)
class Creation:
    """The contract that a step makes."""

    contract: str
    address: str
    arguments: dict[str, Any]
    how: How
    init_code: bytes = field(repr=False)
    salt: bytes = b""
    nonce: int | None = None


@dataclass(frozen=True)
class Step:
    """One transaction of the deployer. Done when its contract has code, or when its facts hold."""

    name: str
    to: str | None
    data: bytes = field(repr=False)
    creation: Creation | None = None
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Plan:
    network: str
    chain_id: int
    deployer: str
    steps: tuple[Step, ...]
    facts: tuple[Fact, ...]
    """What must hold when all is done, and at any time after."""
    outside: tuple[Fact, ...]
    """What must hold before anything is sent: tokens and feeds that others deployed."""
    external: dict[str, str]
    """Names and addresses of those."""

    def creation(self, name: str) -> Creation:
        found = {s.name: s.creation for s in self.steps}.get(name)
        if found is None:
            raise KeyError(name)
        return found
