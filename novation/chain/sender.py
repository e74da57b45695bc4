"""Sends transactions of one account and waits for them, one at a time.

A transaction is prepared, handed to whoever keeps a journal, then broadcast: after a crash it is
sent again under the nonce it had, so that the chain takes one of the two at most.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from novation.chain.accounts import Account
from novation.chain.client import Chain
from novation.chain.errors import ChainError, ContractError, NodeError, NotMined
from novation.chain.logs import Log

GAS_MARGIN = (6, 5)
"""Gas allowed over gas estimated: state may have moved when the transaction is mined."""


@dataclass(frozen=True)
class Prepared:
    """A transaction with its nonce and fees; signed, with its hash, unless the node signs it."""

    transaction: dict[str, Any]
    raw: bytes | None
    hash: str | None

    @property
    def nonce(self) -> int:
        return int(self.transaction["nonce"])


@dataclass(frozen=True)
class Receipt:
    hash: str
    block: int
    gas_used: int
    gas_price: int
    logs: tuple[Log, ...]


class Sender:
    def __init__(self, chain: Chain, account: Account, timeout: float = 600) -> None:
        self.chain = chain
        self.account = account
        self.timeout = timeout

    @property
    def address(self) -> str:
        return self.account.address

    def prepare(
        self, to: str | None, data: bytes, *, nonce: int | None = None, label: str = ""
    ) -> Prepared:
        """Estimates, prices and signs. Reverts of the estimate come out as ContractError."""
        wanted: dict[str, Any] = {"from": self.address, "data": "0x" + data.hex()}
        if to is not None:
            wanted["to"] = to
        gas = estimate(self.chain, wanted, label) * GAS_MARGIN[0] // GAS_MARGIN[1]
        gas = min(gas, int(self.chain.block()["gasLimit"], 16))
        transaction = {
            "chainId": self.chain.chain_id,
            "nonce": self.chain.nonce(self.address, "pending") if nonce is None else nonce,
            "gas": gas,
            "value": 0,
            "data": wanted["data"],
            **fees(self.chain),
        }
        if to is not None:
            transaction["to"] = to
        signed = self.account.sign(transaction)
        raw, digest = signed if signed is not None else (None, None)
        return Prepared(transaction, raw, digest)

    def broadcast(self, prepared: Prepared) -> str:
        """Hands the transaction to the node; a node that has it already is as good."""
        if prepared.raw is None:
            fields = {**prepared.transaction, "from": self.address}
            sent = {k: hex(v) if isinstance(v, int) else v for k, v in fields.items()}
            return str(self.chain.request("eth_sendTransaction", sent))
        try:
            return str(self.chain.request("eth_sendRawTransaction", "0x" + prepared.raw.hex()))
        except NodeError as error:
            if prepared.hash and "known" in error.message.lower():
                return prepared.hash
            raise

    def wait(self, transaction: str, label: str = "", poll: float = 0.005) -> Receipt:
        deadline = time.monotonic() + self.timeout
        while True:
            raw = self.chain.request("eth_getTransactionReceipt", transaction)
            if raw is not None:
                return self._receipt(raw, label)
            if time.monotonic() > deadline:
                raise NotMined(transaction, self.timeout)
            time.sleep(poll)
            poll = min(poll * 1.5, 2)

    def send(
        self,
        to: str | None,
        data: bytes,
        *,
        label: str = "",
        nonce: int | None = None,
        before: Callable[[Prepared], None] | None = None,
    ) -> Receipt:
        """Prepares, lets `before` note it down, broadcasts and waits."""
        prepared = self.prepare(to, data, nonce=nonce, label=label)
        if before is not None:
            before(prepared)
        return self.wait(self.broadcast(prepared), label)

    def _receipt(self, raw: dict[str, Any], label: str) -> Receipt:
        if int(raw["status"], 16) != 1:
            raise self._failure(raw["transactionHash"], int(raw["blockNumber"], 16), label)
        return Receipt(
            hash=raw["transactionHash"],
            block=int(raw["blockNumber"], 16),
            gas_used=int(raw["gasUsed"], 16),
            gas_price=int(raw["effectiveGasPrice"], 16),
            logs=tuple(Log.of(log) for log in raw["logs"]),
        )

    def _failure(self, transaction: str, block: int, label: str) -> ChainError:
        """Why a mined transaction failed: the same call, made again at the block before."""
        sent = self.chain.request("eth_getTransactionByHash", transaction)
        wanted = {"from": sent["from"], "data": sent["input"], "value": sent["value"]}
        if sent.get("to"):
            wanted["to"] = sent["to"]
        try:
            self.chain.request("eth_call", wanted, hex(block - 1))
        except ContractError as error:
            return ContractError(error.name, error.arguments, label)
        except ChainError:
            pass
        return ContractError("reverted", {"transaction": transaction}, label)


def estimate(chain: Chain, transaction: dict[str, Any], label: str) -> int:
    try:
        return int(chain.request("eth_estimateGas", transaction), 16)
    except ContractError as error:
        raise ContractError(error.name, error.arguments, label) from None


def fees(chain: Chain) -> dict[str, int]:
    """EIP-1559 fees that stand two full blocks' rise of the base fee."""
    base = base_fee(chain)
    if base is None:
        return {"gasPrice": int(chain.request("eth_gasPrice"), 16)}
    try:
        tip = int(chain.request("eth_maxPriorityFeePerGas"), 16)
    except NodeError:
        tip = max(int(chain.request("eth_gasPrice"), 16) - base, 0)
    return {"maxFeePerGas": 2 * base + tip, "maxPriorityFeePerGas": tip, "type": 2}


def base_fee(chain: Chain) -> int | None:
    found = chain.block().get("baseFeePerGas")
    return None if found is None else int(found, 16)
