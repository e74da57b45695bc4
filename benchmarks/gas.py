"""Gas of whole transactions, by their receipts: `make gas` prints it and writes out/gas.json.

Two markets stand, settlement is a plain ERC-20 with 6 decimals, and prices come through Chainlink's
EACAggregatorProxy. Each operation is a transaction in a block of its own, so its state is cold, and
a new round came before it. `--profile` also writes where the gas of a trade goes, by contract.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import stress_gas
from benchmarks.traces import profile, table
from benchmarks.venue import Receipt, Venue
from novation.units import WAD
from tests.local_chain import LocalChain, local_chain
from tests.world import HOUR, Market, account_id

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "out" / "gas.json"
PROFILE = ROOT / "benchmarks" / "gas.md"
PROFILED = ("increase_warm", "open_first")


class Bench:
    """Measures operations of one trader in a market that others hold already."""

    def __init__(self, chain: LocalChain) -> None:
        world = Venue.deploy(chain)
        assert isinstance(world, Venue)
        self.world = world
        world.throttle()
        self.first = self.world.list_chainlink("2000")
        self.second = self.world.list_chainlink("2000")
        for market in (self.first, self.second):
            self.world.add_liquidity(market, 2_000_000, "2000")
            self.world.deposit(self.world.other, 100_000)
            self.trade(market, 5, self.world.other)
        self.rounds = 0
        self.receipts: dict[str, Receipt] = {}

    def trade(self, market: Market, lots: int, owner: str, sub: int = 0) -> Receipt:
        limit, deadline = (3_000 * WAD if lots > 0 else WAD), self.world.chain.now + HOUR
        return self.world.trade(market, owner, lots * WAD, sub, limit, deadline)

    def close(self) -> Receipt:
        world = self.world
        account, deadline = account_id(world.trader), world.chain.now + HOUR
        return world.chain.send(
            self.first.vamm, "close", account, 3_000 * WAD, deadline, sender=world.trader
        )

    def new_round(self) -> None:
        """Five minutes later, a little up or down; the next block is 24 seconds after it."""
        self.rounds += 1
        chain = self.world.chain
        price = f"{2000 + (self.rounds % 3)}.5"
        for market in (self.first, self.second):
            chain.next_at(chain.now + 300)
            self.world.push(market.feed, price)
        chain.next_at(chain.now + 24)

    def measure(self, name: str, act: Callable[[], Receipt]) -> None:
        self.new_round()
        self.receipts[name] = act()

    def deposit(self, lp: bool = False) -> Receipt:
        world = self.world
        owner = world.lp if lp else world.trader
        values: tuple[Any, ...] = (
            account_id(owner),
            world.token.address,
            10_000 * 10**world.decimals,
        )
        return dict(world.send("vault", "deposit", *values, sender=owner))

    def withdraw(self) -> Receipt:
        trader, token = self.world.trader, self.world.token.address
        amount = 1_000 * 10**self.world.decimals
        values: tuple[Any, ...] = (account_id(trader), token, amount, trader, [], WAD)
        return dict(self.world.send("vault", "withdraw", *values, sender=trader))

    def lp_deposit(self) -> Receipt:
        world, account = self.world, account_id(self.world.lp)
        world.deposit(world.lp, 10_000)
        world.chain.send(self.first.vamm, "requestDeposit", account, 10_000 * WAD, sender=world.lp)
        self.new_round()
        return world.chain.send(self.first.vamm, "executeDeposit", account)

    def accrue(self) -> Receipt:
        nobody = bytes(32)
        return dict(self.world.send("clearing", "accrueFor", self.first.number, nobody, nobody))

    def run(self) -> None:
        trader, first = self.world.trader, self.first
        self.measure("deposit_first", self.deposit)
        self.measure("deposit_warm", self.deposit)
        self.measure("withdraw_warm", self.withdraw)
        self.measure("open_first", lambda: self.trade(first, 4, trader))
        self.measure("increase_warm", lambda: self.trade(first, 2, trader))
        self.measure("reduce_warm", lambda: self.trade(first, -1, trader))
        self.measure("flip", lambda: self.trade(first, -8, trader))
        self.measure("close", self.close)
        self.trade(first, 1, trader)
        self.measure("withdraw_with_position", self.withdraw)
        self.measure("open_second_market", lambda: self.trade(self.second, 1, trader))
        self.measure("accrue_funding", self.accrue)
        self.measure("lp_deposit", self.lp_deposit)

    def gas(self) -> dict[str, int]:
        return {name: self.world.chain.gas(receipt) for name, receipt in self.receipts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help=f"also write {PROFILE.name}")
    options = parser.parse_args()
    with local_chain(*(["--steps-tracing"] if options.profile else [])) as chain:
        bench = Bench(chain)
        bench.run()
        gas = bench.gas()
        profiles = profiled(bench) if options.profile else []
    with local_chain() as chain:
        gas |= stress_gas.measure(chain)
    if options.profile:
        lines = ["# Gas", "", "Made by `scripts/env python -m benchmarks.gas --profile`.", ""]
        lines += ["| operation | gas |", "|---|---:|"]
        lines += [f"| {name} | {used:,} |" for name, used in gas.items()]
        PROFILE.write_text("\n".join([*lines, *profiles]) + "\n", encoding="utf-8")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(gas, indent=1) + "\n", encoding="utf-8")
    for name, used in gas.items():
        print(f"{name:24}{used:>10,}")


def profiled(bench: Bench) -> list[str]:
    """Where the gas of a trade goes, by contract."""
    world, market = bench.world, bench.first
    names: dict[str, str] = {
        market.vamm.address: "VAMM",
        world.clearing.address: "ClearingHouse",
        market.perp.address: "PerpMarket",
        market.oracle.address: "ChainlinkOracleAdapter",
    }
    lines = []
    for name in PROFILED:
        lines += ["", f"## {name}", "", *table(profile(world.chain, bench.receipts[name], names))]
    return lines


if __name__ == "__main__":
    main()
