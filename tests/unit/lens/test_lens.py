"""Lens: batched views that say what the contracts would say one by one."""

import pytest

from novation.chain.contract import Contract
from novation.chain.reverts import decode_revert
from novation.units import WAD
from tests.world import DAY, World, account_id


@pytest.fixture
def lens(world: World) -> Contract:
    return world.chain.deploy("Lens", world.clearing.address)


def test_accounts_are_those_of_the_clearing_house(world: World, lens: Contract) -> None:
    ids = [world.deposit(world.trader, 10_000), world.deposit(world.other, 5_000)]
    world.trade(world.markets[0], world.trader, 3 * WAD)
    world.trade(world.markets[1], world.trader, -WAD // 10)
    world.push(world.markets[0].feed, "2015")
    first, second = lens.read("accounts", ids)
    told = world.clearing.read("health", ids[0])
    assert first.ok
    assert first.account == told.touched
    assert first.health == told.h
    sizes = {h.market: h.size for h in first.holdings}
    assert sizes == {0: 3 * WAD, 1: -WAD // 10}
    assert first.holdings[0].notional == 3 * 2_015 * WAD
    assert second.holdings == []
    assert second.account.capital == 5_000 * WAD


def test_free_collateral_can_be_withdrawn_to_the_last_unit(world: World, lens: Contract) -> None:
    account = world.deposit(world.trader, 10_000)
    world.trade(world.markets[0], world.trader, 3 * WAD)
    (free,) = lens.read("freeCollateral", [account])
    assert 0 < free < 10_000 * WAD
    world.withdraw(world.trader, free // 10**12 - 1)
    (left,) = lens.read("freeCollateral", [account])
    assert left < 10**13


def test_quotes_are_the_fills_that_trades_make(world: World, lens: Contract) -> None:
    """The preview and the trade share one plan; both see the same second."""
    account = world.deposit(world.trader, 100_000)
    eth = world.markets[0]
    sizes = [5 * WAD, -5 * WAD, 3_000 * WAD]
    buy, sell, huge = lens.read("quotes", eth.vamm.address, sizes)
    assert buy.ok
    assert sell.ok
    assert not huge.ok
    assert decode_revert(huge.reason).name == "VammDepleted"
    for quote, size in ((buy, sizes[0]), (sell, sizes[1])):
        with world.isolated() as copy:
            copy.chain.next_at(copy.chain.now)
            receipt = copy.trade(eth, copy.trader, size)
            block = int(receipt["blockNumber"], 16)
            (filled,) = eth.vamm.events(["Filled"], block, block)
            fill = quote.fill
            assert filled.values == {
                "account": account,
                "size": size,
                "quote": fill.quote,
                "fee": fill.fee,
                "mid": fill.mid,
            }


def test_one_quote_that_fails_stops_no_other(world: World, lens: Contract) -> None:
    zero, good = lens.read("quotes", world.markets[0].vamm.address, [0, WAD])
    assert decode_revert(zero.reason).name == "VammSizeOutOfRange"
    assert good.ok


def test_markets_show_state_and_the_rate_that_comes(world: World, lens: Contract) -> None:
    world.deposit(world.trader, 100_000)
    eth = world.markets[0]
    world.trade(eth, world.trader, 20 * WAD)
    world.chain.advance(1_800)
    world.touch(account_id(world.trader))
    found, missing = lens.read("markets", [0, 9])
    assert found.ok
    assert found.market == eth.perp.address
    assert found.m == eth.perp.read("peek")
    words = eth.perp.read("words")
    assert found.premiumAverage == words.premiumAverage * 10**9 > 0
    rate = 3 * found.premiumAverage + words.velocity * 10**6
    assert found.fundingRate == min(rate, 12_000 * 10**12)
    assert decode_revert(missing.reason).name == "ClearingUnknownMarket"


def test_funding_shown_is_funding_paid(world: World, lens: Contract) -> None:
    account = world.deposit(world.trader, 100_000)
    eth = world.markets[0]
    world.trade(eth, world.trader, 20 * WAD)
    for _ in range(8):
        world.chain.advance(3_000)
        world.push(eth.feed, "2000")
        world.touch(account)
    before = world.account(account)
    (summary,) = lens.read("markets", [0])
    world.chain.advance(600)
    world.touch(account)
    after = world.account(account)
    paid = before.capital + before.pnl - after.capital - after.pnl
    expected = summary.fundingRate * 40_000 * 601 // DAY
    assert paid == pytest.approx(expected, rel=0.01)


def test_house_shows_totals_held_and_ratio(world: World, lens: Contract) -> None:
    world.deposit(world.trader, 10_000)
    told = lens.read("house")
    assert told.house == world.clearing.read("house")
    assert told.held == world.vault.read("settlementWad") == 2_010_000 * WAD
    assert told.ratio == WAD


@pytest.mark.parametrize("contract", ["clearing", "vault"])
def test_views_work_in_a_multicall(world: World, contract: str) -> None:
    """Several calls of one contract in one transaction, each under the lock in its turn."""
    account = world.deposit(world.trader, 100)
    target: Contract = getattr(world, contract)
    if contract == "vault":
        one = target.encode("deposit", account, world.token.address, 10**6)
        world.send("vault", "multicall", [one, one], sender=world.trader)
        assert world.account(account).capital == 102 * WAD
    else:
        give = target.encode("setDelegate", account, world.other, 1)
        touch = target.encode("touch", [account])
        world.send("clearing", "multicall", [give, touch], sender=world.trader)
        assert target.read("isAuthorised", account, world.other, 1)


def test_multicall_of_the_vamm_trades_twice_or_not_at_all(world: World) -> None:
    account = world.deposit(world.trader, 10_000)
    vamm = world.markets[0].vamm
    buy = vamm.encode("trade", account, WAD, 2**256 - 1, 2**256 - 1)
    world.chain.send(vamm, "multicall", [buy, buy], sender=world.trader)
    assert world.size(account, world.markets[0]) == 2 * WAD
    late = vamm.encode("trade", account, WAD, 2**256 - 1, 1)
    with pytest.raises(Exception, match="VammExpired"):
        world.chain.send(vamm, "multicall", [buy, late], sender=world.trader)
    assert world.size(account, world.markets[0]) == 2 * WAD
