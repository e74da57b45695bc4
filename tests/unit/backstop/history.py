"""A venue in the model alone, with everything that a loss passes, and random acts upon it."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from novation.model.backstop import Backstop, Taken, Takeover
from novation.model.clearing import ANY_MARKET, FUND
from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.insurance import InsuranceFund
from novation.model.legs import Leg
from novation.model.liquidation import LiquidationTerms
from novation.model.liquidator import Liquidator
from novation.model.market import PerpMarket
from novation.model.market_types import Listing, RiskParams
from novation.model.oracle import Price, PriceStatus
from novation.model.sides import Position, size_of
from novation.model.vamm import Vamm
from novation.model.vamm_types import VammParams
from novation.model.vault import MarginVault
from novation.units import FEE_UNIT, WAD
from tests.twin import snake
from tests.world import liquidation_terms, risk, vamm_params

HEARTBEAT = 3_660
DAY = 86_400
NO_LIMIT = 2**256 - 1
NOBODY = bytes(32)
PRICES = (2_000, 30_000)
CROSSER, LP, STAKER = b"\x71" * 20, b"\x72" * 20, b"\x73" * 20
FUND_AT, LIQUIDATOR_AT = b"\x74" * 20, b"\x75" * 20
TREASURY = b"\x76" * 20 + bytes(12)
OWNERS = [bytes([n]) * 20 for n in range(1, 9)]
LISTING = Listing(30 * 60, 3_600, 5 * 60, 60, 30 * WAD // 1_000, DAY)
UNIT = 10**6
"""Of the settlement token."""


def account_of(owner: bytes) -> bytes:
    return owner + bytes(12)


@dataclass
class Feed:
    clock: Clock
    price: int
    updated_at: int

    def read(self) -> Price:
        until = self.updated_at + HEARTBEAT
        if self.clock.now > until:
            return Price(0, self.updated_at, until, PriceStatus.STALE)
        return Price(self.price, self.updated_at, until, PriceStatus.OK)


class Venue:
    """Two markets with a pool each, a stake behind them, eight traders."""

    def __init__(self, stake: int = 5_000, **changes: Any) -> None:
        self.clock = Clock(1_800_000_000)
        self.vault = MarginVault("USD", 6, self.clock)
        self.house = self.vault.clearing = Backstop(
            self.vault,
            treasury=TREASURY,
            liquidator=LIQUIDATOR_AT,
            insurance=account_of(FUND_AT),
        )
        self.fund = InsuranceFund(self.clock, self.house, self.vault, FUND_AT)
        self.house.fund = self.fund
        self.liquidator = Liquidator(self.house, self.fund, LIQUIDATOR_AT)
        self.house.set_venue(CROSSER, ANY_MARKET, True)
        self.feeds: list[Feed] = []
        self.pools: list[Vamm] = []
        for number, price in enumerate(PRICES):
            self.list_market(number, price, **changes)
        # Surplus of 1e-6 quote: a wei of lots that a side has less than the other costs its move.
        self.vault.settlement_held += 1
        if stake:
            self.fund.deposit(stake * UNIT, STAKER)
        for market in range(len(PRICES)):
            self.fund.set_allotment(market, 400_000)

    def list_market(self, number: int, price: int, **changes: Any) -> None:
        feed = Feed(self.clock, price * WAD, self.clock.now)
        self.feeds.append(feed)
        params = RiskParams(**snake(risk(**changes)))
        self.house.list_market(PerpMarket(self.clock, feed.read, LISTING, params))
        address = bytes([0x90 + number]) * 20
        self.house.set_venue(address, number, True)
        pool = Vamm(self.clock, self.house, number, address, VammParams(**snake(vamm_params())))
        self.pools.append(pool)
        self.house.pools[number] = pool
        terms = LiquidationTerms(**snake(liquidation_terms()))
        self.liquidator.set_terms(number, terms)
        self.deposit(LP, 200_000)
        self.house.set_delegate(account_of(LP), address, FUND, sender=LP)
        pool.request_deposit(account_of(LP), 200_000 * WAD, sender=LP)
        self.push(number, price * WAD)
        pool.execute_deposit(account_of(LP))

    # Acts

    def deposit(self, owner: bytes, amount: int) -> None:
        self.vault.deposit(account_of(owner), "USD", amount * UNIT)

    def push(self, market: int, price: int, after: int = 1) -> None:
        """A round, WAD, so many seconds later; it is taken in at once."""
        self.clock.now += after
        self.feeds[market].price, self.feeds[market].updated_at = price, self.clock.now
        self.house.market(market).accrue()

    def refresh(self) -> None:
        """All feeds say again what they said."""
        for market, feed in enumerate(self.feeds):
            self.push(market, feed.price, after=0)

    def cross(self, market: int, buyer: bytes, seller: bytes, size: int, price: int) -> None:
        """At a price in WAD; owners."""
        cash = size * price // WAD
        legs = [
            Leg(account_of(buyer), size, -cash, 0),
            Leg(account_of(seller), -size, cash, 0),
        ]
        legs.sort(key=lambda leg: leg.account)
        self.house.clear(market, legs, 0, None, sender=CROSSER)

    def trade(self, market: int, owner: bytes, size: int) -> None:
        limit = NO_LIMIT if size > 0 else 0
        self.pools[market].trade(account_of(owner), size, limit, NO_LIMIT, sender=owner)

    def take(self, market: int, victim: bytes, owner: bytes, **changes: Any) -> Taken:
        ask = Takeover(
            market, victim, account_of(owner), changes.get("size", NO_LIMIT),
            changes.get("top_up", 0), changes.get("venue"), changes.get("expected"),
        )  # fmt: skip
        return self.liquidator.liquidate(ask, owner)

    def resolve(self, victim: bytes, owner: bytes | None, market: int) -> tuple[bool, int]:
        taker = account_of(owner) if owner else NOBODY
        return self.liquidator.resolve(victim, taker, market, owner or STAKER)

    # What there is

    def accounts(self) -> list[bytes]:
        return sorted(self.house.accounts)

    def worth(self, account: bytes) -> int:
        touched = self.house.health(account)[0]
        return touched.capital + touched.pnl

    def worths(self) -> dict[bytes, int]:
        return {a: self.worth(a) for a in self.accounts()}

    def price(self, market: int) -> int:
        return self.house.market(market).words.index

    def position(self, account: bytes, market: int) -> Position:
        return self.house.position(account, market)

    def holders(self, market: int) -> list[bytes]:
        return [a for a in self.accounts() if self.house.position(a, market).units]

    def unhealthy(self) -> list[bytes]:
        """Equity below maintenance, the worst first."""
        found = [(self.house.health(a)[1], a) for a in self.accounts()]
        low = [(h.equity, a) for h, a in found if h.equity < h.maintenance or h.equity < 0]
        return [a for _, a in sorted(low)]

    # What must hold

    def check(self) -> int:
        """INV-01, INV-02: V covers all capital, sums are sums, sides fit; the surplus."""
        house, ids = self.house, self.accounts()
        held = self.vault.settlement_wad()
        fees = house.house.fees_pending * FEE_UNIT
        stored = [house.stored(a) for a in ids]
        assert all(a.capital >= 0 and (a.pnl >= 0 or a.capital == 0) for a in stored)
        assert house.house.capital_total == sum(a.capital for a in stored)
        assert house.house.profit_total == sum(max(a.pnl, 0) for a in stored)
        assert held >= house.house.capital_total + fees
        surplus = held - fees - sum(self.worths().values()) + house.orphan_deficit
        assert surplus >= 0
        for market in range(len(house.markets)):
            self.check_sides(market, ids)
        return surplus

    def check_sides(self, market: int, ids: list[bytes]) -> None:
        """INV-01b: sizes of a side are at most O, and a few wei an account below it."""
        view = self.house.market(market).peek()
        for side in (1, -1):
            sizes = units = 0
            for account in ids:
                p = Position(**vars(self.house.position(account, market)))
                self.house.through_epochs(market, view, p)
                if p.units * side > 0:
                    sizes += abs(size_of(view, p.units))
                    units += abs(p.units)
            assert units <= view.units[0 if side > 0 else 1]
            assert sizes <= view.open_interest <= sizes + DUST_A_SIDE


DUST_A_SIDE = 10**4
"""Wei of lots: roundings of fills, of epochs and of what closes as dust, in some hundred steps."""


@dataclass
class Walk:
    """A random history of a venue; `random` decides everything."""

    venue: Venue
    random: Random
    parties: set[bytes] = field(default_factory=set)
    """Who acted in the last act, or was its other side."""

    def begin(self) -> None:
        """The first owner is rich, a taker of last resort."""
        for owner in OWNERS:
            self.venue.deposit(owner, self.random.randint(500, 20_000))
        self.venue.deposit(OWNERS[0], 500_000)

    def owner(self) -> bytes:
        owner = self.random.choice(OWNERS)
        self.parties.add(account_of(owner))
        return owner

    def market(self) -> int:
        return self.random.randrange(len(PRICES))

    def lots(self, market: int) -> int:
        """From 40 to 90,000 quote, either way."""
        value = 10 ** self.random.uniform(1.6, 4.95)
        size = int(value) * WAD * WAD // self.venue.price(market)
        return size * self.random.choice((1, -1))

    # Moves of time and price

    def move(self) -> None:
        """A round up to 4 % away, now and then up to 45 %."""
        r, market = self.random, self.market()
        far = r.random() < 0.15
        change = r.uniform(-0.45, 0.45) if far else r.uniform(-0.04, 0.04)
        price = int(self.venue.feeds[market].price * (1 + change)) // 10**10 * 10**10
        start = PRICES[market] * WAD
        self.venue.push(market, max(min(price, 5 * start), start // 8), r.choice((1, 5, 60)))

    def strike(self) -> None:
        """A round that brings somebody to a part of its maintenance, or below equity 0."""
        market, r = self.market(), self.random
        holders = [a for a in self.venue.holders(market) if a[:20] in OWNERS]
        if not holders:
            return
        victim = r.choice(holders)
        h, size = self.venue.house.health(victim)[1], self.venue.house.size_of(victim, market)
        if size == 0:
            return
        price = self.venue.price(market)
        wanted = h.maintenance * r.choice((95, 80, 40, 5, -20, -100)) // 100
        change = max(min((wanted - h.equity) * WAD // size, price * 45 // 100), -price * 45 // 100)
        start = PRICES[market] * WAD
        near = max(min(price + change, 5 * start), start // 8)
        self.venue.push(market, near // 10**10 * 10**10, r.choice((1, 5, 60)))

    def wait(self) -> None:
        """Up to two hours; usually the feeds live on."""
        r = self.random
        self.venue.clock.now += r.choice((1, 30, 400, 3_000, 7_000))
        if r.random() < 0.9:
            self.venue.refresh()

    # Acts at one price and time

    def cross(self) -> None:
        """Two owners meet within 3 % of the index."""
        market, size = self.market(), abs(self.lots(self.market()))
        buyer, seller = self.random.sample(OWNERS, 2)
        self.parties |= {account_of(buyer), account_of(seller)}
        price = int(self.venue.price(market) * self.random.uniform(0.97, 1.03))
        self.venue.cross(market, buyer, seller, size, price)

    def bet(self) -> None:
        """Two owners take nine times what the poorer can, against each other, at the index."""
        market, r = self.market(), self.random
        buyer, seller = r.sample(OWNERS[1:], 2)
        self.parties |= {account_of(buyer), account_of(seller)}
        free = min(self.venue.house.health(account_of(o))[1].free for o in (buyer, seller))
        price = self.venue.price(market)
        self.venue.cross(market, buyer, seller, free * r.randint(5, 9) * WAD // price, price)

    def trade(self) -> None:
        market = self.market()
        self.parties.add(self.venue.pools[market].account)
        self.venue.trade(market, self.owner(), self.lots(market))

    def close(self) -> None:
        market, owner = self.market(), self.owner()
        self.parties.add(self.venue.pools[market].account)
        size = self.venue.house.size_of(account_of(owner), market)
        self.venue.trade(market, owner, -size)

    def touch(self) -> None:
        self.venue.house.touch([self.random.choice(self.venue.accounts())])

    def deposit(self) -> None:
        self.venue.deposit(self.owner(), self.random.randint(1, 4_000))

    def withdraw(self) -> None:
        """A part of what there is, with and without losers touched first."""
        r, owner = self.random, self.owner()
        most = max(self.venue.worth(account_of(owner)), WAD) * UNIT // WAD
        touch = self.venue.accounts() if r.random() < 0.5 else []
        ratio = r.choice((0, WAD // 2, WAD))
        amount = r.randint(1, most)
        self.venue.vault.withdraw(account_of(owner), "USD", amount, owner, owner, touch, ratio)

    def stake(self) -> None:
        self.venue.fund.deposit(self.random.randint(1, 500) * UNIT, self.owner())

    def unstake(self) -> None:
        fund, owner = self.venue.fund, self.owner()
        if fund.request_of(owner).shares:
            fund.redeem(fund.request_of(owner).shares, owner, owner, sender=owner)
        else:
            fund.request(fund.balance_of(owner), sender=owner)

    def leave_pool(self) -> None:
        """An LP asks, or is paid when it is time."""
        pool, lp = self.venue.pools[self.market()], account_of(LP)
        self.parties |= {lp, pool.account}
        if lp in pool.withdrawals:
            pool.execute_withdrawal(lp)
        else:
            shares = pool.shares_of(lp) * self.random.randint(1, 30) // 100
            pool.request_withdrawal(lp, shares, 0, sender=LP)

    def act(self, kind: str) -> bool:
        """Whether it went through."""
        self.parties = set()
        try:
            getattr(self, kind)()
        except Refused:
            return False
        return True
