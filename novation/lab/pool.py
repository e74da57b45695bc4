"""Who has shares of the vAMM's pool, from its events: what LPs paid in, and what they got out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from novation import artifacts
from novation.chain.client import to_bytes
from novation.chain.codec import decode_event, event_topic
from novation.lab.recording import Fill
from novation.units import WAD


@dataclass
class Stake:
    """One LP's: `shares` and what they cost, open requests as the time they were made at."""

    shares: int = 0
    paid: int = 0
    depositing: int | None = None
    withdrawing: int | None = None


@dataclass
class Pool:
    """`paid_in` and `paid_out` over all LPs, WAD quote."""

    vamm: str
    stakes: dict[bytes, Stake] = field(default_factory=dict)
    paid_in: int = 0
    paid_out: int = 0

    def __post_init__(self) -> None:
        events = [e for e in artifacts.load("VAMM").abi if e["type"] == "event"]
        self._events = {event_topic(event): event for event in events}

    def stake(self, account: bytes) -> Stake:
        return self.stakes.setdefault(account, Stake())

    def take(
        self, logs: Iterable[dict[str, Any]], time: int, traders: dict[bytes, str]
    ) -> list[Fill]:
        """Books the pool's events; the fills among them."""
        fills = []
        for log in logs:
            if log["address"].lower() != self.vamm.lower():
                continue
            entry = self._events[log["topics"][0]]
            topics = [to_bytes(topic) for topic in log["topics"]]
            decoded = decode_event([entry], topics, to_bytes(log["data"]))
            assert decoded is not None
            name, values = decoded
            if name == "Filled":
                fills.append(to_fill(time, traders, values))
            elif "account" in values:
                self._book(name, values)
        return fills

    def _book(self, name: str, values: dict[str, Any]) -> None:
        stake = self.stake(values["account"])
        if name == "DepositRequested":
            stake.depositing = values["madeAt"]
        elif name == "WithdrawalRequested":
            stake.withdrawing = values["madeAt"]
        elif name == "SharesMinted":
            stake.depositing = None
            stake.shares += values["shares"]
            stake.paid += values["amount"]
            self.paid_in += values["amount"]
        elif name == "SharesBurned":
            stake.withdrawing = None
            stake.paid -= stake.paid * values["shares"] // stake.shares
            stake.shares -= values["shares"]
            self.paid_out += values["amount"]
        elif name == "RequestLapsed" and values["deposit"]:
            stake.depositing = None
        elif name == "RequestLapsed":
            stake.withdrawing = None


def to_fill(time: int, traders: dict[bytes, str], values: dict[str, Any]) -> Fill:
    size, quote = values["size"], values["quote"]
    price = quote * WAD // abs(size)
    return Fill(time, traders.get(values["account"], "other"), size, price, values["fee"])
