"""The libraries on an Anvil, called with many values at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import pytest

from novation.chain.codec import decode_outputs, find, selector
from novation.chain.contract import Contract
from novation.chain.reverts import decode_revert
from novation.model.errors import Refused
from tests.local_chain import local_chain

CHUNK = 1_000


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def as_struct(value: Any) -> Any:
    """A dataclass of the model as the struct of the contracts."""
    if not is_dataclass(value):
        return value
    return {camel(k): v for k, v in asdict(value).items()}  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """Structs and dataclasses as nested lists, in the order of their fields."""
    if is_dataclass(value):
        return [plain(v) for v in asdict(value).values()]  # type: ignore[arg-type]
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


@dataclass
class Harness:
    contract: Contract

    def call(self, function: str, inputs: Sequence[tuple[Any, ...]]) -> list[Any]:
        """What the library gives for each input; the error's name where it reverts."""
        entry = find(self.contract.artifact.abi, "function", function)
        made: list[Any] = []
        for start in range(0, len(inputs), CHUNK):
            part = [self.encode(entry, values) for values in inputs[start : start + CHUNK]]
            answer = self.contract.read("each", part)
            for ok, data in zip(answer.oks, answer.results, strict=True):
                made.append(decode_outputs(entry, data) if ok else decode_revert(data).name)
        return made

    def encode(self, entry: dict[str, Any], values: tuple[Any, ...]) -> bytes:
        """Numbers by hand, which is many times as fast as the ABI's coder."""
        if all(isinstance(v, int) for v in values):
            return selector(entry) + b"".join((v % 2**256).to_bytes(32) for v in values)
        return self.contract.encode(entry["name"], *map(as_struct, values))

    def compare(
        self,
        function: str,
        model: Callable[..., Any],
        inputs: Sequence[tuple[Any, ...]],
    ) -> None:
        """The model gives the library's value, or refuses with its error, for each input."""
        for values, found in zip(inputs, self.call(function, inputs), strict=True):
            try:
                mine: Any = model(*values)
            except Refused as refused:
                mine = refused.name
            assert plain(mine) == plain(found), f"{function}{values}: model {mine}, chain {found}"


@pytest.fixture(scope="session")
def harness() -> Iterator[Harness]:
    with local_chain() as chain:
        yield Harness(chain.deploy("MathHarness"))
