"""The whole protocol on a private Anvil: what every test of more than one contract starts from."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from novation.chain.contract import Contract
from novation.units import WAD
from tests.local_chain import LocalChain

NO_LIMIT = 2**256 - 1
ZERO = "0x" + "00" * 20
TRADE, WITHDRAW, FUND = 1, 2, 4
ANY_MARKET = 255
KEEP_PREMIUM = 2**255 - 1
HOUR, DAY = 3_600, 86_400


def account_id(owner: str, sub: int = 0) -> bytes:
    """Owner, then sub-account, as the contracts name accounts."""
    return bytes.fromhex(owner[2:]) + sub.to_bytes(12, "big")


def listing(oracle: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "oracle": oracle,
        "strictWindow": 30 * 60,
        "premiumWindow": 60 * 60,
        "shortWindow": 5 * 60,
        "interruption": 60,
        "fullPremium": 30 * WAD // 1_000,
        "settlementWindow": DAY,
        "isolated": False,
    }
    return made | changes


def risk(**changes: Any) -> dict[str, Any]:
    """The ETH column of the first parameters, with the widest backed cap."""
    made: dict[str, Any] = {
        "imr": 100_000,
        "mmr": 60_000,
        "rampSeconds": DAY,
        "profitWeight": 0,
        "fundingCap": 12_000,
        "velocity": 3_000,
        "interestRate": 10_000,
        "sizeScale": 10_000_000,
        "minNotional": 50,
        "accountCap": 5_000_000,
        "openInterestCap": 20_000 * WAD,
        "backingMultiple": 20,
    }
    return made | changes


def vamm_params(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "band": 30_000,
        "baseFee": 500,
        "distanceFee": 50_000,
        "ageFee": 1_000_000,
        "feeCap": 20_000,
        "returnSpeed": 100,
        "returnCap": 2_500,
        "houseShare": 200_000,
        "depth": 5,
        "follow": True,
        "lpFee": 1_000,
        "cooldown": DAY,
        "window": 6 * HOUR,
    }
    return made | changes


def liquidation_terms(**changes: int) -> dict[str, int]:
    """The ETH column of the first parameters; a takeover restores 1.2 times maintenance."""
    made = {
        "rewardMin": 5_000,
        "rewardMax": 30_000,
        "penalty": 10_000,
        "target": 1_200_000,
        "minLot": 500,
        "wholeBelow": 1_000,
        "minReward": 5_000,
        "budget": 10_000,
    }
    return made | changes


@dataclass
class Market:
    number: int
    feed: Contract
    oracle: Contract
    perp: Contract
    vamm: Contract

    @property
    def pool(self) -> bytes:
        """The vAMM's ledger account."""
        return account_id(self.vamm.address)


