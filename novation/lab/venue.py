"""The deployed venue as the lab uses it: calldata in, one batch of reads out per block."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from novation import artifacts
from novation.chain import Call, Chain, UnlockedAccount
from novation.chain.client import to_bytes
from novation.chain.contract import call_to, encode_call
from novation.chain.words import HouseWord
from novation.deploy import spec as specs
from novation.deploy.manifest import Manifest
from novation.deploy.run import DEPLOYMENTS, deploy, prepare
from novation.deploy.spec import Spec
from novation.lab.blocks import Transaction
from novation.lab.errors import SettingsError
from novation.lab.feed import DECIMALS, Feed, to_answer
from novation.lab.prices import PricePath
from novation.lab.rpc import Rpc
from novation.model.market_types import MarketState, MarketView
from novation.units import WAD, show_tokens, show_wad

SPEC = DEPLOYMENTS / "specs" / "local.yaml"
NEVER = 2**256 - 1
FUND = 4


@dataclass(frozen=True)
class State:
    """The venue at the end of a block. `funding` is WAD a day, `reserve` WAD lots, money WAD."""

    market: MarketView
    funding: int
    mid: int
    reserve: int
    vault: int
    house: HouseWord
    shares: int


@dataclass(frozen=True)
class Venue:
    """Addresses of a deployment, and the market that is traded."""

    manifest: Manifest
    spec: Spec
    market: int

    @property
    def name(self) -> str:
        return self.spec.markets[self.market].name

    def address(self, name: str) -> str:
        return self.manifest.address(name)

    @property
    def clearing(self) -> str:
        return self.address("ClearingHouse")

    @property
    def vamm(self) -> str:
        return self.address(f"VAMM {self.name}")

    @property
    def perp(self) -> str:
        return self.address(f"PerpMarket {self.name}")

    @property
    def pool(self) -> bytes:
        """The vAMM's account in the ledger."""
        return account_id(self.vamm)

    @property
    def token(self) -> str:
        return self.address(f"Token {self.spec.settlement}")

    @property
    def decimals(self) -> int:
        return self.spec.tokens[self.spec.settlement].decimals

    def feed(self) -> Feed:
        """The traded market's feed; the deployment has submitted its first round."""
        feed = self.spec.oracles[self.spec.markets[self.market].oracle].feed
        return Feed(self.manifest.deployer, self.address(f"Flux {feed}"), 2)

    # Transactions

    def call(
        self, kind: str, sender: str, name: str, contract: str, function: str, *values: Any
    ) -> Transaction:
        data = encode_call(artifacts.load(contract), function, *values)
        return Transaction(kind, sender, self.address(name), data)

    def on_vamm(self, kind: str, sender: str, function: str, *values: Any) -> Transaction:
        return self.call(kind, sender, f"VAMM {self.name}", "VAMM", function, *values)

    def on_clearing(self, kind: str, sender: str, function: str, *values: Any) -> Transaction:
        return self.call(kind, sender, "ClearingHouse", "ClearingHouse", function, *values)

    def on_token(self, kind: str, sender: str, function: str, *values: Any) -> Transaction:
        name = f"Token {self.spec.settlement}"
        return self.call(kind, sender, name, "MockToken", function, *values)

    def on_vault(self, kind: str, sender: str, function: str, *values: Any) -> Transaction:
        return self.call(kind, sender, "MarginVault", "MarginVault", function, *values)

    def trade(self, kind: str, sender: str, account: bytes, size: int, limit: int) -> Transaction:
        return self.on_vamm(kind, sender, "trade", account, size, limit, NEVER)

    def close(self, sender: str, account: bytes, limit: int) -> Transaction:
        return self.on_vamm("close", sender, "close", account, limit, NEVER)

    def deposit(self, sender: str, account: bytes, amount: int) -> Transaction:
        """`amount` in token units."""
        return self.on_vault("deposit", sender, "deposit", account, self.token, amount)

    def withdraw(self, sender: str, account: bytes, amount: int, ratio: int = WAD) -> Transaction:
        """`amount` in token units; nothing is released at less than `ratio` for one."""
        touched: list[bytes] = []
        values = (account, self.token, amount, sender, touched, ratio)
        return self.on_vault("withdraw", sender, "withdraw", *values)

    def release(self, sender: str, account: bytes, pnl: int, touched: list[bytes]) -> Transaction:
        """At whatever ratio there is."""
        return self.on_clearing("release", sender, "release", account, pnl, touched, 0)

    # Reads

    @cached_property
    def _reads(self) -> list[Call[Any]]:
        lens, vamm = artifacts.load("Lens"), artifacts.load("VAMM")
        vault, clearing = artifacts.load("MarginVault"), artifacts.load("ClearingHouse")
        return [
            call_to(self.address("Lens"), lens, "marketNow", self.market),
            call_to(self.vamm, vamm, "curve"),
            call_to(self.vamm, vamm, "totalShares"),
            call_to(self.address("MarginVault"), vault, "settlementWad"),
            call_to(self.address("ClearingHouse"), clearing, "house"),
        ]

    def read(self, rpc: Rpc) -> State:
        """All of a block's reads in one message."""
        summary, curve, shares, vault, house = read_all(rpc, self._reads)
        market = to_view(summary.m)
        books = (vault, HouseWord(*house))
        return State(market, summary.fundingRate, curve.mid, curve.reserve, *books, shares)


