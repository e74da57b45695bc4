"""Blocks of the throw-away chain: transactions in, one block at a set time, receipts out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from novation.chain.client import to_bytes
from novation.chain.errors import ContractError
from novation.chain.reverts import decode_revert
from novation.lab.errors import LabError, RpcError
from novation.lab.rpc import Rpc

GAS = 3_000_000  # a transaction's limit: several times what the dearest call uses
DEPLOY_GAS = 16_000_000


@dataclass(frozen=True)
class Transaction:
    """`kind` is the name under which its gas is counted. Without `to` it creates a contract."""

    kind: str
    sender: str
    to: str | None
    data: bytes
    gas: int = GAS


@dataclass(frozen=True)
class Done:
    """A transaction in its block. `logs` are as the node gives them."""

    transaction: Transaction
    hash: str
    succeeded: bool
    gas_used: int
    logs: list[dict[str, Any]]
    created: str | None


@dataclass(frozen=True)
class Block:
    number: int
    time: int
    done: list[Done]


class Blocks:
    """Needs Anvil with automine off and senders that need no signature."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self._nonces: Counter[str] = Counter()

    def mine(self, transactions: Sequence[Transaction], time: int) -> Block:
        """One block at `time` with these transactions in this order."""
        self._learn_nonces(transactions)
        self.rpc.in_order([("eth_sendTransaction", [self._fields(t)]) for t in transactions])
        self.rpc.call("evm_setNextBlockTimestamp", time)
        self.rpc.call("evm_mine")  # not in one message with what must come after it
        header, receipts = self.rpc.batch(
            [("eth_getBlockByNumber", ["latest", False]), ("eth_getBlockReceipts", ["latest"])]
        )
        if len(receipts) != len(transactions):
            raise LabError(f"{len(receipts)} of {len(transactions)} transactions were mined")
        pairs = zip(transactions, receipts, strict=True)
        done = [to_done(transaction, receipt) for transaction, receipt in pairs]
        return Block(int(header["number"], 16), int(header["timestamp"], 16), done)

    def _learn_nonces(self, transactions: Sequence[Transaction]) -> None:
        new = sorted({t.sender for t in transactions} - self._nonces.keys())
        asked: list[tuple[str, list[Any]]] = [
            ("eth_getTransactionCount", [sender, "latest"]) for sender in new
        ]
        for sender, count in zip(new, self.rpc.batch(asked), strict=True):
            self._nonces[sender] = int(count, 16)

    def _fields(self, transaction: Transaction) -> dict[str, str]:
        nonce = self._nonces[transaction.sender]
        self._nonces[transaction.sender] += 1
        fields = {
            "from": transaction.sender,
            "data": "0x" + transaction.data.hex(),
            "gas": hex(transaction.gas),
            "gasPrice": "0x0",
            "nonce": hex(nonce),
        }
        if transaction.to is not None:
            fields["to"] = transaction.to
        return fields

    def why(self, done: Done) -> ContractError:
        """What a transaction of the last few blocks reverted with."""
        try:
            frame = self.rpc.call("debug_traceTransaction", done.hash, {"tracer": "callTracer"})
        except RpcError as error:
            return ContractError(error.message, {}, done.transaction.kind)
        if done.gas_used >= done.transaction.gas:
            return ContractError("out of gas", {"limit": done.transaction.gas})
        return decode_revert(to_bytes(frame.get("output")), done.transaction.kind)

    def read(self, to: str, data: bytes) -> bytes:
        call = {"to": to, "data": "0x" + data.hex()}
        return to_bytes(self.rpc.call("eth_call", call, "latest"))


def to_done(transaction: Transaction, receipt: dict[str, Any]) -> Done:
    if receipt["from"].lower() != transaction.sender.lower():
        raise LabError("the chain mined the transactions in another order")
    return Done(
        transaction,
        receipt["transactionHash"],
        int(receipt["status"], 16) == 1,
        int(receipt["gasUsed"], 16),
        receipt["logs"],
        receipt.get("contractAddress"),
    )
