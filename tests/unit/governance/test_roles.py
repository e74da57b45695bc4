"""Who may change what, and how soon: the guardian tightens at once, all else waits its delay."""

from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.deploy.roles import FUNCTIONS, GUARDIAN, RISK, selectors
from novation.units import WAD
from tests.world import DAY, World, account_id, risk, vamm_params

DELAY = 2 * DAY


@pytest.fixture
def governed(world: World) -> World:
    """`other` sets parameters after two days, `stranger` is the guardian."""
    manager = world.manager
    contracts = {
        "ClearingHouse": [world.clearing],
        "MarginVault": [world.vault],
        "PerpMarket": [m.perp for m in world.markets],
        "VAMM": [m.vamm for m in world.markets],
        "Liquidator": [world.liquidator],
        "InsuranceFund": [world.insurance],
    }
    assert contracts.keys() == FUNCTIONS.keys()
    for name, targets in contracts.items():
        for role, functions in selectors(name).items():
            for target in targets:
                world.chain.send(manager, "setTargetFunctionRole", target.address, functions, role)
    world.chain.send(manager, "grantRole", RISK, world.other, DELAY)
    world.chain.send(manager, "grantRole", GUARDIAN, world.stranger, 0)
    return world


def schedule(world: World, target: Contract, function: str, *values: Any) -> None:
    data = target.encode(function, *values)
    world.chain.send(world.manager, "schedule", target.address, data, 0, sender=world.other)


def test_parameters_wait_for_their_delay(governed: World) -> None:
    perp = governed.markets[0].perp
    wanted = risk(fundingCap=5_000)
    with pytest.raises(ContractError, match="AccessManagerNotScheduled"):
        governed.chain.send(perp, "setParams", wanted, sender=governed.other)
    schedule(governed, perp, "setParams", wanted)
    governed.chain.advance(DELAY - 100)
    with pytest.raises(ContractError, match="AccessManagerNotReady"):
        governed.chain.send(perp, "setParams", wanted, sender=governed.other)
    governed.chain.advance(100)
    governed.chain.send(perp, "setParams", wanted, sender=governed.other)
    assert perp.read("params").fundingCap == 5_000


def test_guardian_stops_at_once_and_cannot_start_again(governed: World) -> None:
    perp = governed.markets[0].perp
    governed.chain.send(perp, "reduceOnly", sender=governed.stranger)
    with pytest.raises(ContractError, match="AccessManagedUnauthorized"):
        governed.chain.send(perp, "activate", sender=governed.stranger)
    schedule(governed, perp, "activate")
    governed.chain.advance(DELAY)
    governed.chain.send(perp, "activate", sender=governed.other)
    assert perp.read("state") == 0


def test_guardian_may_lower_caps_and_not_raise_them(governed: World) -> None:
    perp = governed.markets[0].perp
    governed.chain.send(perp, "tightenCaps", 10 * WAD, 1_000, sender=governed.stranger)
    with pytest.raises(ContractError) as caught:
        governed.chain.send(perp, "tightenCaps", 11 * WAD, 1_000, sender=governed.stranger)
    assert caught.value.name == "MarketNotTighter"
    assert list(caught.value.arguments.values()) == [10 * WAD, 11 * WAD]


def test_guardian_slows_withdrawals_at_once_and_cannot_hasten_them(governed: World) -> None:
    """`tightenThrottle` for the guardian, `setThrottle` after RISK's delay."""
    token, guardian = governed.token.address, governed.stranger
    governed.send("vault", "tightenThrottle", token, 100_000, 0, sender=guardian)
    assert governed.vault.read("throttleOf", token).share == 100_000
    for name, share in (("VaultNotTighter", 100_001), ("VaultOutOfBounds", 49_999)):
        with pytest.raises(ContractError, match=name):
            governed.send("vault", "tightenThrottle", token, share, 0, sender=guardian)
    values = ("setThrottle", token, 250_000, 0)
    with pytest.raises(ContractError, match="AccessManagedUnauthorized"):
        governed.send("vault", *values, sender=guardian)
    schedule(governed, governed.vault, *values)
    with pytest.raises(ContractError, match="AccessManagerNotReady"):
        governed.send("vault", *values, sender=governed.other)
    governed.chain.advance(DELAY)
    governed.send("vault", *values, sender=governed.other)
    assert governed.vault.read("throttleOf", token).share == 250_000


