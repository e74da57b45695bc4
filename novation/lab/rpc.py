"""Raw JSON-RPC to a local node over its Unix socket: several times what web3.py carries."""

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from novation.lab.errors import RpcError

CHUNK = 250  # reads in one message
ORDERED = 30  # in larger messages Anvil begins some requests before those ahead of them
Request = tuple[str, list[Any]]


class Rpc:
    def __init__(self, path: Path, timeout: float = 60) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def call(self, method: str, *params: Any) -> Any:
        answer = self._exchange({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
        return result(method, answer)

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Results of reads in the order of the requests; the first that was refused raises."""
        return results(requests, self.answers(requests))

    def in_order(self, requests: Sequence[Request]) -> list[Any]:
        """The same for requests that must also be carried out in this order."""
        return results(requests, self.answers(requests, ORDERED))

    def answers(self, requests: Sequence[Request], chunk: int = CHUNK) -> list[dict[str, Any]]:
        """Raw answers in the order of the requests."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(requests), chunk):
            part = requests[start : start + chunk]
            message = [
                {"jsonrpc": "2.0", "id": at, "method": method, "params": params}
                for at, (method, params) in enumerate(part)
            ]
            found += sorted(self._exchange(message), key=lambda answer: int(answer["id"]))
        return found

    def _exchange(self, message: Any) -> Any:
        try:
            self._socket.sendall(json.dumps(message).encode())
            line = self._answers.readline()
        except OSError as error:
            raise RpcError("connection", str(error) or type(error).__name__) from None
        if not line:
            raise RpcError("connection", "the node has gone")
        return json.loads(line)


def results(requests: Sequence[Request], answers: Sequence[dict[str, Any]]) -> list[Any]:
    pairs = zip(requests, answers, strict=True)
    return [result(method, answer) for (method, _), answer in pairs]


def result(method: str, answer: dict[str, Any]) -> Any:
    if (error := answer.get("error")) is not None:
        raise RpcError(method, str(error.get("message", error)), str(error.get("data") or ""))
    return answer["result"]
