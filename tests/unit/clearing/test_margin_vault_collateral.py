"""Other collateral: listing, caps, terms, what it counts, and what a dead feed does to it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.model import vault as model
from novation.model.clearing import ClearingHouse
from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.oracle import Price, PriceStatus
from novation.units import WAD
from tests.world import NO_LIMIT, World, account_id

DAY = 86_400
REVERTING = 1
ZERO = "0x" + "00" * 20
HAIRCUT, SCALE, CAP = 100_000, 1_000_000, 10**24
"""10 %, doubled at a million; a million tokens of 18 decimals."""


def refusal(send: Any, *values: Any, **options: Any) -> tuple[str, list[Any]]:
    with pytest.raises(ContractError) as caught:
        send(*values, **options)
    return caught.value.name, list(caught.value.arguments.values())


@dataclass
class Listed:
    """A listed token with its feed, and its twin in the model."""

    world: World
    token: Contract
    feed: Contract
    oracle: Contract
    twin: model.Collateral
    accounts: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def make(cls, world: World, price: int = 2_000, decimals: int = 18, cap: int = CAP) -> "Listed":
        chain = world.chain
        token = chain.deploy("MockToken", "Ether", "ETH", decimals)
        feed = chain.deploy("MockFeed", 8)
        chain.send(feed, "push", price * 10**8)
        oracle = chain.deploy("ChainlinkOracleAdapter", oracle_config(feed.address))
        world.send("vault", "listCollateral", token.address, oracle.address, HAIRCUT, SCALE, cap)
        for owner in (world.trader, world.other):
            chain.send(token, "mint", owner, 10**30)
            chain.send(token, "approve", world.vault.address, NO_LIMIT, sender=owner)
        value = price * WAD
        made = Price(value, chain.now, chain.now + DAY, PriceStatus.OK)
        twin = model.Collateral(token.address, decimals, HAIRCUT, SCALE, cap, lambda: made)
        twin.poke()
        return cls(world, token, feed, oracle, twin)

    def deposit(self, owner: str, amount: int) -> dict[str, Any]:
        account = account_id(owner)
        self.world.known[account] = None
        values = ("deposit", account, self.token.address, amount)
        return dict(self.world.send("vault", *values, sender=owner))

    def withdraw(self, owner: str, amount: int) -> dict[str, Any]:
        values = ("withdraw", account_id(owner), self.token.address, amount, owner, [], 0)
        return dict(self.world.send("vault", *values, sender=owner))

    def value(self, owner: str) -> tuple[int, int]:
        made = self.world.vault.read("collateralValue", account_id(owner))
        return made.maintenance, made.initial

    def push(self, price: int) -> None:
        self.world.chain.send(self.feed, "push", price * 10**8)

    def die(self) -> None:
        self.world.chain.send(self.feed, "setMode", REVERTING)


def oracle_config(feed: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "feed": feed,
        "second": ZERO,
        "sequencer": ZERO,
        "heartbeat": 2 * DAY,
        "secondHeartbeat": 0,
        "sequencerGrace": 0,
        "maxDivergence": 0,
        "minimum": WAD // 1_000,
        "maximum": 1_000_000 * WAD,
        "lotExponent": 0,
    }
    return made | changes


@pytest.fixture
def ether(world: World) -> Listed:
    return Listed.make(world)


class TestInAndOut:
    def test_deposit_counts_and_says_so(self, world: World, ether: Listed) -> None:
        receipt = ether.deposit(world.trader, 3 * WAD)
        receipt = ether.deposit(world.trader, 2 * WAD)
        account = account_id(world.trader)
        assert world.vault.read("collateralOf", account, ether.token.address) == 5 * WAD
        assert world.vault.read("collateralAt", 0).held == 5 * WAD
        assert world.account(account).bitmap >> 62 & 1 == 1
        assert world.account(account).capital == 0
        block = int(receipt["blockNumber"], 16)
        (event,) = world.vault.events(["Deposited"], block, block)
        shown = [event.values[key] for key in ("account", "token", "from", "amount")]
        assert shown == [account, ether.token.address, world.trader, 2 * WAD]
        assert (event.values["balance"], event.values["held"]) == (5 * WAD, 5 * WAD)

    def test_withdraw_all_clears_the_bit(self, world: World, ether: Listed) -> None:
        ether.deposit(world.trader, 3 * WAD)
        before = ether.token.read("balanceOf", world.trader)
        ether.withdraw(world.trader, WAD)
        assert world.account(account_id(world.trader)).bitmap >> 62 & 1 == 1
        ether.withdraw(world.trader, 2 * WAD)
        assert world.account(account_id(world.trader)).bitmap == 0
        assert ether.token.read("balanceOf", world.trader) == before + 3 * WAD
        assert world.vault.read("collateralAt", 0).held == 0

    def test_withdraw_more_than_there_is_is_refused(self, world: World, ether: Listed) -> None:
        ether.deposit(world.trader, 3)
        ether.deposit(world.other, 30)
        name, values = refusal(ether.withdraw, world.trader, 4)
        assert (name, values[2:]) == ("VaultBalanceTooLow", [3, 4])

    def test_deposit_cap_is_cumulative(self, world: World) -> None:
        """MRG-12."""
        listed = Listed.make(world, cap=100)
        listed.deposit(world.trader, 60)
        name, values = refusal(listed.deposit, world.other, 41)
        assert (name, values[1:]) == ("VaultCapExceeded", [101, 100])
        listed.deposit(world.other, 40)
        assert refusal(listed.deposit, world.trader, 2**256 - 1)[0] == "VaultCapExceeded"
        listed.withdraw(world.trader, 10)
        listed.deposit(world.trader, 10)

    def test_deposit_into_a_venues_account_is_refused(self, world: World, ether: Listed) -> None:
        values = ("deposit", world.markets[0].pool, ether.token.address, 1)
        send = (world.chain.send, world.vault, *values)
        assert refusal(*send, sender=world.trader)[0] == "ClearingVenueAccount"

    def test_collateral_carries_a_position_and_may_leave_only_as_far(
        self, world: World, ether: Listed
    ) -> None:
        """The margin check of a withdrawal counts what is left in the vault."""
        market = world.markets[0]
        account = world.deposit(world.trader, 1_000)  # costs are paid in the settlement token
        ether.deposit(world.trader, 10 * WAD)
        world.trade(market, world.trader, 20 * WAD)
        name, values = refusal(ether.withdraw, world.trader, 9 * WAD)
        assert (name, values[0]) == ("ClearingInitialMargin", account)
        assert world.vault.read("collateralOf", account, ether.token.address) == 10 * WAD
        ether.withdraw(world.trader, 5 * WAD)
        world.close(market, world.trader)
        if world.account(account).pnl < 0:
            world.deposit(world.trader, 1_000)
            world.touch(account)
        ether.withdraw(world.trader, 5 * WAD)


class TestDeadFeed:
    def test_dead_feed_counts_last_price_at_twice_the_haircut(
        self, world: World, ether: Listed
    ) -> None:
        ether.deposit(world.trader, 10 * WAD)
        ether.push(1_500)
        world.send("vault", "poke", ether.token.address)
        ether.die()
        assert ether.value(world.trader) == (
            model.counted_down(15_000 * WAD, 2 * HAIRCUT, SCALE),
            0,
        )
        world.send("vault", "poke", ether.token.address)
        assert world.vault.read("rampOf", 0).lastPrice == 1_500 * WAD

    def test_dead_feed_freezes_nobody(self, world: World, ether: Listed) -> None:
        """MRG-10: in and out go on without a price, and so does the settlement token."""
        account = world.deposit(world.trader, 100)
        ether.deposit(world.trader, 10)
        ether.die()
        ether.deposit(world.trader, 5)
        world.withdraw(world.trader, 100_000_000)
        ether.withdraw(world.trader, 15)
        assert world.account(account).capital == 0

    def test_dead_feed_does_not_carry_a_new_position(self, world: World, ether: Listed) -> None:
        world.deposit(world.trader, 50)
        ether.deposit(world.trader, 10 * WAD)
        ether.die()
        trade = (world.trade, world.markets[0], world.trader, WAD)
        assert refusal(*trade)[0] == "ClearingInitialMargin"

    def test_last_price_follows_deposits_withdrawals_and_poke(
        self, world: World, ether: Listed
    ) -> None:
        def last() -> int:
            return int(world.vault.read("rampOf", 0).lastPrice)

        assert last() == 2_000 * WAD
        ether.push(2_100)
        ether.deposit(world.trader, 2)
        assert last() == 2_100 * WAD
        ether.push(2_200)
        ether.withdraw(world.trader, 1)
        assert last() == 2_200 * WAD
        ether.push(2_300)
        receipt = world.send("vault", "poke", ether.token.address, sender=world.stranger)
        assert last() == 2_300 * WAD
        block = int(receipt["blockNumber"], 16)
        (event,) = world.vault.events(["CollateralPriced"], block, block)
        assert event.values["price"] == 2_300 * WAD


class TestTerms:
    def test_list_says_so_and_fixes_the_price(self, world: World) -> None:
        first = world.chain.block_number()
        listed = Listed.make(world, price=3, decimals=6)
        events = list(
            world.vault.events(
                ["CollateralListed", "CollateralSet", "CollateralPriced"],
                first,
                world.chain.block_number(),
            )
        )
        names = ["CollateralListed", "CollateralSet", "CollateralPriced"]
        assert [e.name for e in events] == names
        assert events[0].values["slot"] == 0
        stored = world.vault.read("collateralAt", 0)
        assert (stored.token, stored.oracle) == (listed.token.address, listed.oracle.address)
        assert (stored.decimals, stored.haircut, stored.haircutScale) == (6, HAIRCUT, SCALE)
        assert world.vault.read("collateralCount") == 1

    def test_list_refusals(self, world: World, ether: Listed) -> None:
        """TOK-08, TOK-09."""
        chain, oracle = world.chain, ether.oracle.address
        send = (chain.send, world.vault, "listCollateral")
        terms = (HAIRCUT, SCALE, CAP)
        settlement, token = world.token.address, ether.token.address
        assert refusal(*send, settlement, oracle, *terms) == ("VaultAlreadyListed", [settlement])
        assert refusal(*send, token, oracle, *terms) == ("VaultAlreadyListed", [token])
        nothing = world.stranger
        assert refusal(*send, nothing, oracle, *terms) == ("VaultNoCode", [nothing])
        long = chain.deploy("MockToken", "T", "T", 19).address
        assert refusal(*send, long, oracle, *terms) == ("VaultDecimals", [long, 19, 18])
        good = chain.deploy("MockToken", "T", "T", 18).address
        assert refusal(*send, good, nothing, *terms) == ("VaultNoCode", [nothing])
        ether.die()
        assert refusal(*send, good, oracle, *terms)[0] == "OracleNoAnswer"

    def test_list_ninth_token_is_refused(self, world: World) -> None:
        for _ in range(8):
            Listed.make(world)
        assert refusal(Listed.make, world) == ("VaultSlotsFull", [8])

    @pytest.mark.parametrize(
        ("haircut", "scale", "name", "value", "bound"),
        [
            (9_999, SCALE, "haircut", 9_999, 10_000),
            (900_001, SCALE, "haircut", 900_001, 900_000),
            (HAIRCUT, 999, "haircutScale", 999, 1_000),
            (HAIRCUT, 10**12 + 1, "haircutScale", 10**12 + 1, 10**12),
        ],
    )
    def test_terms_outside_their_bounds_are_refused(
        self,
        world: World,
        ether: Listed,
        haircut: int,
        scale: int,
        name: str,
        value: int,
        bound: int,
    ) -> None:
        values = ("setCollateralTerms", ether.token.address, haircut, scale, CAP)
        error, numbers = refusal(world.chain.send, world.vault, *values)
        assert error == "VaultOutOfBounds"
        assert [numbers[0].rstrip(b"\0").decode(), *numbers[1:]] == [name, value, bound]

    def test_setters_are_restricted(self, world: World, ether: Listed) -> None:
        token = ether.token.address
        for values in (
            ("listCollateral", token, ether.oracle.address, HAIRCUT, SCALE, CAP),
            ("setCollateralTerms", token, HAIRCUT, SCALE, CAP),
            ("tightenCap", token, 1),
        ):
            send = (world.chain.send, world.vault, *values)
            assert refusal(*send, sender=world.stranger)[0] == "AccessManagedUnauthorized"
        for values in (("setCollateralTerms", ZERO, HAIRCUT, SCALE, CAP), ("tightenCap", ZERO, 1)):
            assert refusal(world.chain.send, world.vault, *values)[0] == "VaultUnknownToken"

    def test_new_terms_ramp_for_maintenance_and_bind_initial_at_once(
        self, world: World, ether: Listed
    ) -> None:
        """GOV-01: no change of terms liquidates anybody at once."""
        ether.deposit(world.trader, 100 * WAD)
        value = 200_000 * WAD
        old = model.counted_down(value, HAIRCUT, SCALE)
        assert ether.value(world.trader) == (old, old)
        values = ("setCollateralTerms", ether.token.address, 300_000, 500_000, CAP)
        world.send("vault", *values)
        start = world.chain.now
        new = model.counted_down(value, 300_000, 500_000)
        assert ether.value(world.trader) == (old, new)
        twin = ether.twin
        twin.from_haircut, twin.from_scale = HAIRCUT, SCALE
        twin.haircut, twin.haircut_scale, twin.end_at = 300_000, 500_000, start + DAY
        for seconds in (1, 3_601, DAY // 2, DAY - 1, DAY, DAY + 1):
            world.chain.mine_at(start + seconds)
            assert ether.value(world.trader) == twin.value_of(100 * WAD, start + seconds)
        assert ether.value(world.trader) == (new, new)

    def test_looser_terms_count_at_neither_margin_before_their_ramp(
        self, world: World, ether: Listed
    ) -> None:
        ether.deposit(world.trader, 100 * WAD)
        old = model.counted_down(200_000 * WAD, HAIRCUT, SCALE)
        world.send("vault", "setCollateralTerms", ether.token.address, 10_000, SCALE, CAP)
        assert ether.value(world.trader) == (old, old)
        world.chain.advance(DAY)
        new = model.counted_down(200_000 * WAD, 10_000, SCALE)
        assert ether.value(world.trader) == (new, new)

    def test_cap_below_what_is_held_breaks_nothing(self, world: World, ether: Listed) -> None:
        ether.deposit(world.trader, 100)
        token = ether.token.address
        tighten = (world.chain.send, world.vault, "tightenCap", token)
        assert refusal(*tighten, CAP) == ("VaultNotTighter", [CAP, CAP])
        assert refusal(*tighten, CAP + 1) == ("VaultNotTighter", [CAP, CAP + 1])
        world.send("vault", "tightenCap", token, 10)
        name, values = refusal(ether.deposit, world.trader, 1)
        assert (name, values[1:]) == ("VaultCapExceeded", [101, 10])
        assert ether.value(world.trader)[0] == model.counted_down(200_000, HAIRCUT, SCALE)
        ether.withdraw(world.trader, 100)
        ether.deposit(world.trader, 10)


class TestValue:
    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(
        haircut=st.integers(10_000, 1_800_000),
        scale=st.integers(1_000, 10**12),
        values=st.lists(st.integers(0, 10**40), min_size=2, max_size=8),
    )
    def test_more_is_never_worth_less_nor_above_the_market(
        self, haircut: int, scale: int, values: list[int]
    ) -> None:
        """INV-14."""
        counted = [model.counted_down(v, haircut, scale) for v in sorted(values)]
        assert counted == sorted(counted)
        assert all(c <= v for c, v in zip(counted, sorted(values), strict=True))

    def test_haircut_doubles_at_the_scale(self) -> None:
        value = SCALE * WAD
        assert model.counted_down(value, HAIRCUT, SCALE) == value * 8 // 10

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        decimals=st.sampled_from([0, 2, 6, 8, 18]),
        price=st.integers(1, 1_000_000),
        amount=st.integers(1, 10**10),
        dust=st.integers(0, 10**18),
        haircut=st.integers(10_000, 900_000),
        scale=st.integers(1_000, 10**12),
        dead=st.booleans(),
    )
    def test_value_equals_the_model(
        self,
        standing_world: World,
        decimals: int,
        price: int,
        amount: int,
        dust: int,
        haircut: int,
        scale: int,
        dead: bool,
    ) -> None:
        with standing_world.isolated() as world:
            listed = Listed.make(world, price, decimals, cap=2**128 - 1)
            units = amount * 10**decimals + dust % 10**decimals
            listed.deposit(world.trader, units)
            values = ("setCollateralTerms", listed.token.address, haircut, scale, CAP)
            world.send("vault", *values)
            twin = listed.twin
            if (haircut, scale) != (HAIRCUT, SCALE):
                twin.from_haircut, twin.from_scale, twin.end_at = (
                    HAIRCUT,
                    SCALE,
                    world.chain.now + DAY,
                )
            twin.haircut, twin.haircut_scale = haircut, scale
            if dead:
                listed.die()
                twin.price = lambda: Price(0, 0, 0, PriceStatus.NO_ANSWER)
            assert listed.value(world.trader) == twin.value_of(units, world.chain.now)
            world.chain.advance(DAY)
            assert listed.value(world.trader) == twin.value_of(units, world.chain.now)


class TestModelMachine:
    """The same random steps in the contract and in MarginVault of the model."""

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_histories_equal_the_model(self, standing_world: World, data: st.DataObject) -> None:
        with standing_world.isolated() as world:
            tokens = [Listed.make(world, 2_000, cap=10**20), Listed.make(world, 3, 6, cap=10**9)]
            clock = Clock()
            twin = model.MarginVault(world.token.address, 6, clock)
            ledger = ClearingHouse(twin)
            twin.clearing = ledger
            twin.settlement_held = world.vault.read("settlementHeld")
            for listed in tokens:
                twin.list_collateral(listed.twin)
            names = [world.token.address, *(t.token.address for t in tokens)]
            for _ in range(12):
                owner = data.draw(st.sampled_from([world.trader, world.other]))
                token = data.draw(st.sampled_from(names))
                amount = data.draw(st.integers(0, 12)) * (10**19 if token == names[1] else 10**8)
                account = account_id(owner)
                who = account[:20]
                world.known[account] = None
                way = data.draw(st.sampled_from(["deposit", "deposit", "withdraw"]))
                got = expected = ""
                try:
                    if way == "deposit":
                        values: tuple[Any, ...] = (account, token, amount)
                        world.send("vault", way, *values, sender=owner)
                    else:
                        values = (account, token, amount, owner, [], WAD)
                        world.send("vault", way, *values, sender=owner)
                except ContractError as error:
                    got = error.name
                try:
                    if way == "deposit":
                        twin.deposit(account, token, amount)
                    else:
                        twin.withdraw(account, token, amount, who, who)
                except Refused as error:
                    expected = error.name
                assert got == expected
                assert world.vault.read("settlementHeld") == twin.settlement_held
                stored = world.account(account)
                assert stored.capital == ledger.stored(account).capital
                assert stored.bitmap == ledger.stored(account).bitmap
                for slot, listed in enumerate(tokens):
                    assert world.vault.read("collateralAt", slot).held == listed.twin.held
                value = world.vault.read("collateralValue", account)
                assert tuple(value) == twin.collateral_value(account)
            world.check_identity()
