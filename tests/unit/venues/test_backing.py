"""What the pool's LPs do to the cap of open interest, in the model: it follows their money."""

from dataclasses import replace

import pytest

from novation.model.errors import Refused
from novation.units import WAD
from tests.unit.venues.conftest import LP, LP_2, OTHER, RISK, TRADER, Pool, account


def backed(pool: Pool) -> int:
    """Half of the pool's equity in lots at the index, times the multiple."""
    return pool.equity() // 2 * WAD // pool.price * RISK.backing_multiple


def test_deposit_raises_the_cap_by_half_of_it() -> None:
    pool = Pool(10**6 * WAD)
    assert pool.market.peek().open_interest_cap == 20 * 250 * WAD == backed(pool)
    pool.add(LP_2, 400_000 * WAD)
    assert pool.market.peek().open_interest_cap == 20 * 350 * WAD == backed(pool)


def test_exits_lower_the_cap_to_what_stays() -> None:
    """In cash and in kind; the exit fee stays, and so do a half of the pool's gains."""
    pool = Pool(10**6 * WAD)
    shares = pool.add(LP_2, 10**6 * WAD)
    pool.trade(20 * WAD)
    pool.leave(LP_2, shares // 2)
    pool.vamm.execute_withdrawal(account(LP_2))
    assert pool.market.backed_cap == backed(pool)
    assert 7_500 * WAD < pool.market.backed_cap < 7_520 * WAD
    pool.leave(LP_2, shares // 2)
    pool.vamm.execute_in_kind(account(LP_2), sender=LP_2)
    assert pool.market.backed_cap == backed(pool)
    assert 5_000 * WAD < pool.market.backed_cap < 5_020 * WAD


def test_cash_is_refused_and_nothing_has_changed_where_the_rest_does_not_back() -> None:
    pool = Pool(10**6 * WAD)
    shares = pool.add(LP_2, 10**6 * WAD)
    pool.trade(35 * WAD, TRADER)
    pool.trade(-35 * WAD, OTHER)
    pool.trade(-30 * WAD, OTHER)
    assert pool.market.words.open_interest == 65 * WAD
    pool.market.set_params(replace(RISK, backing_multiple=1))
    for owner, part in ((LP_2, shares), (LP, 4 * shares // 5)):
        pool.leave(owner, part)
        if owner == LP_2:
            pool.vamm.execute_withdrawal(account(owner))
    before = pool.vamm.snapshot()
    with pytest.raises(Refused) as caught:
        pool.vamm.execute_withdrawal(account(LP))
    found = caught.value.values
    assert caught.value.name == "BackingTooLow"
    assert found["openInterest"] == 65 * WAD > found["cap"] > 49 * WAD
    assert pool.vamm.snapshot() == before
    pool.trade(20 * WAD, OTHER)
    assert pool.vamm.execute_withdrawal(account(LP)) > 790_000 * WAD
