"""Who stakes in the insurance fund, and when each tries to leave."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from novation import artifacts
from novation.chain.contract import call_to
from novation.lab.blocks import Block, Transaction
from novation.lab.mirror import Mirror
from novation.lab.recording import StakeEnd
from novation.lab.rescue import SETUP, owner_of
from novation.lab.rpc import Rpc
from novation.lab.venue import NEVER, State, Venue, read_all
from novation.units import PPM, tokens_to_wad, wad_to_tokens_down

FALL_PPM = 80_000  # below its highest, at which the nervous one asks


class Temper(Enum):
    """When a staker asks for his stake."""

    FIRST = "at the first block"
    NERVOUS = "when the index has fallen"
    LATE = "when an account is below zero already"
    PATIENT = "never"


PARTS = {Temper.FIRST: 1, Temper.NERVOUS: 2, Temper.LATE: 2, Temper.PATIENT: 5}
"""Of ten, what each has of the stake."""


@dataclass
class Staker:
    """`shares` as the fund counts them, `staked` and `paid` token units; `until` is the last second
    of his open request's window."""

    owner: str
    temper: Temper
    shares: int = 0
    staked: int = 0
    paid: int = 0
    since: int | None = None
    until: int = 0


@dataclass
class Stakers:
    """`money` of all of them, WAD quote; `paid` is what left the fund before the end."""

    venue: Venue
    mirror: Mirror
    money: int
    paid: int = 0

    def __post_init__(self) -> None:
        self.stakers = [Staker(owner_of(f"staker {t.name}"), t) for t in Temper if self.money]
        self._fund, self._insurance = artifacts.load("InsuranceFund"), self.venue.spec.insurance
        self._high = 0

    def set_up(self) -> Iterator[list[Transaction]]:
        venue = self.venue
        for s in self.stakers:
            s.staked = wad_to_tokens_down(self.money * PARTS[s.temper] // 10, venue.decimals)
        parts = {s.owner: s.staked for s in self.stakers}
        fund = venue.address("InsuranceFund")
        yield [venue.on_token(SETUP, owner, "mint", owner, part) for owner, part in parts.items()]
        yield [venue.on_token(SETUP, owner, "approve", fund, NEVER) for owner in parts]
        yield [self._send("stake", owner, "deposit", part, owner) for owner, part in parts.items()]

    def learn(self, rpc: Rpc) -> None:
        """Reads everybody's shares."""
        fund = self.venue.address("InsuranceFund")
        calls = [call_to(fund, self._fund, "balanceOf", s.owner) for s in self.stakers]
        for staker, shares in zip(self.stakers, read_all(rpc, calls), strict=True):
            staker.shares = shares

    def act(self, state: State, time: int) -> Iterator[Transaction]:
        """Asks when his time has come, claims when the request is cooled, asks again when late."""
        self._high = max(self._high, state.market.index)
        for staker in self.stakers:
            if staker.shares == 0:
                continue
            if staker.since is not None and time <= staker.until:
                if time >= staker.since + self._insurance.cooldown:
                    yield self.claim(staker)
            elif self._afraid(staker, state):
                yield self.ask(staker, time)

    def _afraid(self, staker: Staker, state: State) -> bool:
        if staker.temper is Temper.FIRST:
            return True
        if staker.temper is Temper.NERVOUS:
            return state.market.index * PPM < self._high * (PPM - FALL_PPM)
        below = (self.mirror.health(a).equity < 0 for a in self.mirror.positions)
        return staker.temper is Temper.LATE and any(below)

    def ask(self, staker: Staker, time: int) -> Transaction:
        staker.since = time
        staker.until = time + self._insurance.cooldown + self._insurance.window
        return self._send("stake request", staker.owner, "request", staker.shares)

    def claim(self, staker: Staker) -> Transaction:
        owner = staker.owner
        return self._send("unstake", owner, "redeem", staker.shares, owner, owner)

    def take(self, block: Block) -> int:
        """Books the claims of a block; token units paid."""
        paid = 0
        for done in block.done:
            if done.transaction.kind != "unstake" or not done.succeeded:
                continue
            (staker,) = (s for s in self.stakers if s.owner == done.transaction.sender)
            staker.shares, staker.since = 0, None
            staker.paid = self._assets(done.logs)
            paid += staker.paid
        self.paid += tokens_to_wad(paid, self.venue.decimals)
        return paid

    def ends(self) -> list[StakeEnd]:
        places = self.venue.decimals
        return [
            StakeEnd(s.temper.value, tokens_to_wad(s.staked, places), tokens_to_wad(s.paid, places))
            for s in self.stakers
        ]

    def _assets(self, logs: list[dict[str, Any]]) -> int:
        """Assets of the fund's event Withdraw(sender, receiver, owner, assets, shares)."""
        fund = self.venue.address("InsuranceFund").lower()
        found = [log for log in logs if log["address"].lower() == fund and len(log["topics"]) == 4]
        return int(found[-1]["data"][2:66], 16)

    def _send(self, kind: str, sender: str, function: str, *values: Any) -> Transaction:
        return self.venue.call(kind, sender, "InsuranceFund", "InsuranceFund", function, *values)
