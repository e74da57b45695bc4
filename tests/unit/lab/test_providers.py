"""When liquidity providers come and go. No chain."""

from dataclasses import replace

import numpy as np

from novation.lab.providers import LpSeen, LpStep, provide
from novation.lab.traders import Traits
from novation.units import PPM, WAD

TRAITS = Traits(leverage=PPM, stop=0, slippage=0, appetite=WAD // 10)
STAYS = LpSeen(1000 * WAD, 1000 * WAD, 0, False, False, False)


def test_lp_asks_for_his_money_after_the_loss_he_bears():
    draw = np.random.default_rng(1)
    assert provide(TRAITS, replace(STAYS, value=899 * WAD), draw) is LpStep.ASK
    assert provide(TRAITS, replace(STAYS, value=950 * WAD), np.random.default_rng(1)) is None


def test_lp_takes_his_money_when_it_is_ready_and_not_before():
    draw = np.random.default_rng(1)
    waiting = replace(STAYS, withdrawing=True)
    assert provide(TRAITS, waiting, draw) is None
    assert provide(TRAITS, replace(waiting, ready=True), draw) is LpStep.TAKE
    entering = replace(STAYS, value=0, depositing=True, ready=True)
    assert provide(TRAITS, entering, draw) is LpStep.MINT


def test_lp_who_came_too_late_lets_the_request_lapse():
    late = replace(STAYS, withdrawing=True, ready=True, late=True)
    assert provide(TRAITS, late, np.random.default_rng(1)) is LpStep.LAPSE
