"""A winner takes his profit out in one transaction, and names nobody."""

from typing import Any

import pytest

from novation.chain import ContractError, Receipt, Sender, UnlockedAccount, collection
from novation.chain.collection import (
    Core,
    NotBacked,
    TooManyToTouch,
    collect,
    read_books,
    read_changes,
    stored_accounts,
    whom_to_touch,
    withdraw,
)
from novation.units import WAD, show_wad
from tests.paths.acts import any_venue, calm, cross, round_
from tests.paths.losses import against, end, insured
from tests.world import World

TOKEN = 10**6
MIN_GAS = 3_000_000
BROKEN = "0x60006000fd"


@pytest.fixture
def venue(world: World) -> str:
    return any_venue(world)


def core(world: World) -> Core:
    return Core(world.clearing, world.vault)


def sender(world: World, owner: str) -> Sender:
    return Sender(world.chain, UnlockedAccount(world.chain, owner))


def tokens(world: World, owner: str) -> int:
    return int(world.token.read("balanceOf", owner))


def crowd(world: World, venue: str, sizes: list[int]) -> tuple[bytes, list[bytes]]:
    """The trader is long against shorts of `other`'s sub-accounts, of so many lots each."""
    long = world.deposit(world.trader, 20_000)
    shorts = [world.deposit(world.other, 20_000, sub) for sub in range(len(sizes))]
    for short, size in zip(shorts, sizes, strict=True):
        cross(world, venue, long, short, size * WAD, 2_000)
    return long, shorts


def rise(world: World, *prices: str) -> None:
    for price in prices:
        world.chain.advance(600)
        round_(world, world.markets[0], price)
    calm(world, world.markets[0], prices[-1])


def sell(world: World, venue: str, account: bytes, lots: int, price: int) -> None:
    """At the index, to somebody with plenty."""
    cross(world, venue, world.deposit(world.stranger, 100_000), account, lots * WAD, price)


def touched_in(world: World, receipt: Receipt) -> list[bytes]:
    """Accounts whose words a transaction changed, in order."""
    events = world.clearing.events(["AccountSet"], receipt.block, receipt.block)
    return list(dict.fromkeys(event.values["account"] for event in events))


def worth_in_tokens(world: World, account: bytes) -> int:
    a = world.clearing.read("health", account).touched
    return int(a.capital + a.pnl) // 10**12


def take_all(world: World, owner: str, account: bytes) -> Receipt:
    """Everything a flat account has, in token units; what is finer stays."""
    amount, before = worth_in_tokens(world, account), tokens(world, owner)
    receipt = withdraw(core(world), sender(world, owner), account, amount)
    assert tokens(world, owner) - before == amount
    return receipt


def test_flat_winner_takes_all_profit_in_one_transaction(world: World, venue: str) -> None:
    long, shorts = crowd(world, venue, [1, 4, 2])
    rise(world, "2050", "2100")
    sell(world, venue, long, 7, 2_100)
    assert world.clearing.read("releaseRatio") == 0
    with pytest.raises(ContractError, match="ClearingReleaseRatio"):
        world.withdraw(world.trader, 20_100 * TOKEN)
    sent = world.chain.nonce(world.trader)
    receipt = take_all(world, world.trader, long)
    assert world.chain.nonce(world.trader) == sent + 1
    assert world.account(long).capital + world.account(long).pnl < 10**12
    # 700 are missing: all three have lost; the largest comes first.
    assert touched_in(world, receipt) == [shorts[1], shorts[2], shorts[0], long]
    assert world.clearing.read("releaseRatio") == WAD


def test_pools_loss_is_collected_as_any_other(world: World) -> None:
    """The usual case: traders on the vAMM; nobody but the pool has lost."""
    eth = world.markets[0]
    long = world.deposit(world.trader, 20_000)
    world.trade(eth, world.trader, 5 * WAD)
    rise(world, "2050", "2100")
    world.touch(long)
    assert world.clearing.read("releaseRatio") < WAD // 10
    a, h = world.clearing.read("health", long)
    assert a.pnl > 400 * WAD
    amount = (h.free + a.pnl) // 10**12 - 10 * TOKEN
    receipt = withdraw(core(world), sender(world, world.trader), long, amount)
    assert touched_in(world, receipt) == [eth.pool, long]


def test_no_more_are_touched_than_recorded_profit_needs(world: World, venue: str) -> None:
    _, shorts = crowd(world, venue, [4, 2])
    one = world.deposit(world.trader, 1_000, 1)
    cross(world, venue, one, shorts[1], WAD, 2_000)
    rise(world, "2050", "2100")
    sell(world, venue, one, 1, 2_100)
    receipt = take_all(world, world.trader, one)
    assert touched_in(world, receipt) == [shorts[0], one]


