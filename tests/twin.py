"""Contracts and model side by side: the same calls at the same times, every stored value equal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from novation.chain.contract import Contract
from novation.chain.reverts import decode_revert
from novation.chain.words import unpack_account, unpack_position
from novation.model.backstop import Backstop, Taken, Takeover
from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.insurance import InsuranceFund
from novation.model.ledger import Account
from novation.model.legs import Leg
from novation.model.liquidation import LiquidationTerms
from novation.model.liquidator import Liquidator
from novation.model.market import PerpMarket
from novation.model.market_types import Listing, RiskParams
from novation.model.oracle import Price, PriceStatus
from novation.model.vamm import Vamm
from novation.model.vamm_types import Request, VammParams
from novation.model.vault import Collateral, MarginVault
from tests.world import ANY_MARKET, KEEP_PREMIUM, ZERO, Market, World, account_id

HEARTBEAT = 3_660
GAS = hex(20_000_000)


@dataclass
class Feed:
    """What the oracle says of the last round pushed."""

    clock: Clock
    answer: int
    updated_at: int

    def read(self) -> Price:
        until = self.updated_at + HEARTBEAT
        if self.clock.now > until:
            return Price(0, self.updated_at, until, PriceStatus.STALE)
        return Price(self.answer * 10**10, self.updated_at, until, PriceStatus.OK)


@dataclass
class Twin:
    world: World
    venue: str
    clock: Clock = field(default_factory=Clock)
    feeds: list[Feed] = field(default_factory=list)
    vamms: list[Vamm] = field(default_factory=list)
    collateral: str = ""
    outcomes: dict[tuple[str, str | None], int] = field(default_factory=dict)
    """How often each call ended how."""

    def __post_init__(self) -> None:
        self.clock.now = self.world.chain.now
        treasury = self.world.clearing.read("treasury")
        self.vault = MarginVault(self.world.token.address, self.world.decimals, self.clock)
        self.model = self.vault.clearing = Backstop(
            self.vault,
            treasury=bytes(treasury),
            liquidator=address(self.world.liquidator.address),
            insurance=account_id(self.world.insurance.address),
        )
        at = address(self.world.insurance.address)
        self.fund = InsuranceFund(self.clock, self.model, self.vault, at)
        self.model.fund = self.fund
        self.liquidator = Liquidator(self.model, self.fund, self.model.liquidator)
        self.both(
            lambda: self.model.set_venue(address(self.venue), ANY_MARKET, True),
            "clearing",
            "setVenue",
            self.venue,
            ANY_MARKET,
            True,
        )

    def adopt(
        self,
        market: Market,
        listing: dict[str, Any],
        risk: dict[str, Any],
        pool: dict[str, Any],
    ) -> None:
        """A model of a market that was just listed; it must not have accrued since."""
        words = market.perp.read("words")
        self.feeds.append(Feed(self.clock, words.index // 10**10, words.validUntil - HEARTBEAT))
        now, self.clock.now = self.clock.now, words.accruedAt
        terms = Listing(*(listing[k] for k in LISTING), oracle_maximum=1)
        perp = PerpMarket(self.clock, self.feeds[-1].read, terms, RiskParams(**snake(risk)))
        self.clock.now = max(now, words.accruedAt)
        self.model.list_market(perp)
        venue = address(market.vamm.address)
        self.model.set_venue(venue, market.number, True)
        terms_ = VammParams(**snake(pool))
        self.vamms.append(Vamm(self.clock, self.model, market.number, venue, terms_))
        self.model.pools[market.number] = self.vamms[-1]

    # Calls

    def both(self, on_model: Callable[[], Any], contract: str, function: str, *values: Any) -> None:
        self.both_from(None, on_model, contract, function, *values)

    def both_from(
        self,
        sender: str | None,
        on_model: Callable[[], Any],
        contract: str,
        function: str,
        *values: Any,
    ) -> None:
        """The call on both sides; they refuse with the same error, or both do it."""
        target = getattr(self.world, contract)
        self.at_next_block()
        self._agree(self.attempt(target, function, values, sender), on_model, function)

    def _agree(self, error: str | None, on_model: Callable[[], Any], function: str) -> None:
        mine: str | None = None
        try:
            on_model()
        except Refused as refused:
            mine = refused.name
        assert error == mine, f"{function}: the contract says {error}, the model {mine}"
        self.outcomes[function, error] = self.outcomes.get((function, error), 0) + 1

    def at_next_block(self) -> None:
        self.clock.now += 1
        self.world.chain.next_at(self.clock.now)

    def attempt(
        self, target: Any, function: str, values: tuple[Any, ...], sender: str | None
    ) -> str | None:
        """Sends whatever comes of it; the name of the error, if it was refused."""
        chain = self.world.chain
        data = "0x" + target.encode(function, *values).hex()
        tx = {"from": sender or chain.accounts[0], "to": target.address, "data": data, "gas": GAS}
        digest = chain.request("eth_sendTransaction", tx)
        receipt = chain.receipt_of(digest)
        if int(receipt["status"], 16) == 1:
            return None
        trace = chain.request("debug_traceTransaction", digest, {"tracer": "callTracer"})
        return decode_revert(bytes.fromhex(trace.get("output", "0x")[2:])).name

    def warp(self, seconds: int) -> None:
        self.clock.now += seconds

    def push(self, market: int, answer: int) -> None:
        """A round of 8 decimals."""
        self.at_next_block()
        self.attempt(self.world.markets[market].feed, "push", (answer,), None)
        self.feeds[market].answer, self.feeds[market].updated_at = answer, self.clock.now

    def list_collateral(self, token: Contract, market: int) -> None:
        """A token of 18 decimals that is worth the index of `market`."""
        terms = (100_000, 1_000_000, 10**24)
        slot = Collateral(token.address, 18, *terms, self.feeds[market].read)
        oracle = self.world.markets[market].oracle.address
        on_model = lambda: self.vault.list_collateral(slot)  # noqa: E731
        self.both(on_model, "vault", "listCollateral", token.address, oracle, *terms)
        self.collateral = token.address

    def set_throttle(self, token: str, share: int, exempt: int) -> None:
        on_model = lambda: self.vault.set_throttle(token, share, exempt)  # noqa: E731
        self.both(on_model, "vault", "setThrottle", token, share, exempt)

    def tighten_throttle(self, token: str, share: int, exempt: int) -> None:
        on_model = lambda: self.vault.tighten_throttle(token, share, exempt)  # noqa: E731
        self.both(on_model, "vault", "tightenThrottle", token, share, exempt)

    def deposit(self, owner: str, sub: int, amount: int, token: str | None = None) -> None:
        """Token units; of the settlement token, if no other is named."""
        account, token = account_id(owner, sub), token or self.world.token.address
        on_model = lambda: self.vault.deposit(account, token, amount)  # noqa: E731
        self.both_from(owner, on_model, "vault", "deposit", account, token, amount)

    def withdraw(
        self,
        owner: str,
        sub: int,
        amount: int,
        touch: list[bytes],
        min_release: int,
        token: str | None = None,
    ) -> None:
        account, token = account_id(owner, sub), token or self.world.token.address
        sender = address(owner)
        on_model = lambda: self.vault.withdraw(  # noqa: E731
            account, token, amount, sender, sender, touch, min_release
        )
        values = (account, token, amount, owner, touch, min_release)
        self.both_from(owner, on_model, "vault", "withdraw", *values)

    def insure(self, owner: str, amount: int, parts: list[int]) -> None:
        """Stakes token units, and gives each market its part (ppm) of the stake as cover."""
        world, sender = self.world, address(owner)
        world.chain.send(world.token, "approve", world.insurance.address, 2**256 - 1, sender=owner)
        self.clock.now = world.chain.now
        on_model = lambda: self.fund.deposit(amount, sender)  # noqa: E731
        self.both_from(owner, on_model, "insurance", "deposit", amount, owner)
        for market, ppm in enumerate(parts):
            allot = lambda m=market, p=ppm: self.fund.set_allotment(m, p)  # noqa: E731
            self.both(allot, "insurance", "setAllotment", market, ppm)

    def set_terms(self, market: int, terms: dict[str, int]) -> None:
        mine = LiquidationTerms(**snake(terms))
        on_model = lambda: self.liquidator.set_terms(market, mine)  # noqa: E731
        self.both(on_model, "liquidator", "setTerms", market, terms)

    def liquidate(self, owner: str, ask: Takeover) -> None:
        """As the contracts do, or refuse, and tell."""
        said = self.struct_of(ask)
        took = []
        function = "liquidate" if ask.venue is None else "liquidateToVenue"
        on_model = lambda: took.append(  # noqa: E731
            self.liquidator.liquidate(ask, address(owner))
        )
        self.both_from(owner, on_model, "liquidator", function, said)
        if took:
            block = self.world.chain.block_number()
            (told,) = self.world.liquidator.events(["Liquidated"], block, block)
            mine = took[0]
            assert tuple(told.values["taken"]) == (
                mine.size,
                mine.reward,
                mine.penalty,
                mine.top_up,
                mine.net,
            )

    def liquidate_many(self, owner: str, asks: list[Takeover]) -> None:
        """What the contract tells of each that went through is what the model took."""
        found: list[Taken | Refused] = []
        on_model = lambda: found.extend(  # noqa: E731
            self.liquidator.try_many(asks, address(owner))
        )
        said = [self.struct_of(ask) for ask in asks]
        self.both_from(owner, on_model, "liquidator", "tryLiquidateMany", said)
        block = self.world.chain.block_number()
        told = self.world.liquidator.events(["Liquidated"], block, block)
        mine = [
            (t.size, t.reward, t.penalty, t.top_up, t.net) for t in found if isinstance(t, Taken)
        ]
        assert [tuple(e.values["taken"]) for e in told] == mine
        for each in found:
            key = ("each of many", each.name if isinstance(each, Refused) else None)
            self.outcomes[key] = self.outcomes.get(key, 0) + 1

    def resolve(self, owner: str, victim: bytes, taker: bytes, market: int) -> None:
        on_model = lambda: self.liquidator.resolve(  # noqa: E731
            victim, taker, market, address(owner)
        )
        self.both_from(owner, on_model, "liquidator", "resolve", victim, taker, market)

    def convert(
        self, owner: str, victim: bytes, taker: bytes, max_amount: int, max_price: int
    ) -> None:
        values = (victim, taker, self.collateral, max_amount, max_price)
        on_model = lambda: self.model.convert(*values, address(owner))  # noqa: E731
        self.both_from(owner, on_model, "resolver", "convert", *values)

    def back(self, owner: str, market: int, leaving: bool) -> None:
        """By anybody, who may say that he is the venue."""
        on_model = lambda: self.model.back(market, leaving, address(owner))  # noqa: E731
        self.both_from(owner, on_model, "backing", "back", market, leaving)

    def struct_of(self, ask: Takeover) -> dict[str, Any]:
        """The takeover as the contract is asked for it."""
        held = ask.expected
        word = 0
        if held is not None:
            word = held.units % 2**96 | held.k % 2**128 << 96 | held.epoch << 224
        return {
            "market": ask.market,
            "victim": ask.victim,
            "taker": ask.taker,
            "maxSize": ask.max_size,
            "topUp": ask.top_up,
            "venue": ZERO if ask.venue is None else "0x" + ask.venue.address.hex(),
            "expected": word,
            "minNet": ask.min_net,
        }

    def clear(self, market: int, legs: list[Leg], fee: int) -> None:
        ordered = sorted(legs, key=lambda leg: leg.account)
        self.both_from(
            self.venue,
            lambda: self.model.clear(market, ordered, fee, None, address(self.venue)),
            "clearing",
            "clear",
            market,
            ordered,
            fee,
            KEEP_PREMIUM,
        )

    def venue_call(
        self,
        market: int,
        sender: str | None,
        on_model: Callable[[], Any],
        function: str,
        *values: Any,
    ) -> None:
        """A call of a vAMM."""
        self.at_next_block()
        error = self.attempt(self.world.markets[market].vamm, function, values, sender)
        self._agree(error, on_model, f"vamm.{function}")

    def perp(self, market: int, on_model: Callable[[], Any], function: str, *values: Any) -> None:
        """A call of the admin on a market's contract."""
        self.at_next_block()
        error = self.attempt(self.world.markets[market].perp, function, values, None)
        self._agree(error, on_model, function)

    # Equality

    def compare(self) -> None:
        """Every stored value of accounts, positions, totals and markets."""
        world, model = self.world, self.model
        ids = list(world.known)
        markets = range(len(world.markets))
        calls = [world.clearing.at("account", i) for i in ids]
        calls += [world.clearing.at("position", i, m) for i in ids for m in markets]
        calls += [m.perp.at("words") for m in world.markets]
        calls.append(world.clearing.at("house"))
        answers = iter(world.chain.batch(calls))
        for i in ids:
            found, mine = next(answers), model.stored(i)
            assert tuple(found) == (mine.capital, mine.pnl, mine.bitmap), i.hex()
        for i in ids:
            for m in markets:
                found, at = next(answers), model.position(i, m)
                assert tuple(found) == (at.units, at.k, at.epoch), (i.hex(), m)
        for m in markets:
            found, words = next(answers), model.markets[m].words
            for name, value in zip(found._fields, found, strict=True):
                assert value == getattr(words, SNAKE.get(name, name)), (m, name)
        self._compare_pools(ids)
        found, house = next(answers), model.house
        assert tuple(found) == (house.capital_total, house.profit_total, house.fees_pending)
        assert self.vault.settlement_wad() == world.vault.read("settlementWad")
        assert model.orphan_deficit == world.clearing.read("orphanDeficit")
        losses = tuple(world.resolver.read("losses"))
        assert losses == (model.covered_debt, model.bare_debt, model.interest_pending)
        told = world.chain.batch(m.perp.at("backing") for m in world.markets)
        assert [b.lots for b in told] == [m.backing for m in model.markets]
        covers = world.chain.batch(world.insurance.at("coverOf", m) for m in markets)
        kept = [self.fund.cover_of(m) for m in markets]
        assert [tuple(c) for c in covers] == [(c.ppm, c.drawn_at, c.used) for c in kept]
        if self.collateral:
            found = world.chain.batch(
                world.vault.at("collateralOf", i, self.collateral) for i in ids
            )
            assert found == [self.vault.collateral_of(i, self.collateral) for i in ids]
        self._compare_throttles()

    def _compare_throttles(self) -> None:
        """The stored words, and what every owner took by his exemption."""
        chain, vault = self.world.chain, self.world.vault
        layout = vault.artifact.storage_layout["storage"]
        slots = {e["label"]: int(e["slot"]) for e in layout}
        for token, mine in self.vault.throttles.items():
            held, key = self.vault.held_of(token), address(token)
            word = held | mine.average << 96 | mine.averaged_at << 192 | mine.kept << 232
            assert chain.storage(vault.address, slot_of(slots["_holdings"], key)) == word, token
            assert chain.storage(vault.address, slot_of(slots["_exempt"], key)) == mine.exempt
            of_token = slot_of(slots["_exempted"], key)
            for owner in {i[:20] for i in self.world.known}:
                taken, at = mine.taken.get(owner, (0, 0))
                stored = chain.storage(vault.address, slot_of(of_token, owner))
                assert stored == taken | at << 128, (token, owner.hex())

    def check_events(self) -> None:
        """The ledger, the markets and V, rebuilt from events alone, are what the model holds."""
        world, last = self.world, self.world.chain.block_number()
        accounts: dict[bytes, int] = {}
        positions: dict[tuple[bytes, int], int] = {}
        fees = 0
        kinds = ["AccountSet", "PositionSet", "LegBooked", "FeesPending"]
        for event in world.clearing.events(kinds, 0, last):
            v = event.values
            if event.name == "FeesPending":
                fees = v["fees"]
            elif event.name == "AccountSet":
                accounts[v["account"]] = v["word"]
            elif event.name == "PositionSet":
                positions[v["account"], v["market"]] = v["word"]
            else:
                accounts[v["account"]] = v["accountWord"]
                positions[v["account"], v["market"]] = v["positionWord"]
        for account, word in accounts.items():
            a, mine = unpack_account(word), self.model.stored(account)
            assert (a.capital, a.pnl, a.bitmap) == (mine.capital, mine.pnl, mine.bitmap)
        silent = self.model.accounts.keys() - accounts.keys()
        assert all(self.model.stored(account) == Account() for account in silent)
        for key, word in positions.items():
            p, at = unpack_position(word), self.model.position(*key)
            assert (p.units, p.k, p.epoch) == (at.units, at.k, at.epoch)
        held = [unpack_account(word) for word in accounts.values()]
        totals = self.model.house
        assert sum(a.capital for a in held) == totals.capital_total
        assert sum(a.pnl for a in held if a.pnl > 0) == totals.profit_total
        assert fees == totals.fees_pending
        self._check_vault_events(last)
        self._check_market_events(last)

    def _check_vault_events(self, last: int) -> None:
        token, held = self.world.token.address, 0
        for event in self.world.vault.events(["Deposited", "Withdrawn", "Seeded"], 0, last):
            if event.values.get("token", token) == token:
                held = event.values["held"]
        assert held == self.vault.settlement_held

    def _check_market_events(self, last: int) -> None:
        """The last words that each market told are those it stores."""
        for market in self.world.markets:
            told = list(market.perp.events(["MarketSet"], 0, last))[-1].values
            layout = market.perp.artifact.storage_layout["storage"]
            slots = {e["label"]: int(e["slot"]) for e in layout}
            for name in ("prices", "rates", "indices", "sides"):
                stored = self.world.chain.storage(market.perp.address, slots[name])
                assert told[name] == stored, (market.number, name)

    def _compare_pools(self, ids: list[bytes]) -> None:
        chain, layout = self.world.chain, self.world.markets[0].vamm.artifact.storage_layout
        slot = next(int(e["slot"]) for e in layout["storage"] if e["label"] == "state")
        for market, vamm in zip(self.world.markets, self.vamms, strict=True):
            word, mine = chain.storage(market.vamm.address, slot), vamm.state
            assert word == mine.peg | mine.index << 80 | mine.root << 160, market.number
            calls = [market.vamm.at("totalShares"), market.vamm.at("shareEpoch")]
            calls += [market.vamm.at("sharesOf", i) for i in ids]
            calls += [market.vamm.at("requestsOf", i) for i in ids]
            found = chain.batch(calls)
            assert found[:2] == [vamm.total, vamm.share_epoch]
            assert found[2 : 2 + len(ids)] == [vamm.shares_of(i) for i in ids]
            none = Request(0, 0, 0)
            for account, (deposit, withdrawal) in zip(ids, found[2 + len(ids) :], strict=True):
                asked = vamm.deposits.get(account, none), vamm.withdrawals.get(account, none)
                told = [(r.amount, r.made_at, r.min_ratio) for r in asked]
                assert [tuple(deposit), tuple(withdrawal)] == told


LISTING = (
    "strictWindow",
    "premiumWindow",
    "shortWindow",
    "interruption",
    "fullPremium",
    "settlementWindow",
    "isolated",
)
SNAKE = {
    "accruedAt": "accrued_at",
    "validUntil": "valid_until",
    "openInterest": "open_interest",
    "premiumAverage": "premium_average",
}


def snake(values: dict[str, Any]) -> dict[str, Any]:
    """camelCase keys as Python names."""
    cased = {name: "".join("_" + c.lower() if c.isupper() else c for c in name) for name in values}
    return {cased[name]: value for name, value in values.items()}


def slot_of(mapping: int, key: bytes) -> int:
    """Where the contract's mapping in slot `mapping` keeps the value of an address."""
    return int.from_bytes(keccak(key.rjust(32, b"\0") + mapping.to_bytes(32, "big")), "big")


def address(text: str) -> bytes:
    return bytes.fromhex(text[2:])
