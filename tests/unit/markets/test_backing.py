"""The cap of open interest in force: the lower of the static one and the backed one.

Steps through `Pair` are made by contract and model alike and compared word by word.
"""

from dataclasses import replace

from novation.model.market import MarketState
from novation.units import WAD
from tests.unit.markets.conftest import DAY, RISK, Bench, Pair


def test_market_never_told_has_its_static_cap_alone(bench: Bench) -> None:
    market = bench.pair(risk=replace(RISK, open_interest_cap=2**79, backing_multiple=1))
    assert market.same().open_interest_cap == 2**79
    lots, _, told = market.contract.read("backing")
    assert (lots, told) == (2**80 - 1, False)


def test_cap_in_force_is_the_lower_of_static_and_backed(market: Pair) -> None:
    market.set_params(backing_multiple=12)
    for lots, cap in ((100 * WAD, 1_200 * WAD), (0, 0), (2_000 * WAD, 20_000 * WAD)):
        market.set_backing(lots)
        assert market.same().open_interest_cap == cap
        assert market.contract.read("backing") == (lots, 12 * lots, True)
        assert market.contract.read("params").openInterestCap == 20_000 * WAD


def test_telling_emits_the_lots_and_saturates_below_never_told(market: Pair) -> None:
    chain = market.chain
    receipt = chain.send(market.contract, "setBacking", 7 * WAD)
    (event,) = market.contract.events(["BackingSet"], *[int(receipt["blockNumber"], 16)] * 2)
    assert event.values["backing"] == 7 * WAD
    market.clock.now = chain.now
    market.set_backing(2**100)
    assert market.contract.read("backing")[::2] == (2**80 - 2, True)


def test_new_multiple_moves_the_cap_at_once(market: Pair) -> None:
    market.set_params(backing_multiple=10)
    market.set_backing(100 * WAD)
    market.set_params(backing_multiple=4)
    assert market.same().open_interest_cap == 400 * WAD


def test_guardian_tightens_the_static_cap_and_never_loosens_the_backed_one(
    market: Pair,
) -> None:
    p, tighten = market.model.params, market.model.tighten_caps
    market.set_params(backing_multiple=10)
    market.set_backing(100 * WAD)
    for static, cap in ((5_000 * WAD, 1_000 * WAD), (600 * WAD, 600 * WAD)):
        values = (static, p.account_cap)
        market.both(lambda values=values: tighten(*values), 1, "tightenCaps", *values)
        assert market.same().open_interest_cap == cap
    market.set_backing(10**4 * WAD)
    assert market.same().open_interest_cap == 600 * WAD
    values = (600 * WAD + 1, p.account_cap)
    market.both(lambda: tighten(*values), 1, "tightenCaps", *values)
    assert market.refusals == {"MarketNotTighter": 1}


def test_settlement_keeps_its_time_beside_the_caps(market: Pair) -> None:
    market.set_backing(3 * WAD)
    market.begin_settlement()
    market.set_backing(4 * WAD)
    market.accrue(DAY - 3)
    assert market.same().state is MarketState.SETTLING
    market.accrue(5)
    assert market.same().state is MarketState.CLOSED