def test_winner_with_an_open_position_takes_what_margin_leaves(world: World, venue: str) -> None:
    long, shorts = crowd(world, venue, [10])
    rise(world, "2050", "2100")
    a, h = world.clearing.read("health", long)
    amount = (h.free + a.pnl) // 10**12 - TOKEN
    assert amount > h.free // 10**12 + 900 * TOKEN
    receipt = withdraw(core(world), sender(world, world.trader), long, amount)
    assert touched_in(world, receipt) == [shorts[0], long]
    left = world.account(long)
    assert left.capital + left.pnl == pytest.approx(a.capital + a.pnl - amount * 10**12, abs=WAD)
    assert 0 <= left.pnl < 2 * WAD
    assert world.size(long, world.markets[0]) == pytest.approx(10 * WAD, abs=10)


def test_capital_leaves_without_a_touch_of_anybody(world: World, venue: str) -> None:
    long, _ = crowd(world, venue, [1])
    rise(world, "2100")
    receipt = withdraw(core(world), sender(world, world.trader), long, 1_000 * TOKEN)
    assert touched_in(world, receipt) == [long]


def test_more_than_there_is_is_refused_by_the_clearing_house(world: World, venue: str) -> None:
    long, _ = crowd(world, venue, [1])
    rise(world, "2100")
    sell(world, venue, long, 1, 2_100)
    assert whom_to_touch(core(world), long, 20_101 * WAD) == []
    with pytest.raises(ContractError, match=r"ClearingReleaseRatio|ClearingCapitalTooLow"):
        withdraw(core(world), sender(world, world.trader), long, 20_101 * TOKEN)


def test_re_14_rl_2_winners_are_left_alone(world: World, venue: str) -> None:
    """To touch the other winner would record 2,000 of profit more; he is not, and loses nothing."""
    long, shorts = crowd(world, venue, [2])
    second = world.deposit(world.lp, 50_000)
    cross(world, venue, second, shorts[0], 20 * WAD, 2_000)
    rise(world, "2050", "2100")
    sell(world, venue, long, 2, 2_100)
    entitled = worth_in_tokens(world, second)
    receipt = take_all(world, world.trader, long)
    assert touched_in(world, receipt) == [shorts[0], long]
    assert worth_in_tokens(world, second) == pytest.approx(entitled, abs=TOKEN)
    assert world.account(second).pnl == 0


def test_acc_09_winner_is_paid_though_payers_were_late_and_the_next_can_close(
    world: World, venue: str
) -> None:
    """The short who owes stays in; the long closes and is paid in full, and so is the next one."""
    long, shorts = crowd(world, venue, [5])
    later = world.deposit(world.lp, 20_000)
    rise(world, "2050", "2100")
    cross(world, venue, later, long, 5 * WAD, 2_100)
    take_all(world, world.trader, long)
    rise(world, "2120")
    sell(world, venue, later, 5, 2_120)
    assert worth_in_tokens(world, later) == pytest.approx(20_100 * TOKEN, abs=TOKEN)
    take_all(world, world.lp, later)
    assert world.account(shorts[0]).pnl == 0


