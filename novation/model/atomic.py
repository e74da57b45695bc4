"""All or nothing, as a transaction is."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


class Reversible(Protocol):
    """Something that can go back to how it was."""

    def snapshot(self) -> Any: ...
    def restore(self, kept: Any) -> None: ...


S = TypeVar("S", bound=Reversible)
P = ParamSpec("P")
R = TypeVar("R")


def atomic(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that changes nothing when it raises."""

    @wraps(method)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        kept = self.snapshot()
        try:
            return method(self, *args, **kwargs)
        except Exception:
            self.restore(kept)
            raise

    return run
