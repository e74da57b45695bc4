"""How fast a token may leave the vault: share, exemption, settings, and what is not throttled."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novation.chain.errors import ContractError
from novation.model.errors import Refused
from novation.model.throttle import MIN_SHARE, THROTTLE_SECONDS, Throttle
from novation.units import PPM, WAD
from tests.unit.clearing.test_margin_vault_collateral import Listed, refusal
from tests.world import DAY, HOUR, World, account_id

SHARE = 250_000
HELD, EXEMPT = 1_000_000, 100_000
"""Whole tokens: what `lp` has in the vault, and what an owner may take in any case."""


@dataclass
class Stage:
    """A venue of its own whose vault holds HELD, of which a quarter may leave."""

    world: World
    unit: int

    @classmethod
    def make(cls, world: World, decimals: int = 6) -> "Stage":
        made = cls(World.deploy(world.chain, decimals), 10**decimals)
        made.world.deposit(made.world.lp, HELD)
        made.set(SHARE, EXEMPT * made.unit)
        return made

    @property
    def token(self) -> str:
        return self.world.token.address

    def set(self, share: int, exempt: int) -> dict[str, Any]:
        return dict(self.world.send("vault", "setThrottle", self.token, share, exempt))

    def now(self) -> Any:
        return self.world.vault.read("throttleOf", self.token)

    def take(self, owner: str, amount: int, sub: int = 0) -> None:
        self.world.withdraw(owner, amount, sub)

    def restart(self) -> None:
        """The average begins anew at what is held."""
        self.set(PPM, EXEMPT * self.unit)
        self.set(SHARE, EXEMPT * self.unit)

    def shut(self) -> None:
        """`lp` takes all that is let go."""
        self.take(self.world.lp, self.now().available)

    def refused(self, owner: str, amount: int, sub: int = 0) -> list[Any]:
        name, values = refusal(self.world.withdraw, owner, amount, sub)
        assert name == "VaultThrottled"
        assert values[:2] == [self.token, amount]
        return values[2:]

    def calls(self, owner: str, *calls: tuple[Any, ...]) -> None:
        """Several calls of the vault in one transaction."""
        vault = self.world.vault
        self.world.send("vault", "multicall", [vault.encode(*c) for c in calls], sender=owner)

    def deposit_call(self, owner: str, amount: int) -> tuple[Any, ...]:
        return "deposit", account_id(owner), self.token, amount

    def withdraw_call(self, owner: str, amount: int) -> tuple[Any, ...]:
        return "withdraw", account_id(owner), self.token, amount, owner, [], WAD

    def twin(self) -> Throttle:
        """The model of the throttle as it stands, from the view."""
        seen = self.now()
        return Throttle(PPM - seen.share, seen.exempt, seen.average, self.world.chain.now)


@pytest.fixture
def stage(world: World) -> Stage:
    return Stage.make(world)


class TestShare:
    @pytest.mark.parametrize("decimals", [0, 6, 8, 18])
    def test_withdraw_a_share_leaves_and_a_unit_more_does_not(
        self, world: World, decimals: int
    ) -> None:
        stage = Stage.make(world, decimals)
        quarter = HELD // 4 * stage.unit
        seen = stage.now()
        assert tuple(seen) == (SHARE, EXEMPT * stage.unit, HELD * stage.unit, quarter)
        assert stage.refused(stage.world.lp, quarter + 1) == [quarter]
        stage.take(stage.world.lp, quarter)
        seen = stage.now()
        assert (seen.average, seen.available) == (HELD * stage.unit, 0)
        stage.world.check_identity()

    def test_token_that_was_never_set_has_no_throttle(self, world: World) -> None:
        made = World.deploy(world.chain)
        made.deposit(made.lp, HELD)
        held = HELD * 10**6
        seen = made.vault.read("throttleOf", made.token.address)
        assert tuple(seen) == (PPM, 0, held, held)
        made.withdraw(made.lp, held)
        assert made.vault.read("settlementHeld") == 0

    def test_share_comes_back_to_the_second(self, stage: Stage) -> None:
        stage.shut()
        held, start = stage.world.vault.read("settlementHeld"), stage.world.chain.now
        twin = stage.twin()
        for seconds in (1, 2, 59, 60, 1_799, 3_599, 3_600, 3_601, 7_200, DAY):
            with stage.world.isolated() as copy:
                copy.chain.next_at(start + seconds)
                amount = twin.available(held, start + seconds)
                past = math.exp(-seconds / HOUR)
                exact = held - 0.75 * (held + (HELD * stage.unit - held) * past)
                assert amount == pytest.approx(exact, abs=2)
                copy.withdraw(copy.lp, amount)
                assert copy.vault.read("throttleOf", stage.token).available == 0
            with stage.world.isolated() as copy:
                copy.chain.next_at(start + seconds)
                stage.refused(copy.lp, max(amount, EXEMPT * stage.unit) + 1)

    def test_touches_with_dust_slow_nothing(self, stage: Stage) -> None:
        """The average is the same, to a unit a touch, however often it is brought to now."""
        stage.shut()
        start, twin = stage.world.chain.now, stage.twin()
        held = stage.world.vault.read("settlementHeld")
        for minute in range(1, 31):
            stage.world.chain.next_at(start + 60 * minute)
            stage.calls(stage.world.trader, stage.deposit_call(stage.world.trader, 1))
        assert abs(stage.now().average - twin.average_at(held, start + 1_800)) <= 60

    def test_withdrawals_of_insurance_go_through_the_same_door(self, stage: Stage) -> None:
        w = stage.world
        w.send("token", "approve", w.insurance.address, 2**256 - 1, sender=w.other)
        w.send("insurance", "deposit", 2 * HELD * stage.unit, w.other, sender=w.other)
        w.known[account_id(w.insurance.address)] = None
        shares = w.insurance.read("balanceOf", w.other)
        w.send("insurance", "request", shares, sender=w.other)
        w.chain.advance(7 * DAY)
        redeem = (w.chain.send, w.insurance, "redeem", shares, w.other, w.other)
        assert refusal(*redeem, sender=w.other)[0] == "VaultThrottled"
        assert w.insurance.read("balanceOf", w.other) == shares
        before = w.token.read("balanceOf", w.other)
        quarter = w.insurance.read("balanceOf", w.other) // 4
        w.send("insurance", "redeem", quarter, w.other, w.other, sender=w.other)
        assert w.token.read("balanceOf", w.other) == before + 2 * HELD * stage.unit // 4
        w.check_identity()

    def test_money_that_stays_inside_is_not_throttled(self, stage: Stage) -> None:
        stage.shut()
        w = stage.world
        to = account_id(w.stranger)
        w.known[to] = None
        amount = w.account(account_id(w.lp)).capital
        w.send("clearing", "transfer", account_id(w.lp), to, amount, sender=w.lp)
        assert w.account(to).capital == amount
        w.check_identity()


class TestOtherTokens:
    def test_another_token_is_not_touched(self, stage: Stage) -> None:
        w = stage.world
        w.list_market()
        ether = Listed.make(w)
        ether.deposit(w.trader, 100 * WAD)
        stage.shut()
        ether.withdraw(w.trader, 60 * WAD)
        w.send("vault", "setThrottle", ether.token.address, MIN_SHARE, 0)
        name, values = refusal(ether.withdraw, w.trader, 3 * WAD)
        assert (name, values) == ("VaultThrottled", [ether.token.address, 3 * WAD, 2 * WAD])
        ether.withdraw(w.trader, 2 * WAD)
        assert stage.now().share == SHARE
        assert w.vault.read("throttleOf", ether.token.address).available == 0
        assert w.vault.read("collateralAt", 0).held == 38 * WAD
        w.check_identity()

    def test_exemption_of_collateral_is_its_own(self, stage: Stage) -> None:
        w = stage.world
        w.list_market()
        ether = Listed.make(w)
        ether.deposit(w.trader, 100 * WAD)
        w.send("vault", "setThrottle", ether.token.address, MIN_SHARE, 10 * WAD)
        ether.withdraw(w.trader, 10 * WAD)
        assert refusal(ether.withdraw, w.trader, 1)[0] == "VaultThrottled"
        assert w.vault.read("exemptLeft", ether.token.address, w.trader) == 0
        assert w.vault.read("exemptLeft", stage.token, w.trader) == EXEMPT * stage.unit

    def test_deposit_of_collateral_beyond_96_bits_is_refused(self, world: World) -> None:
        most = 2**96 - 1
        listed = Listed.make(world, price=1, cap=2**128 - 1)
        listed.deposit(world.trader, most)
        name, values = refusal(listed.deposit, world.trader, 1)
        assert (name, values[1:]) == ("VaultCapExceeded", [most + 1, most])
        listed.withdraw(world.trader, most)


class TestMrg13:
    def test_mrg_13_a_flash_deposit_lets_go_what_it_brings_and_no_more(self, stage: Stage) -> None:
        """Nine times the holdings for one transaction: the share of what was there, as before."""
        trader, share = stage.world.trader, HELD // 4 * stage.unit
        flash = 9 * HELD * stage.unit
        stage.world.send(
            "clearing", "transfer", account_id(stage.world.lp), account_id(trader),
            HELD // 2 * WAD, sender=stage.world.lp,
        )  # fmt: skip
        stage.world.known[account_id(trader)] = None
        into = stage.deposit_call(trader, flash)
        with pytest.raises(ContractError, match="VaultThrottled"):
            stage.calls(trader, into, stage.withdraw_call(trader, flash + share + 1))
        stage.calls(trader, into, stage.withdraw_call(trader, flash + share))
        assert stage.now().available == 0
        stage.world.check_identity()

    def test_mrg_13_a_cycle_in_one_transaction_eats_nothing(self, stage: Stage) -> None:
        trader, before = stage.world.trader, stage.now()
        stage.world.known[account_id(trader)] = None
        for amount in (HELD // 3, 9 * HELD):
            units = amount * stage.unit
            stage.calls(
                trader, *[stage.deposit_call(trader, units), stage.withdraw_call(trader, units)] * 5
            )
            assert tuple(stage.now()) == tuple(before)
        stage.take(stage.world.lp, before.available)

    def test_mrg_13_cycles_over_a_block_eat_what_the_money_stood_there_for(
        self, stage: Stage
    ) -> None:
        """A third of the holdings, ten times in for 12 seconds: a thirtieth of it counts."""
        trader, units, before = stage.world.trader, HELD // 3 * stage.unit, stage.now()
        stage.world.known[account_id(trader)] = None
        for _ in range(10):
            stage.world.chain.next_at(stage.world.chain.now + 60)
            stage.calls(trader, stage.deposit_call(trader, units))
            stage.world.chain.next_at(stage.world.chain.now + 12)
            stage.calls(trader, stage.withdraw_call(trader, units))
        eaten = before.available - stage.now().available
        assert 0 < eaten <= units * 120 // HOUR

    def test_mrg_13_a_deposit_that_stays_opens_the_door_again(self, stage: Stage) -> None:
        stage.shut()
        trader, units = stage.world.trader, HELD // 10 * stage.unit
        stage.world.known[account_id(trader)] = None
        stage.calls(trader, stage.deposit_call(trader, units))
        assert stage.now().available >= units
        stage.take(stage.world.lp, units)


class TestExempt:
    def test_owner_takes_his_exemption_through_a_shut_door(self, stage: Stage) -> None:
        w, whole = stage.world, EXEMPT * stage.unit
        w.deposit(w.trader, 2 * EXEMPT)
        stage.restart()
        stage.shut()
        assert stage.now().available == 0
        average = stage.now().average
        assert stage.refused(w.trader, whole + 1) == [whole]
        stage.take(w.trader, whole // 4)
        assert w.vault.read("exemptLeft", stage.token, w.trader) == whole - whole // 4
        stage.take(w.trader, whole - whole // 4)
        assert w.vault.read("exemptLeft", stage.token, w.trader) == 0
        assert stage.now().average <= average
        w.check_identity()

    def test_cutting_a_withdrawal_and_sub_accounts_gain_nothing(self, stage: Stage) -> None:
        w, whole = stage.world, EXEMPT * stage.unit
        for sub in (0, 1):
            w.deposit(w.trader, EXEMPT, sub)
        w.deposit(w.other, EXEMPT)
        stage.restart()
        stage.shut()
        for _ in range(4):
            stage.take(w.trader, whole // 4)
        assert refusal(w.withdraw, w.trader, whole // 4, 1)[0] == "VaultThrottled"
        stage.take(w.other, whole)  # another owner has his own

    def test_exemption_is_back_an_hour_after_its_last_use(self, stage: Stage) -> None:
        w, whole = stage.world, EXEMPT * stage.unit
        w.deposit(w.trader, 2 * EXEMPT)
        stage.restart()
        stage.shut()
        stage.take(w.trader, whole // 2)
        w.chain.advance(1_200)
        stage.shut()
        stage.take(w.trader, whole // 4)
        last = w.chain.now
        w.chain.mine_at(last + HOUR - 3)
        w.chain.next_at(last + HOUR - 2)
        stage.shut()
        w.chain.next_at(last + HOUR - 1)
        assert stage.refused(w.trader, whole) == [whole - whole // 2 - whole // 4]
        w.chain.next_at(last + HOUR)
        stage.take(w.trader, whole)
        assert w.vault.read("exemptLeft", stage.token, w.trader) == 0

    def test_withdrawal_inside_the_share_uses_no_exemption(self, stage: Stage) -> None:
        stage.take(stage.world.lp, EXEMPT * stage.unit)
        left = stage.world.vault.read("exemptLeft", stage.token, stage.world.lp)
        assert left == EXEMPT * stage.unit

    def test_exemption_is_never_more_than_the_owner_has(self, stage: Stage) -> None:
        stage.shut()
        name, _ = refusal(stage.world.withdraw, stage.world.trader, stage.unit)
        assert name == "ClearingCapitalTooLow"


class TestSettings:
    def test_set_says_so(self, stage: Stage) -> None:
        receipt = stage.set(MIN_SHARE, 7)
        block = int(receipt["blockNumber"], 16)
        (event,) = stage.world.vault.events(["ThrottleSet"], block, block)
        assert list(event.values.values()) == [stage.token, MIN_SHARE, 7]
        assert tuple(stage.now())[:2] == (MIN_SHARE, 7)

    @pytest.mark.parametrize(
        ("share", "bound"), [(0, MIN_SHARE), (MIN_SHARE - 1, MIN_SHARE), (PPM + 1, PPM)]
    )
    def test_set_outside_its_bounds_is_refused(self, stage: Stage, share: int, bound: int) -> None:
        name, values = refusal(stage.set, share, 0)
        assert name == "VaultOutOfBounds"
        assert [values[0].rstrip(b"\0").decode(), *values[1:]] == ["share", share, bound]

    def test_set_all_is_no_throttle_and_back_starts_at_what_is_held(self, stage: Stage) -> None:
        stage.shut()
        stage.set(PPM, 0)
        held = 3 * HELD // 4 * stage.unit
        assert tuple(stage.now()) == (PPM, 0, held, held)
        stage.take(stage.world.lp, held // 2)
        stage.set(SHARE, 0)
        assert stage.now().average == held - held // 2

    def test_set_again_does_not_forget_what_left(self, stage: Stage) -> None:
        stage.shut()
        stage.set(SHARE, 0)
        assert stage.now().average > HELD * stage.unit * 99 // 100
        assert stage.now().available < HELD * stage.unit // 1_000

    def test_tighten_lowers_share_and_exemption_and_raises_neither(self, stage: Stage) -> None:
        w, exempt = stage.world, EXEMPT * stage.unit
        tighten = (w.chain.send, w.vault, "tightenThrottle", stage.token)
        assert refusal(*tighten, SHARE + 1, 0) == ("VaultNotTighter", [SHARE, SHARE + 1])
        looser = refusal(*tighten, MIN_SHARE, exempt + 1)
        assert looser == ("VaultNotTighter", [exempt, exempt + 1])
        name, values = refusal(*tighten, MIN_SHARE - 1, 0)
        assert (name, values[1:]) == ("VaultOutOfBounds", [MIN_SHARE - 1, MIN_SHARE])
        w.send("vault", "tightenThrottle", stage.token, SHARE, exempt // 2)
        assert tuple(stage.now())[:2] == (SHARE, exempt // 2)
        receipt = w.send("vault", "tightenThrottle", stage.token, MIN_SHARE, exempt // 2)
        block = int(receipt["blockNumber"], 16)
        (event,) = w.vault.events(["ThrottleSet"], block, block)
        assert list(event.values.values()) == [stage.token, MIN_SHARE, exempt // 2]
        assert stage.now().available == HELD * stage.unit // 20

    def test_tighten_starts_a_throttle_that_was_not_there(self, world: World) -> None:
        made = World.deploy(world.chain)
        made.deposit(made.lp, HELD)
        made.send("vault", "tightenThrottle", made.token.address, SHARE, 0)
        assert made.vault.read("throttleOf", made.token.address).available == HELD // 4 * 10**6

    def test_exemption_lowered_below_what_was_taken_leaves_none(self, stage: Stage) -> None:
        w, exempt = stage.world, EXEMPT * stage.unit
        w.deposit(w.trader, EXEMPT)
        stage.restart()
        stage.shut()
        stage.take(w.trader, exempt // 2)
        w.send("vault", "tightenThrottle", stage.token, SHARE, exempt // 4)
        assert w.vault.read("exemptLeft", stage.token, w.trader) == 0
        assert w.vault.read("exemptLeft", stage.token, w.other) == exempt // 4

    def test_settings_of_an_unknown_token_and_by_a_stranger_are_refused(self, stage: Stage) -> None:
        w, unknown = stage.world, stage.world.clearing.address
        for values in (
            ("setThrottle", unknown, SHARE, 0),
            ("tightenThrottle", unknown, SHARE, 0),
        ):
            send = (w.chain.send, w.vault, *values)
            assert refusal(*send) == ("VaultUnknownToken", [unknown])
            assert refusal(*send, sender=w.stranger)[0] == "AccessManagedUnauthorized"
        assert refusal(w.vault.read, "throttleOf", unknown)[0] == "VaultUnknownToken"


# On the model, which the differential tests hold the contract to


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 7, 12, 60, 300, 1_800, 3_600]),
        st.sampled_from(["most", "most", "part", "exempt", "deposit", "cycle"]),
        st.integers(1, 10**9),
    ),
    max_size=120,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    steps=steps,
    share=st.sampled_from([MIN_SHARE, 100_000, SHARE, 500_000, 900_000]),
    held=st.sampled_from([1, 9, 10**6, 10**15]),
    exempt=st.sampled_from([0, 3, 10**8]),
)
def test_in_any_hour_less_than_twice_the_share_leaves(
    steps: list[tuple[int, str, int]], share: int, held: int, exempt: int
) -> None:
    """MRG-13: of the average, (1 - share)^2 is there an hour later, but for exemptions."""
    throttle, now = Throttle(), 1_000
    throttle.set(share, exempt, held, now)
    past: list[tuple[int, int, int]] = []
    exempted = 0
    for touches, (wait, kind, amount) in enumerate(steps):
        now += wait
        if kind in ("deposit", "cycle"):
            throttle.advance(held, now)
            held += amount
        if kind != "deposit":
            free = throttle.available(held, now)
            wanted = {"most": free, "cycle": amount, "exempt": exempt}.get(kind, min(amount, held))
            if 0 < wanted <= held:
                try:
                    throttle.check("token", b"owner", wanted, held, now)
                except Refused:
                    pass
                else:
                    exempted += wanted if wanted > free else 0
                    throttle.count_out(b"owner", wanted, held, now)
                    held -= wanted
        past.append((now, throttle.average_at(held, now), touches))
        for at, average, count in past:
            if now - at <= THROTTLE_SECONDS:
                stays = average * (PPM - share) ** 2 // PPM**2
                roundings = touches - count + 2
                assert held >= stays - exempted - roundings


@pytest.mark.parametrize("held", [1, 2, 17, 10**6, 10**24])
def test_the_least_share_lets_everything_out_in_the_end(held: int) -> None:
    """It cannot be kept shut: no exemption, the least share, and somebody who tries every hour."""
    throttle, now, start = Throttle(), 0, held
    throttle.set(MIN_SHARE, 0, held, now)
    hours = 0
    while held:
        free = throttle.available(held, now)
        throttle.count_out(b"owner", free, held, now)
        held, now, hours = held - free, now + HOUR, hours + 1
    assert hours <= 40 * math.log(start + 1) + 40


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    waits=st.lists(st.integers(0, 600), max_size=60),
    held=st.integers(0, 10**20),
    average=st.integers(0, 10**20),
)
def test_many_touches_equal_one(waits: list[int], held: int, average: int) -> None:
    """Within a unit a touch, and never further from what is held than that."""
    often = Throttle(PPM - SHARE, 0, average, 0)
    once = Throttle(PPM - SHARE, 0, average, 0)
    now = 0
    for wait in waits:
        now += wait
        often.advance(held, now)
    once.advance(held, now)
    near = max(10**3, average * len(waits) // 10**15)
    assert abs(often.average - once.average) <= near + len(waits)