def test_losers_without_enough_are_an_error_with_the_numbers(world: World, venue: str) -> None:
    """A short with 5,000 owes 8,000 of a rise by 400: 3,000 are missing until he is resolved."""
    long, short = against(world, venue, 10_000, 5_000)
    rise(world, "2130", "2260", "2400")
    sell(world, venue, long, 20, 2_400)
    with pytest.raises(NotBacked) as caught:
        withdraw(core(world), sender(world, world.trader), long, 18_000 * TOKEN)
    assert caught.value.missing == pytest.approx(3_000 * WAD, rel=1e-3)
    assert caught.value.ratio == pytest.approx(5 * WAD // 8, rel=1e-3)
    assert str(caught.value).startswith(f"{show_wad(caught.value.missing)} quote are missing")
    # Resolved with insurance's money, the same withdrawal goes through.
    insured(world)
    end(world, short, "2400")
    take_all(world, world.trader, long)


def test_too_many_losers_for_one_transaction_are_collected_before(world: World, venue: str) -> None:
    long, shorts = crowd(world, venue, [1] * 8)
    rise(world, "2050", "2100")
    sell(world, venue, long, 8, 2_100)
    mine = sender(world, world.trader)
    budget = 300_000
    with pytest.raises(TooManyToTouch) as caught:
        withdraw(core(world), mine, long, 20_799 * TOKEN, budget=budget)
    assert (caught.value.accounts, caught.value.budget) == (8, budget)
    collector = world.chain.deploy("Collector", world.clearing.address)
    keeper = sender(world, world.stranger)
    done = collect(core(world), collector, keeper, budget=MIN_GAS + budget)
    assert {change.account for change in done.touched} == set(shorts)
    assert len(done.sent) == 2
    withdraw(core(world), mine, long, 20_799 * TOKEN, budget=budget)


def test_account_that_cannot_be_touched_is_passed_over(world: World, venue: str) -> None:
    """The largest loser is also in a market whose oracle reverts."""
    _, shorts = crowd(world, venue, [1, 5, 2])
    bad = world.list_market("2000")
    maker = world.deposit(world.lp, 100_000)
    cross(world, venue, shorts[1], maker, WAD // 10, 2_000, bad.number)
    one = world.deposit(world.trader, 1_000, 1)
    cross(world, venue, one, shorts[0], 2 * WAD, 2_000)
    rise(world, "2050", "2100")
    sell(world, venue, one, 2, 2_100)
    wanted = worth_in_tokens(world, one) * 10**12
    assert whom_to_touch(core(world), one, wanted) == [shorts[1]]
    own = world.chain.code(bad.oracle.address)
    world.chain.request("anvil_setCode", bad.oracle.address, BROKEN)
    block = world.chain.block_number()
    _, unread = read_changes(core(world), stored_accounts(core(world), block), block)
    assert set(unread) == {shorts[1], maker}
    receipt = take_all(world, world.trader, one)
    assert touched_in(world, receipt) == [shorts[0], one]
    world.chain.request("anvil_setCode", bad.oracle.address, "0x" + own.hex())


def test_account_whose_touch_reverts_is_left_out_by_simulation(
    world: World, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its health can be read, its touch cannot be sent: here because the answer is made up."""
    _, shorts = crowd(world, venue, [1, 5, 2])
    one = world.deposit(world.trader, 1_000, 1)
    cross(world, venue, one, shorts[0], 2 * WAD, 2_000)
    rise(world, "2050", "2100")
    sell(world, venue, one, 2, 2_100)
    true_refusals = collection.refusals

    def refusals(at: Core, accounts: list[bytes], block: int) -> dict[bytes, Any]:
        found = true_refusals(at, accounts, block)
        assert found == {}
        bad = {shorts[1]: ContractError("ClearingUnknownMarket", {})}
        return {a: e for a, e in bad.items() if a in accounts}

    monkeypatch.setattr(collection, "refusals", refusals)
    receipt = take_all(world, world.trader, one)
    assert touched_in(world, receipt) == [shorts[0], one]


def test_state_that_moves_after_the_reading_makes_it_choose_anew(
    world: World, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody touches a winner between: more profit is recorded than the choice was made for."""
    long, shorts = crowd(world, venue, [6, 4])
    one = world.deposit(world.trader, 3_000, 1)
    cross(world, venue, one, shorts[1], 4 * WAD, 2_000)
    rise(world, "2050", "2100")
    sell(world, venue, one, 4, 2_100)
    choices: list[list[bytes]] = []
    true_choice = collection.whom_to_touch

    def whom(*values: Any) -> list[bytes]:
        choices.append(true_choice(*values))
        if len(choices) == 1:
            world.touch(long)
        return choices[-1]

    monkeypatch.setattr(collection, "whom_to_touch", whom)
    receipt = take_all(world, world.trader, one)
    assert choices == [[shorts[1]], [shorts[1], shorts[0]]]
    assert touched_in(world, receipt) == [shorts[1], shorts[0], one]


def test_state_that_moves_every_time_is_given_up(
    world: World, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, _ = crowd(world, venue, [4])
    rise(world, "2050", "2100")
    sell(world, venue, long, 4, 2_100)
    choices: list[bytes] = []

    def nobody(_: Core, account: bytes, *__: Any) -> list[bytes]:
        choices.append(account)
        return []

    monkeypatch.setattr(collection, "whom_to_touch", nobody)
    sent = world.chain.nonce(world.trader)
    with pytest.raises(ContractError, match="ClearingReleaseRatio"):
        withdraw(core(world), sender(world, world.trader), long, 20_300 * TOKEN)
    assert choices == [long] * collection.ATTEMPTS
    assert world.chain.nonce(world.trader) == sent


def test_collect_touches_losers_only_and_says_who_is_refused(world: World, venue: str) -> None:
    long, shorts = crowd(world, venue, [1, 5, 2])
    bad = world.list_market("2000")
    maker = world.deposit(world.lp, 100_000)
    cross(world, venue, shorts[1], maker, WAD // 10, 2_000, bad.number)
    rise(world, "2050", "2100")
    collector = world.chain.deploy("Collector", world.clearing.address)
    own = world.chain.code(bad.oracle.address)
    world.chain.request("anvil_setCode", bad.oracle.address, BROKEN)
    before = world.chain.block_number()
    plan = collect(core(world), collector, None)
    assert world.chain.block_number() == before
    assert [c.account for c in plan.touched] == [shorts[2], shorts[0]]
    assert set(plan.refused) == {shorts[1], maker}
    assert plan.sent == []
    done = collect(core(world), collector, sender(world, world.stranger))
    assert done.touched == plan.touched
    (receipt,) = done.sent
    assert touched_in(world, receipt) == [shorts[2], shorts[0]]
    assert done.after.backing - done.before.backing == pytest.approx(300 * WAD, rel=1e-3)
    assert done.after == read_books(core(world), world.chain.block_number())
    assert world.account(long).pnl == 0
    world.chain.request("anvil_setCode", bad.oracle.address, "0x" + own.hex())
    again = collect(core(world), collector, sender(world, world.stranger))
    assert [c.account for c in again.touched] == [shorts[1]]
    assert again.refused == {}
    assert collect(core(world), collector, sender(world, world.stranger)).sent == []