@dataclass
class World:
    """`admin` holds every role without delay; `lp`, `trader`, `other`, `stranger` have tokens."""

    chain: LocalChain
    decimals: int
    admin: str
    lp: str
    trader: str
    other: str
    stranger: str
    manager: Contract
    token: Contract
    vault: Contract = field(init=False)
    clearing: Contract = field(init=False)
    insurance: Contract = field(init=False)
    liquidator: Contract = field(init=False)
    markets: list[Market] = field(default_factory=list)
    known: dict[bytes, None] = field(default_factory=dict)

    @classmethod
    def deploy(cls, chain: LocalChain, decimals: int = 6) -> "World":
        admin, lp, trader, other, stranger = chain.accounts[:5]
        manager = chain.deploy("AccessManager", admin)
        token = chain.deploy("MockToken", "Settlement", "USD", decimals)
        world = cls(chain, decimals, admin, lp, trader, other, stranger, manager, token)
        world.deploy_core()
        for owner in (lp, trader, other, stranger):
            world.fund(owner, 10_000_000)
        return world

    # Set-up

    def deploy_core(self) -> None:
        """Clearing house, vault and backstop around `token`: each names others when it is made."""
        chain, admin, manager = self.chain, self.admin, self.manager.address
        treasury = account_id(admin, 2**96 - 1)
        resolver_at, backstop_at, clearing_at, vault_at, insurance_at, liquidator_at = (
            chain.next_address(admin, n) for n in range(6)
        )
        fund = account_id(insurance_at)
        behind = (vault_at, liquidator_at, fund)
        chain.deploy("Resolver", *behind)
        backstop = chain.deploy("Backstop", *behind, resolver_at)
        self.clearing = chain.deploy("ClearingHouse", manager, vault_at, treasury, backstop_at)
        self.vault = chain.deploy("MarginVault", manager, clearing_at, self.token.address)
        times = (7 * DAY, DAY)
        self.insurance = chain.deploy("InsuranceFund", manager, clearing_at, vault_at, *times)
        self.liquidator = chain.deploy("Liquidator", manager, clearing_at, insurance_at)
        assert (backstop.address, self.liquidator.address) == (backstop_at, liquidator_at)
        self.known |= {treasury: None, fund: None}

    def list_market(
        self,
        price: str = "2000",
        oracle: Contract | None = None,
        feed: Contract | None = None,
        listed: dict[str, Any] | None = None,
        risks: dict[str, Any] | None = None,
        pool: dict[str, Any] | None = None,
    ) -> Market:
        chain = self.chain
        number = len(self.markets)
        feed = feed or chain.deploy("MockFeed", 8)
        if oracle is None:
            self.push(feed, price)
            config = {
                "feed": feed.address,
                "second": ZERO,
                "sequencer": ZERO,
                "heartbeat": HOUR + 60,
                "secondHeartbeat": 0,
                "sequencerGrace": 0,
                "maxDivergence": 0,
                "minimum": WAD // 100,
                "maximum": 1_000_000 * WAD,
                "lotExponent": 0,
            }
            oracle = chain.deploy("ChainlinkOracleAdapter", config)
        terms = listing(oracle.address, **(listed or {}))
        perp = chain.deploy(
            "PerpMarket",
            self.manager.address,
            self.clearing.address,
            terms,
            risk(**(risks or {})),
        )
        self.send("clearing", "listMarket", perp.address, terms["isolated"])
        vamm = chain.deploy(
            "VAMM",
            self.manager.address,
            self.clearing.address,
            number,
            vamm_params(**(pool or {})),
        )
        self.send("clearing", "setVenue", vamm.address, number, True)
        market = Market(number, feed, oracle, perp, vamm)
        self.markets.append(market)
        self.known[market.pool] = None
        self.known[account_id(vamm.address, 1)] = None
        return market

    def fund(self, owner: str, amount: int) -> None:
        """Gives tokens (whole) and lets the vault take them."""
        self.chain.send(self.token, "mint", owner, amount * 10**self.decimals)
        self.chain.send(self.token, "approve", self.vault.address, NO_LIMIT, sender=owner)

    def push(self, feed: Contract, price: str) -> None:
        """A new round at `price`, dated in the block that carries it."""
        whole, _, part = price.partition(".")
        self.chain.send(feed, "push", int(whole + part.ljust(8, "0")[:8]))

    def add_liquidity(self, market: Market, amount: int, price: str, lp: str | None = None) -> None:
        """`amount` whole quote becomes LP shares at the next round, at `price`."""
        owner = lp or self.lp
        account = account_id(owner)
        self.deposit(owner, amount)
        self.send("clearing", "setDelegate", account, market.vamm.address, FUND, sender=owner)
        self.chain.send(market.vamm, "requestDeposit", account, amount * WAD, sender=owner)
        self.push(market.feed, price)
        self.chain.send(market.vamm, "executeDeposit", account)

    @property
    def backing(self) -> Contract:
        """The clearing house's door for what backs a market."""
        return Contract(self.chain, self.clearing.address, "IBacking")

    # Actions

    def send(self, contract: str, function: str, *values: Any, sender: str | None = None) -> Any:
        target: Contract = getattr(self, contract)
        return self.chain.send(target, function, *values, sender=sender)

    def deposit(self, owner: str, amount: int, sub: int = 0) -> bytes:
        """Whole tokens of the owner into his account; its id."""
        account = account_id(owner, sub)
        self.known[account] = None
        units = amount * 10**self.decimals
        self.send("vault", "deposit", account, self.token.address, units, sender=owner)
        return account

    def trade(
        self,
        market: Market,
        owner: str,
        size: int,
        sub: int = 0,
        limit: int | None = None,
        deadline: int = NO_LIMIT,
    ) -> dict[str, Any]:
        account = account_id(owner, sub)
        worst = (NO_LIMIT if size > 0 else 0) if limit is None else limit
        return self.chain.send(market.vamm, "trade", account, size, worst, deadline, sender=owner)

    def close(self, market: Market, owner: str, sub: int = 0) -> dict[str, Any]:
        account = account_id(owner, sub)
        worst = 0 if self.size(account, market) > 0 else NO_LIMIT
        return self.chain.send(market.vamm, "close", account, worst, NO_LIMIT, sender=owner)

    def withdraw(
        self,
        owner: str,
        amount: int,
        sub: int = 0,
        touch: list[bytes] | None = None,
        min_release: int = WAD,
    ) -> dict[str, Any]:
        """Token units of the settlement token, to the owner."""
        values = (account_id(owner, sub), self.token.address, amount, owner)
        return dict(self.send("vault", "withdraw", *values, touch or [], min_release, sender=owner))

    def touch(self, *accounts: bytes) -> None:
        self.send("clearing", "touch", list(accounts))

    # Reads

    def account(self, account: bytes) -> Any:
        return self.clearing.read("account", account)

    @property
    def resolver(self) -> Contract:
        """The clearing house's doors for accounts that owe."""
        return Contract(self.chain, self.clearing.address, "Resolver")

    def health(self, account: bytes) -> Any:
        return self.clearing.read("health", account).h

    def size(self, account: bytes, market: Market) -> int:
        return int(self.clearing.read("sizeOf", account, market.number))

    def view(self, market: Market) -> Any:
        return market.perp.read("peek")

    @contextmanager
    def isolated(self) -> Iterator["World"]:
        """A copy whose chain is put back at the end."""
        with self.chain.isolated():
            made = copy.copy(self)
            made.markets, made.known = list(self.markets), dict(self.known)
            yield made

    # What must hold

    def check_identity(self) -> int:
        """V = sum(capital) + sum(pnl) + sum(untouched pnl) + fees + surplus, and V >= capitalTotal.

        Orphan deficits are what is missing from V for good.

        Returns the surplus, WAD, which is never negative.
        """
        ids = list(self.known)
        health = self.chain.batch([self.clearing.at("health", i) for i in ids])
        stored = self.chain.batch([self.clearing.at("account", i) for i in ids])
        house = self.clearing.read("house")
        held = self.vault.read("settlementWad")
        assert house.capitalTotal == sum(a.capital for a in stored)
        assert house.profitTotal == sum(max(a.pnl, 0) for a in stored)
        fees = house.feesPending * 10**12
        assert held >= house.capitalTotal + fees
        touched = sum(h.touched.capital + h.touched.pnl for h in health)
        losses = self.resolver.read("losses")
        pledged = sum(-a.pnl for a in stored if a.pnl < 0 and a.bitmap >> 62 & 1)
        assert losses.covered <= pledged  # who is marked counts as bare
        assert losses.covered + losses.bare == sum(-a.pnl for a in stored if a.pnl < 0)
        surplus = int(held - fees - touched) + self.clearing.read("orphanDeficit")
        surplus -= losses.interest
        assert surplus >= 0, f"surplus {surplus}"
        return surplus
