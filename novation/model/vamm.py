"""The vAMM: fills traders against its own account along its curve (venues/VAMM.sol).

One plan serves quotes and trades. Each public method is one transaction; `sender` is the 20-byte
address that calls.
"""

from novation.model import curve
from novation.model.atomic import atomic
from novation.model.errors import Refused
from novation.model.fixed import full_mul_div, full_mul_div_up, mul_wad_up, tdiv
from novation.model.legs import Ask, Fill
from novation.model.market import MarketView
from novation.model.vamm_shares import TRADE, Clearing, Money, VammShares
from novation.model.vamm_types import Request, State, VammParams
from novation.units import FEE_UNIT, PPM, PPM_IN_WAD, WAD

MAX_SIZE = 2**79
MAX_QUOTE = 2**120
"""Of what a fill costs and of the mid that it leaves."""
MAX_AGE = 600
MAX_FEE = WAD // 20


class Vamm(VammShares):
    """A virtual AMM around the index."""

    @atomic
    def trade(self, account: bytes, size: int, limit: int, deadline: int, sender: bytes) -> Fill:
        """Exactly `size` lots, positive buys; `limit` is the worst price with fee."""
        return self._fill(account, Ask(size, 0, limit), deadline, sender)

    @atomic
    def trade_quote(
        self, account: bytes, quote: int, limit: int, deadline: int, sender: bytes
    ) -> Fill:
        """Exactly `quote` without fee: positive spends it on a buy, negative sells for it."""
        return self._fill(account, Ask(0, quote, limit), deadline, sender)

    @atomic
    def close(self, account: bytes, limit: int, deadline: int, sender: bytes) -> Fill:
        """Closes the whole position of the account."""
        return self._fill(account, Ask(0, 0, limit, closing=True), deadline, sender)

    def quote_trade(self, size: int) -> Fill:
        """The fill that `trade` would make now, margin and caps apart."""
        if size == 0:
            raise Refused("VammSizeOutOfRange", size=0)
        return self._plan(self._peek(), self._held(), size, 0)

    def quote_trade_quote(self, quote: int) -> Fill:
        """The fill that `trade_quote` would make now."""
        return self._plan(self._peek(), self._held(), 0, quote)

    def curve(self) -> tuple[int, int, int, int]:
        """Mid, peg (WAD quote per lot), base reserve and root (WAD lots) now."""
        if self.state.root == 0:
            return 0, 0, 0, 0
        m = self._peek()
        x = self._reserve(self._held())
        peg = self._peg_returned(m.index, x)
        return curve.mid(peg, self.state.root, x), peg, x, self.state.root

    def _fill(self, account: bytes, ask: Ask, deadline: int, sender: bytes) -> Fill:
        if self.clock.now > deadline:
            raise Refused("VammExpired", time=self.clock.now, deadline=deadline)
        if not self.clearing.is_authorised(account, sender, TRADE):
            raise Refused("VammNotAuthorised", account=account, caller=sender)
        f = self.clearing.fill(self.market, account, ask, self)
        self.filled(f)
        return f

    def filled(self, f: Fill) -> None:
        """After a fill: a peg that returned stays where it is."""
        if f.peg != self._peg_at(f.index):
            self._set_curve(self.state.root, f.peg, f.index)

    def plan_fill(self, m: MarketView, taker: bytes, held: int, has: int, ask: Ask) -> Fill:
        """The fill just asked for; `held` by the pool and `has` by the taker, WAD lots."""
        if ask.closing and has == 0:
            raise Refused("VammNoPosition", account=taker)
        f = self._plan(m, held, -has if ask.closing else ask.size, ask.quote)
        _check_limit(f, ask.limit)
        return f

    def _plan(self, m: MarketView, held: int, size: int, quote: int) -> Fill:
        """The one plan of a fill: exact `size`, or exact `quote` when size is 0."""
        root, p = self.state.root, self.params
        if root == 0:
            raise Refused("VammNoLiquidity")
        x = self._reserve(held)
        peg = self._peg_returned(m.index, x)
        exact, size = size != 0, size or _size_for(peg, root, x, quote)
        if size == 0 or abs(size) >= MAX_SIZE:
            raise Refused("VammSizeOutOfRange", size=size)
        if size >= x:
            raise Refused("VammDepleted", reserve=x, wanted=size)
        x1 = x - size
        if x1 >= curve.MAX_ROOT:
            raise Refused("VammSizeOutOfRange", size=size)
        cost = abs(quote)
        if exact:
            cost = (curve.quote_up if size > 0 else curve.quote_down)(peg, root, x, x1)
        mid = curve.mid(peg, root, x1)
        if max(cost, mid) >= MAX_QUOTE:
            raise Refused("VammSizeOutOfRange", size=size)
        _check_band(p, m.index, mid, held, size)
        fee = mul_wad_up(cost, self._flat_rate(m))
        fee += curve.distance_fee_up(peg, root, x, x1, m.index, p.distance_fee * PPM_IN_WAD)
        fee = min(fee, mul_wad_up(cost, MAX_FEE))
        return Fill(
            size=size,
            quote=cost,
            fee=fee,
            house_fee=fee * p.house_share // PPM // FEE_UNIT * FEE_UNIT,
            peg=peg,
            mid=mid,
            index=m.index,
            premium=tdiv((mid - m.index) * WAD, m.index),
        )

    def _flat_rate(self, m: MarketView) -> int:
        """Base and age part of the fee, WAD; the age of the round counts up to MAX_AGE."""
        p = self.params
        age = min(max(self.clock.now - m.updated_at, 0), MAX_AGE)
        base, per_deviation, most = (
            rate * PPM_IN_WAD for rate in (p.base_fee, p.age_fee, p.fee_cap)
        )
        return curve.flat_rate_up(base, per_deviation, most, m.variance, age)


def _size_for(peg: int, root: int, x: int, quote: int) -> int:
    """Lots for exactly `quote`, signed as the fill; rounded against the trader."""
    if quote == 0 or abs(quote) >= MAX_QUOTE:
        raise Refused("VammSizeOutOfRange", size=quote)
    if quote > 0:
        return curve.base_for_quote_down(peg, root, x, quote)
    size = curve.base_for_quote_up(peg, root, x, -quote)
    if size == 0:
        raise Refused("VammDepleted", reserve=curve.quote_reserve_down(peg, root, x), wanted=-quote)
    return -size


def _check_band(p: VammParams, index: int, mid: int, held: int, size: int) -> None:
    """Binds fills that grow the inventory; a fill that shrinks it may end anywhere."""
    band = index * p.band // PPM
    if abs(held - size) > abs(held) and abs(mid - index) > band:
        raise Refused("VammOutsideBand", mid=mid, index=index, band=band)


def _check_limit(f: Fill, limit: int) -> None:
    """The price with fee, rounded against the trader, is held to the limit."""
    if f.size > 0:
        price = full_mul_div_up(f.quote + f.fee, WAD, f.size)
        refused = price > limit
    else:
        price = full_mul_div(f.quote - f.fee, WAD, -f.size) if f.quote > f.fee else 0
        refused = price < limit
    if refused:
        raise Refused("VammPriceLimit", price=price, limit=limit)


__all__ = ["Clearing", "Fill", "Money", "Request", "State", "Vamm", "VammParams"]
