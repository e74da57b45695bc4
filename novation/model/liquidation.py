"""How much of an unhealthy position is taken, and for what (risk/LiquidationMath.sol).

E equity (0 <= E < M), M maintenance, h = E / M, r the position's own rate of it:
reward = rewardMin + (rewardMax - rewardMin) * (1 - h); reward + penalty <= r * h, the penalty gives
way first. The smallest value that restores E to t * M is (t * M - E) / (t * r - reward - penalty).
"""

from dataclasses import dataclass

from novation.model.errors import Refused
from novation.model.fixed import div_up, mul_wad_up
from novation.units import PPM, PPM_IN_WAD, WAD

MIN_TARGET, MAX_TARGET, MAX_BUDGET = 1_010_000, 3_000_000, 100_000
SLACK = 10**3
"""Taken off the bound r * h, WAD: more than all roundings come to."""


@dataclass(frozen=True)
class LiquidationTerms:
    """Rates in ppm of the value taken; values in whole quote, `min_reward` in 1e-3 quote."""

    reward_min: int
    reward_max: int
    penalty: int
    target: int
    min_lot: int
    whole_below: int
    min_reward: int
    budget: int

    def check(self, mmr: int, min_notional: int) -> None:
        """Refuses the first value outside its bounds; `mmr` in ppm, `min_notional` whole quote."""
        # Splitting into least lots must not earn more than it costs.
        most = (self.reward_min + self.penalty) * self.min_lot // 1_000
        for field, value, least, bound in (
            ("rewardMin", self.reward_min, 1, self.reward_max),
            ("rewardMax + penalty", self.reward_max + self.penalty, 1, mmr - 1),
            ("target", self.target, MIN_TARGET, MAX_TARGET),
            ("minLot", self.min_lot, 1, self.whole_below),
            ("wholeBelow", self.whole_below, min_notional, 2**32 - 1),
            ("budget", self.budget, 0, MAX_BUDGET),
            ("minReward", self.min_reward, 0, most),
        ):
            if not least <= value <= bound:
                passed = least if value < least else bound
                raise Refused("LiquidatorOutOfBounds", field=field, value=value, bound=passed)

    def lots(self, index: int) -> int:
        """The least that may be taken, WAD lots, rounded up."""
        return div_up(self.min_lot * WAD * WAD, index)

    def leaves_dust(self, left: int, index: int) -> bool:
        return left * index // WAD < self.whole_below * WAD

    def rates(self, rate: int, health: int) -> tuple[int, int]:
        """Reward and penalty rates, WAD; `rate` r and `health` h, WAD."""
        most = max(rate * health // WAD - SLACK, 0)
        span = (self.reward_max - self.reward_min) * PPM_IN_WAD
        reward = min(self.reward_min * PPM_IN_WAD + span * (WAD - health) // WAD, most)
        return reward, min(self.penalty * PPM_IN_WAD, most - reward)

    def plan(
        self, equity: int, maintenance: int, size: int, index: int, own: int, max_size: int
    ) -> tuple[int, int, int]:
        """Lots taken, reward and penalty, WAD; `own` is this position's maintenance."""
        rate = own * WAD // mul_wad_up(size, index)
        reward_rate, penalty_rate = self.rates(rate, equity * WAD // maintenance)
        needed = div_up(self.target * maintenance, PPM) - equity
        restores = rate * self.target // PPM - reward_rate - penalty_rate
        x = self._size(size, index, needed, restores)
        if x > max_size:
            least = min(x, self.lots(index))
            whole = self.leaves_dust(size - max_size, index)
            if max_size < least or whole:
                raise Refused("LiquidationCapTooLow", maxSize=max_size, least=x if whole else least)
            x = max_size
        value = x * index // WAD
        return x, value * reward_rate // WAD, value * penalty_rate // WAD

    def _size(self, size: int, index: int, needed: int, restores: int) -> int:
        if restores == 0:
            return size
        x = max(div_up(div_up(needed * WAD, restores) * WAD, index), self.lots(index))
        return size if x >= size or self.leaves_dust(size - x, index) else x
