"""The chain seen from Python: contracts by their artifacts, reads in batches, logs, a sender."""

from novation.chain.accounts import Account, KeystoreAccount, UnlockedAccount
from novation.chain.client import Call, Chain
from novation.chain.codec import Event
from novation.chain.contract import Contract
from novation.chain.errors import (
    ChainError,
    ContractError,
    NodeError,
    NodeUnreachable,
    NotMined,
    WrongChain,
)
from novation.chain.logs import Log, read_logs
from novation.chain.sender import Receipt, Sender

__all__ = [
    "Account",
    "Call",
    "Chain",
    "ChainError",
    "Contract",
    "ContractError",
    "Event",
    "KeystoreAccount",
    "Log",
    "NodeError",
    "NodeUnreachable",
    "NotMined",
    "Receipt",
    "Sender",
    "UnlockedAccount",
    "WrongChain",
    "read_logs",
]
