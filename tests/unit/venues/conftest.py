"""A pool in the model alone, quick enough for thousands of fills."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import pytest

from novation.chain.errors import ContractError
from novation.model.backstop import Backstop
from novation.model.clock import Clock
from novation.model.fixed import sqrt
from novation.model.market import Listing, PerpMarket, RiskParams
from novation.model.oracle import Price, PriceStatus
from novation.model.vamm import Fill, Vamm, VammParams
from novation.units import WAD

HOUR, DAY = 3_600, 86_400
HEARTBEAT = HOUR + 60
FUND = 4
NO_LIMIT = 2**256 - 1
LP, LP_2, TRADER, OTHER = (bytes([n]) * 20 for n in (1, 2, 3, 4))
VENUE = b"\x99" * 20
FREE = {"base_fee": 0, "distance_fee": 0, "age_fee": 0, "fee_cap": 0, "lp_fee": 0}
FIXED = {"follow": False, "return_speed": 0, "return_cap": 0}
"""The classic, price-discovering vAMM."""

PARAMS = VammParams(
    band=30_000,
    base_fee=500,
    distance_fee=50_000,
    age_fee=1_000_000,
    fee_cap=20_000,
    return_speed=100,
    return_cap=2_500,
    house_share=200_000,
    depth=5,
    follow=True,
    lp_fee=1_000,
    cooldown=DAY,
    window=6 * HOUR,
)
LISTING = Listing(30 * 60, HOUR, 5 * 60, 60, 3 * WAD // 100, DAY)
RISK = RiskParams(
    imr=100_000,
    mmr=60_000,
    ramp_seconds=DAY,
    profit_weight=0,
    funding_cap=0,
    velocity=0,
    interest_rate=0,
    size_scale=10**15,
    min_notional=1,
    account_cap=10**12,
    open_interest_cap=2**79,
    backing_multiple=20,
)


def account(owner: bytes) -> bytes:
    return owner + bytes(12)


@dataclass
class SettlementVault:
    held: int = 0

    def settlement_wad(self) -> int:
        return self.held

    def collateral_value(self, account: bytes) -> tuple[int, int]:
        raise AssertionError(f"{account!r} has no other collateral here")

    def snapshot(self) -> None:
        """No call of the clearing house moves other collateral: there is none."""

    def restore(self, kept: None) -> None:
        pass


class Pool:
    """One market at `price`, `liquidity` of LP's (WAD quote) in its pool, traders with plenty."""

    def __init__(self, liquidity: int = 10**6 * WAD, price: int = 2_000 * WAD, **params: Any):
        self.clock = Clock(1_800_000_000)
        self.price = price
        self.updated_at = self.clock.now
        self.vault = SettlementVault()
        self.house = Backstop(self.vault, treasury=account(b"\x77" * 20))
        self.market = PerpMarket(self.clock, self.read, LISTING, RISK)
        self.house.list_market(self.market)
        self.house.set_venue(VENUE, 0, True)
        made = VammParams(**(vars(PARAMS) | params))
        self.vamm = Vamm(self.clock, self.house, 0, VENUE, made)
        self.house.pools[0] = self.vamm
        for owner in (TRADER, OTHER):
            self.fund(owner, 10**7 * WAD)
        if liquidity:
            self.add(LP, liquidity)

    def read(self) -> Price:
        until = self.updated_at + HEARTBEAT
        if self.clock.now > until:
            return Price(0, self.updated_at, until, PriceStatus.STALE)
        return Price(self.price, self.updated_at, until, PriceStatus.OK)

    # Steps

    def push(self, price: int | None = None, after: int = 1) -> None:
        self.clock.now += after
        self.price, self.updated_at = price or self.price, self.clock.now

    def calm(self) -> None:
        """Takes the price in and waits until an interruption is over; a round says the same."""
        until = self.market.accrue().interrupted_until
        self.push(after=max(until - self.clock.now, 1))

    def fund(self, owner: bytes, amount: int) -> None:
        self.house.credit(account(owner), amount)
        self.vault.held += amount

    def request(self, owner: bytes, amount: int) -> None:
        self.fund(owner, amount)
        self.house.set_delegate(account(owner), VENUE, FUND, sender=owner)
        self.vamm.request_deposit(account(owner), amount, sender=owner)

    def add(self, owner: bytes, amount: int) -> int:
        self.request(owner, amount)
        self.push()
        return self.vamm.execute_deposit(account(owner))

    def leave(self, owner: bytes, shares: int, min_ratio: int = 0) -> None:
        """Asks for the value of shares and waits until a round may pay it."""
        self.vamm.request_withdrawal(account(owner), shares, min_ratio, sender=owner)
        self.push(after=self.vamm.params.cooldown + 1)

    def trade(self, size: int, owner: bytes = TRADER) -> Fill:
        limit = NO_LIMIT if size > 0 else 0
        return self.vamm.trade(account(owner), size, limit, NO_LIMIT, sender=owner)

    def to_mid(self, mid: int) -> int:
        """Lots that bring the mid there, to a few wei."""
        _, peg, x, root = self.vamm.curve()
        return x - root * sqrt(peg * WAD * WAD // mid) // WAD

    # What there is

    @property
    def held(self) -> int:
        return self.house.size_of(self.vamm.account, 0)

    def worth(self, owner: bytes) -> int:
        """capital + pnl, WAD quote, with everything that prices did until now."""
        touched, _ = self.house.health(account(owner))
        return touched.capital + touched.pnl

    def equity(self) -> int:
        return self.worth(VENUE)

    def owed(self) -> Decimal:
        """G: what anybody can take from the curve at the index, fees apart, WAD quote."""
        mid, _, x, _ = self.vamm.curve()
        with localcontext() as c:
            c.prec = 80
            index = Decimal(self.price)
            return Decimal(x) * ((Decimal(mid)).sqrt() - index.sqrt()) ** 2 / WAD


def refusal(call: Callable[..., Any], *values: Any, **options: Any) -> tuple[str, list[Any]]:
    """The contract's error and its numbers; names of fields as text."""
    with pytest.raises(ContractError) as caught:
        call(*values, **options)
    return caught.value.name, [plain(v) for v in caught.value.arguments.values()]


def plain(value: Any) -> Any:
    word = value.rstrip(b"\0") if isinstance(value, bytes) else b""
    return word.decode() if word.isalpha() else value
