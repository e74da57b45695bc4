"""What stands behind a market's open interest, told to the market (clearing/Backing.sol)."""

from dataclasses import dataclass

from novation.model.atomic import atomic
from novation.model.errors import Refused
from novation.model.resolution import Resolution
from novation.units import WAD


@dataclass
class Backing(Resolution):
    """Insurance cover, and half of the equity of the market's venue."""

    @atomic
    def back(self, market: int, leaving: bool, sender: bytes = bytes(20)) -> tuple[int, int]:
        """Tells the market its backing; open interest and the backed cap, WAD lots.

        `leaving`: money of the market's venue, who asks, has left; what stays must back all.
        """
        perp = self.market(market)
        pool = self.pools.get(market)
        counted = pool.address if pool and self.venues.get(pool.address) == market else None
        money = 0
        if counted is not None:
            a = self._touch_alone(counted + bytes(12)).a
            money = max(a.capital + a.pnl, 0) // 2
        m = perp.accrue()
        if not m.live:
            perp.require_price()
        if self.fund:
            money += self.fund.cover_at(market, self.stored(self.insurance).capital)
        cap = perp.set_backing(money * WAD // m.index)
        if leaving and sender == counted and m.open_interest > cap:
            raise Refused("BackingTooLow", market=market, openInterest=m.open_interest, cap=cap)
        return m.open_interest, cap
