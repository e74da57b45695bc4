"""What can go wrong between here and the chain. Each message is one line a person can act on."""

from typing import Any


class ChainError(Exception):
    """Anything that went wrong between here and the chain."""


class NodeUnreachable(ChainError):
    """Nothing answered, or not in the JSON-RPC protocol."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"no Ethereum node answers at {where}: {reason}")


class WrongChain(ChainError):
    """The node serves another chain than the one meant."""

    def __init__(self, where: str, expected: int, found: int) -> None:
        super().__init__(f"{where} serves chain {found}, expected chain {expected}")
        self.expected = expected
        self.found = found


class NodeError(ChainError):
    """The node refused a request."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method = method
        self.code = code
        self.message = message


class ContractError(ChainError):
    """A contract reverted, with an error of one of our ABIs where the name is known."""

    def __init__(self, name: str, arguments: dict[str, Any], during: str = "") -> None:
        values = ", ".join(f"{key}={show(value)}" for key, value in arguments.items())
        super().__init__(f"{during}: {name}({values})" if during else f"{name}({values})")
        self.name = name
        self.arguments = arguments
        self.during = during


class NotMined(ChainError):
    """A transaction has no receipt in the time allowed. It may still be mined."""

    def __init__(self, transaction: str, seconds: float) -> None:
        super().__init__(f"transaction {transaction} was not mined within {seconds:g} s")
        self.transaction = transaction


class BadCall(ChainError):
    """Arguments do not fit the function, or the function is not in the ABI."""


class AccountError(ChainError):
    """An account that should sign cannot."""


def show(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return f"({', '.join(show(item) for item in value)})"
    return str(value)