def test_guardian_stops_a_venue(governed: World) -> None:
    vamm = governed.markets[0].vamm
    governed.send("clearing", "stopVenue", vamm.address, sender=governed.stranger)
    governed.deposit(governed.trader, 10_000)
    with pytest.raises(ContractError, match="ClearingNotVenue"):
        governed.trade(governed.markets[0], governed.trader, WAD)


def test_guardian_takes_nothing(governed: World) -> None:
    account = governed.deposit(governed.trader, 10_000)
    values = (account, governed.token.address, 1, governed.stranger, [], WAD)
    with pytest.raises(ContractError, match="VaultNotAuthorised"):
        governed.send("vault", "withdraw", *values, sender=governed.stranger)


@pytest.mark.parametrize(
    ("target", "function", "values"),
    [
        ("perp", "setParams", (risk(),)),
        ("perp", "reduceOnly", ()),
        ("perp", "activate", ()),
        ("perp", "beginSettlement", ()),
        ("perp", "tightenCaps", (0, 0)),
        ("vamm", "setParams", (vamm_params(),)),
    ],
)
def test_nobody_else_changes_anything(
    governed: World, target: str, function: str, values: tuple[Any, ...]
) -> None:
    contract = getattr(governed.markets[0], target)
    with pytest.raises(ContractError, match="AccessManagedUnauthorized"):
        governed.chain.send(contract, function, *values, sender=governed.trader)


def test_gov_01_a_rise_of_maintenance_makes_nobody_liquidatable_at_once(governed: World) -> None:
    """LIQ-17, INV-30: the rate ramps from where it stands, over a day at least."""
    account = governed.deposit(governed.trader, 1_000)
    eth = governed.markets[0]
    governed.trade(eth, governed.trader, 4 * WAD)
    before = governed.health(account)
    higher = risk(mmr=99_000, rampSeconds=2 * DAY)
    schedule(governed, eth.perp, "setParams", higher)
    governed.chain.advance(DELAY)
    governed.push(eth.feed, "2000")
    governed.chain.send(eth.perp, "setParams", higher, sender=governed.other)
    assert governed.health(account).maintenance == pytest.approx(before.maintenance, rel=1e-5)
    governed.chain.advance(DAY)
    half = governed.view(eth).mmr
    assert half == pytest.approx((60_000 + 99_000) // 2 * 10**12, rel=1e-4)
    governed.chain.advance(DAY)
    assert governed.view(eth).mmr == 99_000 * 10**12


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("imr", 1_000_001),
        ("mmr", 2_499),
        ("mmr", 100_000),
        ("rampSeconds", DAY - 1),
        ("profitWeight", 500_001),
        ("fundingCap", 50_001),
        ("velocity", 50_001),
        ("interestRate", 1_000_001),
        ("sizeScale", 9_999),
        ("minNotional", 0),
        ("backingMultiple", 0),
        ("backingMultiple", 21),
    ],
)
def test_gov_05_parameters_outside_their_bounds_are_refused(
    world: World, field: str, value: int
) -> None:
    with pytest.raises(ContractError) as caught:
        world.chain.send(world.markets[0].perp, "setParams", risk(**{field: value}))
    assert caught.value.name == "RiskOutOfBounds"
    assert caught.value.arguments["field"].rstrip(b"\0").decode() == field
    assert caught.value.arguments["value"] == value


def test_inv_30_a_setter_changes_no_past_accrual(world: World) -> None:
    account = world.deposit(world.trader, 100_000)
    eth = world.markets[0]
    world.trade(eth, world.trader, 20 * WAD)
    world.chain.advance(1_000)
    now = world.chain.now + 10

    def equity_at(change: bool) -> int:
        with world.isolated() as copy:
            copy.chain.next_at(now)
            if change:
                copy.chain.send(eth.perp, "setParams", risk(fundingCap=0, velocity=0))
            else:
                copy.touch(account)
            copy.chain.next_at(now)
            copy.touch(account)
            after = copy.account(account)
            return int(after.capital + after.pnl)

    assert equity_at(True) == equity_at(False)
    assert account == account_id(world.trader)