def read_all(rpc: Rpc, calls: Sequence[Call[Any]]) -> list[Any]:
    answers = rpc.batch(
        [("eth_call", [{"to": c.to, "data": "0x" + c.data.hex()}, "latest"]) for c in calls]
    )
    return [call.decode(to_bytes(answer)) for call, answer in zip(calls, answers, strict=True)]


def to_view(m: Any) -> MarketView:
    return MarketView(
        index=m.index,
        strict=m.strict,
        open_interest=m.openInterest,
        units=list(m.units),
        k=list(m.k),
        epoch=list(m.epoch),
        imr=m.imr,
        mmr=m.mmr,
        size_scale=m.sizeScale,
        interest_rate=m.interestRate,
        depth=m.depth,
        profit_weight=m.profitWeight,
        min_notional=m.minNotional,
        open_interest_cap=m.openInterestCap,
        account_cap=m.accountCap,
        updated_at=m.updatedAt,
        variance=m.variance,
        premium=m.premium,
        interrupted_until=m.interruptedUntil,
        live=m.live,
        state=MarketState(m.state),
        isolated=m.isolated,
    )


def account_id(owner: str, sub: int = 0) -> bytes:
    return bytes.fromhex(owner[2:]) + sub.to_bytes(12, "big")


def local_spec(path: PricePath, file: Path) -> tuple[Spec, int]:
    """A spec of a local network, its feed beginning at the path's first price; the market."""
    spec = specs.read(file)
    market = find_market(path.label, spec)
    oracle = spec.oracles[spec.markets[market].oracle]
    low, high = (int(end(path.prices).scaleb(18)) for end in (min, max))
    if low <= oracle.minimum or high >= oracle.maximum:
        bounds = f"{show_wad(oracle.minimum)} and {show_wad(oracle.maximum)}"
        name = spec.markets[market].name
        reason = (
            f"its prices are not all between {bounds}, the bounds of the {name} market's oracle"
        )
        raise SettingsError(f"{path.label}: {reason}")
    name = oracle.feed
    answer = show_tokens(to_answer(path.prices[0]), DECIMALS)
    feed = spec.feeds[name].model_copy(update={"answer": answer})
    return spec.model_copy(update={"feeds": {**spec.feeds, name: feed}}), market


def find_market(label: str, spec: Spec) -> int:
    """The market that a path's label names; else the first."""
    named = [i for i, m in enumerate(spec.markets) if m.name.upper() in label.upper()]
    return named[0] if named else 0


def put_up(url: str, spec: Spec, market: int) -> Venue:
    """Deploys and verifies as `novation deploy` does; the manifest goes with the chain."""
    chain = Chain.connect(url, spec.chain_id)
    account = UnlockedAccount(chain)
    with tempfile.TemporaryDirectory(prefix="novation-") as folder:
        manifest, _ = deploy(prepare(spec, chain, account.address, Path(folder)), account)
    return Venue(manifest, spec, market)
