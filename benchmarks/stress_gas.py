"""Gas of takeovers, collections and resolutions: whole transactions that bring a new round in."""

from typing import Any

from benchmarks.venue import Receipt, Venue
from novation.units import WAD
from tests.local_chain import LocalChain
from tests.world import (
    ANY_MARKET,
    DAY,
    KEEP_PREMIUM,
    NO_LIMIT,
    ZERO,
    account_id,
    liquidation_terms,
)

NOBODY = bytes(32)
LEVERAGED = 9 * WAD
"""Lots that 2,000 quote carry at a price of 2,000: equity 11 % of the position."""
BATCH = 100
"""Accounts a transaction of the set-up makes."""


class StressBench:
    """One market and a second one; a venue without a curve crosses victims with a large account."""

    def __init__(self, chain: LocalChain) -> None:
        world = Venue.deploy(chain)
        assert isinstance(world, Venue)
        self.world, self.chain = world, chain
        world.throttle()
        self.market, self.second = (world.list_chainlink("2000") for _ in range(2))
        world.add_liquidity(self.market, 2_000_000, "2000")
        world.send("liquidator", "setTerms", 0, liquidation_terms())
        world.send("insurance", "setAllotment", 0, 400_000)
        self.venue = chain.accounts[7]
        world.send("clearing", "setVenue", self.venue, ANY_MARKET, True)
        self.collector = chain.deploy("Collector", world.clearing.address)
        self.stake(1_000_000)
        self.maker = world.deposit(world.other, 5_000_000)
        self.keeper = world.deposit(world.stranger, 1_000_000)
        self.cross(self.keeper, self.maker, WAD)
        self.subs = 0

    def stake(self, tokens: int) -> Receipt:
        world, owner = self.world, self.world.lp
        values = (tokens * 10**world.decimals, owner)
        self.chain.send(world.token, "approve", world.insurance.address, NO_LIMIT, sender=owner)
        return dict(world.send("insurance", "deposit", *values, sender=owner))

    def cross(self, buyer: bytes, seller: bytes, size: int) -> None:
        cash = size * self.index // WAD
        legs = [(buyer, size, -cash, 0), (seller, -size, cash, 0)]
        self.clear(legs)

    def clear(self, legs: list[tuple[bytes, int, int, int]]) -> None:
        values = (0, sorted(legs), 0, KEEP_PREMIUM)
        self.world.send("clearing", "clear", *values, sender=self.venue)

    @property
    def index(self) -> int:
        return int(self.world.view(self.market).index)

    def victim(self, tokens: int = 2_000, size: int = LEVERAGED) -> bytes:
        """A new account of the trader, long."""
        self.subs += 1
        account = self.world.deposit(self.world.trader, tokens, self.subs)
        self.cross(account, self.maker, size)
        return account

    def fall(self, *prices: str, pause: int = 700) -> None:
        """Rounds some minutes apart, so that fills are not interrupted at the last one."""
        for i, price in enumerate(prices):
            if i:
                self.world.touch(self.maker)
            self.chain.next_at(self.chain.now + pause)
            self.world.push(self.market.feed, price)
        self.chain.next_at(self.chain.now + 24)

    def recover(self) -> None:
        """Back to 2,000, and quiet."""
        self.fall("2000")
        self.world.touch(self.maker)
        self.chain.advance(3_500)
        self.fall("2000")

    def ask(self, victim: bytes, venue: str = ZERO) -> dict[str, Any]:
        return {
            "market": 0,
            "victim": victim,
            "taker": self.keeper,
            "maxSize": NO_LIMIT >> 129,
            "topUp": 0,
            "venue": venue,
            "expected": 0,
            "minNet": 0,
        }

    def by_keeper(self, function: str, *values: Any) -> Receipt:
        return dict(self.world.send("liquidator", function, *values, sender=self.world.stranger))

    def run(self) -> dict[str, int]:
        gas = {}
        victim = self.victim()
        self.fall("1950", "1900", "1880")
        gas["liquidate_partial"] = self.by_keeper("liquidate", self.ask(victim))
        self.recover()
        victim = self.victim(111, WAD // 2)
        self.fall("1950", "1900", "1880")
        gas["liquidate_full"] = self.by_keeper("liquidate", self.ask(victim))
        self.recover()
        victim = self.victim()
        self.fall("1950", "1900", "1875")
        asked = self.ask(victim, self.market.vamm.address)
        gas["liquidate_to_venue"] = self.by_keeper("liquidateToVenue", asked)
        self.recover()
        victims = [self.victim() for _ in range(10)]
        self.fall("1950", "1900", "1880")
        many = self.by_keeper("tryLiquidateMany", [self.ask(v) for v in victims])
        self.recover()
        losers = [self.victim() for _ in range(10)]
        self.fall("1990")
        values = (losers, self.collector.read("MIN_GAS"))
        collected = self.chain.send(self.collector, "tryTouch", *values)
        self.recover()
        found = {name: self.chain.gas(receipt) for name, receipt in gas.items()}
        found["liquidate_many_10"] = self.chain.gas(many) // 10
        found["collect_10"] = self.chain.gas(collected) // 10
        found["convert_collateral"] = self.convert()
        found["insurance_stake"] = self.chain.gas(self.stake(1_000))
        found["insurance_unstake"] = self.unstake()
        return found

    def convert(self) -> int:
        """Collateral worth 500, of an account that has nothing else, to the keeper."""
        world, chain, owner = self.world, self.chain, self.world.trader
        token = chain.deploy("MockToken", "Ether", "ETH", 18)
        terms = (100_000, 10_000_000, 10**24)
        world.push(self.second.feed, "2000")
        world.send("vault", "listCollateral", token.address, self.second.oracle.address, *terms)
        chain.send(token, "mint", owner, 2 * WAD)
        chain.send(token, "approve", world.vault.address, NO_LIMIT, sender=owner)
        victim = account_id(owner, 2**32)
        world.send("vault", "deposit", victim, token.address, 2 * WAD, sender=owner)
        self.cross(victim, self.maker, 5 * WAD)
        self.fall("1950", "1900")
        world.push(self.second.feed, "2000")
        chain.next_at(chain.now + 24)
        values = (victim, self.keeper, token.address, NO_LIMIT, NO_LIMIT)
        return chain.gas(
            dict(chain.send(world.resolver, "convert", *values, sender=world.stranger))
        )

    def unstake(self) -> int:
        world, owner = self.world, self.world.lp
        shares = int(world.insurance.read("balanceOf", owner)) // 10
        world.send("insurance", "request", shares, sender=owner)
        self.chain.advance(7 * DAY + 60)
        self.fall("2000")
        return self.chain.gas(
            dict(world.send("insurance", "redeem", shares, owner, owner, sender=owner))
        )

    # Resolution

    def crowd(self, there: int, accounts: int) -> None:
        """From so many accounts that are short a little, against the maker, to so many."""
        world, owner = self.world, self.world.lp
        bank = world.deposit(owner, (accounts - there) * 60)
        for first in range(there, accounts, BATCH):
            ids = [account_id(owner, 1 + n) for n in range(first, min(first + BATCH, accounts))]
            calls = [world.clearing.encode("transfer", bank, i, 55 * WAD) for i in ids]
            world.send("clearing", "multicall", calls, sender=owner)
            size, cash = WAD // 20, self.index // 20
            legs = [(i, -size, cash, 0) for i in ids]
            self.clear([*legs, (self.maker, size * len(ids), -cash * len(ids), 0)])

    def resolve(self) -> int:
        """A long that lost more than it had, beyond what insurance covers; nobody takes it."""
        world = self.world
        world.send("insurance", "setAllotment", 0, 100)
        victim = self.victim()
        self.fall("1500")
        self.by_keeper("resolve", victim, NOBODY, 0)
        self.chain.advance(3_700)
        self.fall("1500")
        return self.chain.gas(self.by_keeper("resolve", victim, NOBODY, 0))


def measure(chain: LocalChain) -> dict[str, int]:
    """All of them; resolutions with 10, 1,000 and 10,000 accounts on the other side."""
    bench = StressBench(chain)
    with chain.isolated():
        found = bench.run()
    there = 0
    for accounts in (10, 1_000, 10_000):
        bench.crowd(there, accounts)
        there = accounts
        with chain.isolated():
            found[f"resolve_n{accounts}"] = bench.resolve()
    return found
