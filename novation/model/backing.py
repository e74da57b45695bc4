"""What stands behind a market's open interest, told to the market (clearing/Backing.sol)."""

from dataclasses import dataclass

from novation.model.atomic import atomic
from novation.model.errors import Refused
from novation.model.market_types import MarketState
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
        m = perp.accrue()
        if not m.live:
            perp.require_price()
        money = 0
        if self.fund:
            money += self.fund.cover_at(market, self.stored(self.insurance).capital)
        pool = self.pools.get(market)
        counted = pool.address if pool and self.venues.get(pool.address) == market else None
        if counted is not None:
            account = counted + bytes(12)
            for number in range(len(self.markets)):
                if number != market and self.stored(account).bitmap >> number & 1:
                    self.market(number).accrue()
            a, _ = self.health(account)
            money += max(a.capital + a.pnl, 0) // 2
        cap = perp.set_backing(money * WAD // m.index)
        held = leaving and m.state < MarketState.SETTLING and sender == counted
        if held and m.open_interest > cap:
            raise Refused("BackingTooLow", market=market, openInterest=m.open_interest, cap=cap)
        return m.open_interest, cap
