"""A node: requests, reads at one block, and errors that say what happened.

Requests pass by web3.py's middleware, which costs more than the node: its providers carry raw
JSON-RPC, and many calls travel in one HTTP request.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eth_typing import HexStr
from requests.exceptions import RequestException
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint

from novation.chain.errors import BadCall, ContractError, NodeError, NodeUnreachable, WrongChain
from novation.chain.reverts import decode_revert, revert_data

T = TypeVar("T")
BATCH = 200
"""Calls in one HTTP request: providers refuse many more."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """A read to be made: where, what, and how to understand the answer."""

    to: str
    data: bytes
    decode: Callable[[bytes], T]
    label: str
    slot: int | None = None
    """Instead of calling, read this storage slot: for state that has no view."""

    def request(self, block: int | str) -> tuple[str, list[Any]]:
        if self.slot is not None:
            return "eth_getStorageAt", [self.to, hex(self.slot), tag(block)]
        return "eth_call", [{"to": self.to, "data": "0x" + self.data.hex()}, tag(block)]


class Chain:
    """One node of one chain."""

    def __init__(self, provider: JSONBaseProvider, where: str, chain_id: int | None = None) -> None:
        self.provider = provider
        self.where = where
        self.url: str | None = None
        self.chain_id = int(self.request("eth_chainId"), 16)
        if chain_id is not None and chain_id != self.chain_id:
            raise WrongChain(where, chain_id, self.chain_id)

    @classmethod
    def connect(cls, url: str, chain_id: int | None = None, timeout: float = 30) -> "Chain":
        if not url.startswith(("http://", "https://")):
            raise NodeUnreachable(url, "the URL must begin with http:// or https://")
        provider = HTTPProvider(url, request_kwargs={"timeout": timeout})
        chain = cls(provider, hide_key(url), chain_id)
        chain.url = url
        return chain

    def request(self, method: str, *params: Any) -> Any:
        try:
            answer = self.provider.make_request(RPCEndpoint(method), list(params))
        except (RequestException, Web3Exception, OSError, ValueError) as error:
            raise NodeUnreachable(self.where, reason(error)) from None
        return self._result(method, dict(answer), method)

    def request_batch(self, requests: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        """Raw answers in the order of the requests."""
        if not requests:
            return []
        try:
            batch = [(RPCEndpoint(method), params) for method, params in requests]
            answers = self.provider.make_batch_request(batch)
        except (RequestException, Web3Exception, OSError, ValueError) as error:
            raise NodeUnreachable(self.where, reason(error)) from None
        if not isinstance(answers, list) or len(answers) != len(requests):
            raise NodeUnreachable(self.where, f"a batch of {len(requests)} requests was refused")
        return [dict(answer) for answer in sorted(answers, key=lambda a: int(a["id"] or 0))]

    def _result(self, method: str, answer: dict[str, Any], during: str) -> Any:
        if (error := answer.get("error")) is None:
            return answer.get("result")
        if isinstance(error, str):
            error = {"code": 0, "message": error}
        data = revert_data(error)
        if data is not None and method in ("eth_call", "eth_estimateGas", "eth_sendTransaction"):
            raise decode_revert(data, during)
        raise NodeError(method, int(error.get("code", 0)), str(error.get("message", error)))

    def block_number(self) -> int:
        return int(self.request("eth_blockNumber"), 16)

    def block(self, block: int | str = "latest") -> dict[str, Any]:
        found = self.request("eth_getBlockByNumber", tag(block), False)
        if found is None:
            raise BadCall(f"{self.where} has no block {block}")
        return dict(found)

    def code(self, address: str, block: int | str = "latest") -> bytes:
        return to_bytes(self.request("eth_getCode", address, tag(block)))

    def codes(self, addresses: Sequence[str], block: int | str = "latest") -> list[bytes]:
        answers: list[bytes] = []
        for part in chunks(addresses, BATCH // 4):
            asked = [("eth_getCode", [address, tag(block)]) for address in part]
            raw = self.request_batch(asked)
            answers += [to_bytes(self._result("eth_getCode", a, "eth_getCode")) for a in raw]
        return answers

    def balance(self, address: str) -> int:
        return int(self.request("eth_getBalance", address, "latest"), 16)

    def nonce(self, address: str, block: str = "latest") -> int:
        return int(self.request("eth_getTransactionCount", address, block), 16)

    def storage(self, address: str, slot: int, block: int | str = "latest") -> int:
        return int(self.request("eth_getStorageAt", address, hex(slot), tag(block)), 16)

    def call(self, call: Call[T], block: int | str = "latest") -> T:
        method, params = call.request(block)
        try:
            raw = self.provider.make_request(RPCEndpoint(method), params)
        except (RequestException, Web3Exception, OSError, ValueError) as error:
            raise NodeUnreachable(self.where, reason(error)) from None
        return call.decode(to_bytes(self._result(method, dict(raw), call.label)))

    def batch(self, calls: Iterable[Call[Any]], block: int | str = "latest") -> list[Any]:
        """Decoded answers, all of the same block. The first call that fails raises."""
        answers = self.try_batch(calls, block)
        for answer in answers:
            if isinstance(answer, ContractError | BadCall):
                raise answer
        return answers

    def try_batch(self, calls: Iterable[Call[Any]], block: int | str = "latest") -> list[Any]:
        """Decoded answers, all of the same block; a call that failed answers with its error."""
        made = list(calls)
        at = self.block_number() if block == "latest" and len(made) > 1 else block
        answers: list[Any] = []
        for part in chunks(made, BATCH):
            requests = [call.request(at) for call in part]
            raw = self.request_batch(requests)
            for call, (method, _), answer in zip(part, requests, raw, strict=True):
                try:
                    data = to_bytes(self._result(method, answer, call.label))
                    answers.append(call.decode(data))
                except (ContractError, BadCall) as error:
                    answers.append(error)
        return answers


def tag(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block


def to_bytes(text: HexStr | str | None) -> bytes:
    return bytes.fromhex((text or "0x")[2:])


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def reason(error: Exception) -> str:
    """What a network error says at its core, on one line and without the URL."""
    text = str(error.args[0] if error.args else error) or type(error).__name__
    if core := re.search(r"\[Errno [-\d]+\] ([^'\")]+)", text):
        return core[1].lower()
    text = re.sub(r"(for|with) url: \S+|https?://[^\s'\"]+", "", text)
    return " ".join(text.split())[-160:]


def hide_key(url: str) -> str:
    """Host of a URL: providers put secrets in the path, the query and before the host."""
    if "://" not in url:
        return ""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/')[0].split('?')[0].rpartition('@')[2]}"
