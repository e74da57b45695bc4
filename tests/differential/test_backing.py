"""The backed cap against the model: LPs and stakers come and go, cover is drawn."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novation.model.legs import Leg
from novation.units import WAD
from tests.differential.steps import (
    Step,
    cooldowns,
    exits,
    liquidity,
    listed_world,
    markets,
    mixed,
    owner_of,
    owners,
    pools,
    rounds,
    trades,
    twin_of,
    waits,
)
from tests.differential.stress import bets, resolutions, stressed
from tests.differential.test_ledger import repeatable
from tests.local_chain import local_chain
from tests.twin import Twin
from tests.world import DAY, World, account_id

MULTIPLE = 1
"""Low, so that what the pools have is soon open."""
SEEN = {
    ("back", None), ("back", "OracleStale"), ("clear", "ClearingOpenInterestCap"),
    ("vamm.executeDeposit", None), ("vamm.executeWithdrawal", None),
    ("vamm.executeWithdrawal", "BackingTooLow"), ("vamm.executeInKind", None),
    ("deposit", None), ("request", None), ("redeem", None), ("lapse", None), ("resolve", None),
    ("setParams", None), ("tightenCaps", None),
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with local_chain() as chain:
        yield listed_world(chain, backingMultiple=MULTIPLE)


@st.composite
def backs(draw: st.DrawFn) -> Step:
    market, owner, leaving = draw(markets), draw(owners), draw(st.booleans())
    fresh = draw(st.booleans())

    def step(twin: Twin) -> None:
        if fresh:
            twin.push(market, twin.feeds[market].answer)
        twin.back(owner_of(twin.world, owner), market, leaving)

    return step


@st.composite
def openings(draw: st.DrawFn) -> Step:
    """Two accounts with plenty take a part of what is left below the cap, or a little more."""
    market, ends = draw(markets), draw(st.sampled_from([(2, 3), (3, 2)]))
    percent = draw(st.sampled_from([30, 60, 100, 101, 150]))
    fresh = draw(st.booleans())

    def step(twin: Twin) -> None:
        accounts = []
        for owner in ends:
            address = owner_of(twin.world, owner)
            accounts.append(account_id(address, 3 + market))
            twin.world.known[accounts[-1]] = None
            if twin.model.health(accounts[-1])[1].free < 50_000 * WAD:
                twin.deposit(address, 3 + market, 300_000 * 10**6)
        if fresh:
            twin.push(market, twin.feeds[market].answer)
        m = twin.model.markets[market].peek()
        room = max(min(m.open_interest_cap, 10**6 * WAD**2 // m.index) - m.open_interest, 0)
        size = room * percent // 100 + least(m.index)
        cash = size * m.index // WAD
        twin.clear(market, [Leg(accounts[0], size, -cash, 0), Leg(accounts[1], -size, cash, 0)], 0)

    return step


def least(index: int) -> int:
    """Lots just worth a position."""
    return 60 * WAD * WAD // index


@st.composite
def stakes(draw: st.DrawFn) -> Step:
    """A stake comes in, asks to leave, leaves when its cooldown is over, or lapses."""
    kind = draw(st.sampled_from(["deposit", "deposit", "request", "redeem", "lapse"]))
    owner, part = draw(st.integers(0, 1)), draw(st.sampled_from([1, 10, 60, 100]))

    def step(twin: Twin) -> None:
        holder = owner_of(twin.world, owner)
        name, fund = bytes.fromhex(holder[2:]), twin.fund
        if kind == "deposit":
            twin.insure(holder, part * 500 * 10**6, [])
            return
        shares = fund.balance_of(name) * part // 100
        ask = lambda: fund.request(shares, name)  # noqa: E731
        twin.both_from(holder, ask, "insurance", "request", shares)
        if kind == "redeem":
            twin.warp(7 * DAY + 60)
            pay = lambda: fund.redeem(shares, name, name, name)  # noqa: E731
            twin.both_from(holder, pay, "insurance", "redeem", shares, holder, holder)
        elif kind == "lapse":
            twin.warp(9 * DAY)
            end = lambda: fund.lapse(name)  # noqa: E731
            twin.both_from(holder, end, "insurance", "lapse", holder)

    return step


@st.composite
def limits(draw: st.DrawFn) -> Step:
    """Another multiple, or a lower static cap."""
    market, multiple = draw(markets), draw(st.integers(1, 3))
    guardian, part = draw(st.booleans()), draw(st.integers(20, 99))

    def step(twin: Twin) -> None:
        perp = twin.model.markets[market]
        contract = twin.world.markets[market].perp
        p = contract.read("params")._asdict()
        if guardian:
            cap = perp.params.open_interest_cap * part // 100
            values = (cap, perp.params.account_cap)
            twin.perp(market, lambda: perp.tighten_caps(*values), "tightenCaps", *values)
            return
        changed = p | {"backingMultiple": multiple}
        mine = replace(perp.params, backing_multiple=multiple)
        twin.perp(market, lambda: perp.set_params(mine), "setParams", changed)

    return step


MIXED = {
    openings: 26, backs: 14, stakes: 12, exits: 12, liquidity: 8, rounds: 8, trades: 4, bets: 5,
    resolutions: 6, limits: 3, cooldowns: 1, waits: 2,
}  # fmt: skip


def test_backed_cap_equals_the_model(world: World) -> None:
    """INV-01, RE-5: what is told, what is refused, and every stored value, after each step."""
    seen: Counter[tuple[str, str | None]] = Counter()

    @settings(repeatable, max_examples=10)
    @given(st.lists(mixed(MIXED), min_size=50, max_size=60))
    def walk(sequence: list[Step]) -> None:
        with world.isolated() as copy:
            twin = twin_of(copy, backingMultiple=MULTIPLE)
            pools(twin)
            stressed(twin)
            for step in sequence:
                step(twin)
                twin.compare()
            twin.check_events()
            copy.check_identity()
            seen.update(twin.outcomes)

    walk()
    assert not SEEN - seen.keys()
