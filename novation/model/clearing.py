"""The clearing house: refuses legs that do not balance, books the rest, checks margin once.

As contracts/clearing/ClearingHouse.sol. Each public method is one transaction: when it refuses,
nothing has changed. `sender` is the 20-byte address that calls.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from novation.model.atomic import atomic
from novation.model.errors import Refused
from novation.model.fixed import div_up, mul_wad_floor, mul_wad_up
from novation.model.ledger import (
    COLLATERAL_BIT,
    MARKETS_MASK,
    MAX_U96,
    VENUE_BIT,
    Ledger,
    Touched,
)
from novation.model.legs import Ask, Fill, Leg
from novation.model.margin import Health, Sums, health_of, only_fell
from novation.model.market import PerpMarket
from novation.model.market_types import MarketState, MarketView
from novation.model.sides import DUST, Position, side_of, size_of, units_down, units_up
from novation.units import FEE_UNIT, WAD

ANY_MARKET = 255
MAX_FEE = 5 * WAD // 100
MAX_HELD = 16
MAX_SIZE = 1 << 79
TRADE, WITHDRAW, FUND = 1, 2, 4


def owner_of(account: bytes) -> bytes:
    return account[:20]


class Venue(Protocol):
    """A venue that fills against its own account 0 (interfaces/IVenue.sol)."""

    address: bytes

    def plan_fill(self, m: MarketView, taker: bytes, held: int, has: int, ask: Ask) -> Fill: ...


@dataclass
class ClearingHouse(Ledger):
    treasury: bytes = bytes(32)
    venues: dict[bytes, int] = field(default_factory=dict)
    delegates: dict[tuple[bytes, bytes], int] = field(default_factory=dict)

    def snapshot(self) -> Any:
        return (
            {k: replace(v) for k, v in self.accounts.items()},
            {k: replace(v) for k, v in self.positions.items()},
            replace(self.house),
            [m.snapshot() for m in self.markets],
            dict(self.venues),
            dict(self.delegates),
            (self.covered_debt, self.bare_debt, self.interest_pending),
            (dict(self.paid_up_to), dict(self.marks)),
        )

    def restore(self, kept: Any) -> None:
        *most, debts, (paid, marks) = kept
        self.accounts, self.positions, self.house, markets, self.venues, self.delegates = (
            copy.copy(part) for part in most
        )
        self.covered_debt, self.bare_debt, self.interest_pending = debts
        self.paid_up_to, self.marks = dict(paid), dict(marks)
        for market, words in zip(self.markets, markets, strict=False):
            market.restore(words)

    # Venues

    @atomic
    def accrue_for(self, market: int, a: bytes, b: bytes) -> tuple[MarketView, int, int]:
        m = self.market(market).accrue()
        return m, self.size(a, market, m), self.size(b, market, m)

    @atomic
    def set_depth(self, market: int, depth: int, sender: bytes) -> None:
        if sender not in self.venues and self.stored(sender + bytes(12)).venue:
            return  # stopped: no say any more, but its LPs leave through here
        self._require_venue(market, sender)
        self.market(market).set_depth(depth)

    @atomic
    def clear(
        self,
        market: int,
        legs: Sequence[Leg],
        house_fee: int,
        premium: int | None,
        sender: bytes,
    ) -> None:
        """Books legs, all or none. `premium` None leaves the market's standing premium."""
        self._require_venue(market, sender)
        check_house_fee(house_fee)
        m = self._fillable(market)
        ts = self._net(legs, house_fee, market, m)
        self._apply(ts, market, m, house_fee, premium, sender)

    @atomic
    def fill(self, market: int, taker: bytes, ask: Ask, venue: Venue) -> Fill:
        """Books a fill of `taker` against the venue's account 0, planned when both are touched."""
        self._require_venue(market, venue.address)
        m = self._fillable(market)
        pool = venue.address + bytes(12)
        if taker == pool:
            raise Refused("ClearingUnsortedLegs", before=pool, after_=taker)
        touched = {a: self._touch(a, market, m) for a in sorted((taker, pool))}
        t, v = touched[taker], touched[pool]
        has, held = size_of(m, t.p.units), size_of(m, v.p.units)
        f = venue.plan_fill(m, taker, held, has, ask)
        cash = -f.quote if f.size > 0 else f.quote
        t.size, t.cash, t.transfer = f.size, cash, -f.fee
        v.size, v.cash, v.transfer = -f.size, -cash, f.fee - f.house_fee
        check_leg(t.size, t.cash, t.transfer)
        check_house_fee(f.house_fee)
        self._apply(list(touched.values()), market, m, f.house_fee, f.premium, venue.address)
        return f

    def _fillable(self, market: int) -> MarketView:
        perp = self.market(market)
        m = perp.accrue()
        self._require_fillable(market, perp, m)
        return m

    def _apply(
        self,
        ts: list[Touched],
        market: int,
        m: MarketView,
        house_fee: int,
        premium: int | None,
        sender: bytes,
    ) -> None:
        """What follows the touch: trade legs, the market, transfers, margin, the accounts."""
        for t in ts:
            t.before = t.after = size_of(m, t.p.units)
            t.value = t.a.capital + t.a.pnl
        self._book(ts, market, m, premium)
        self._transfers(ts, house_fee, sender)
        for t in ts:
            self._check_margin(t, m)
            self._save(t)
            self._keep(t.id, market, t.p)

    def _require_venue(self, market: int, sender: bytes) -> None:
        if self.venues.get(sender) not in (market, ANY_MARKET):
            raise Refused("ClearingNotVenue", caller=sender, market=market)

    def _require_fillable(self, market: int, perp: PerpMarket, m: MarketView) -> None:
        if m.state >= MarketState.SETTLING:
            raise Refused("ClearingMarketState", market=market, state=m.state)
        if not m.live:
            perp.require_price()
        if m.interrupted_until > perp.clock.now:
            raise Refused("ClearingInterrupted", market=market, until=m.interrupted_until)

    def _net(
        self, legs: Sequence[Leg], house_fee: int, market: int, m: MarketView
    ) -> list[Touched]:
        """Touches each account of the legs, sorted, equal neighbours added up."""
        ts: list[Touched] = []
        for leg in legs:
            if not ts or leg.account != ts[-1].id:
                if ts and leg.account < ts[-1].id:
                    raise Refused("ClearingUnsortedLegs", before=ts[-1].id, after_=leg.account)
                ts.append(self._touch(leg.account, market, m))
            check_leg(leg.size, leg.cash, leg.transfer)
            ts[-1].size += leg.size
            ts[-1].cash += leg.cash
            ts[-1].transfer += leg.transfer
        size, cash = sum(t.size for t in ts), sum(t.cash for t in ts)
        moved = house_fee + sum(t.transfer for t in ts)
        if size or cash or moved:
            raise Refused("ClearingUnbalancedLegs", size=size, cash=cash, transfer=moved)
        return ts

    def _book(self, ts: list[Touched], market: int, m: MarketView, premium: int | None) -> None:
        self._book_legs(ts, market, m)
        self.market(market).book(m.open_interest, m.units[0], m.units[1], premium)

    def _book_legs(self, ts: list[Touched], market: int, m: MarketView) -> None:
        """Trade legs: pnl += cash + size * P; units move at the ratio before the legs."""
        grown, units = [0, 0], [0, 0]
        for t in ts:
            if t.size:
                self._resize(t, market, m, grown, units)
            t.a.pnl += t.cash + mul_wad_floor(t.size, m.index)
            t.a.collect()
        open_interest = max(m.open_interest + min(grown), 0)
        if open_interest > m.open_interest and open_interest > m.open_interest_cap:
            raise Refused(
                "ClearingOpenInterestCap",
                market=market,
                openInterest=open_interest,
                cap=m.open_interest_cap,
            )
        m.units = [m.units[0] + units[0], m.units[1] + units[1]]
        m.open_interest = open_interest

    def _resize(
        self, t: Touched, market: int, m: MarketView, grown: list[int], units: list[int]
    ) -> None:
        after = t.before + t.size
        if abs(after) >= MAX_SIZE:
            raise Refused("ClearingSizeOutOfRange", size=after, bound=MAX_SIZE)
        if abs(after) < DUST:
            after = 0
        old, new = side_of(t.p.units), side_of(after)
        had, has = abs(t.p.units), 0
        if after and (had == 0 or old != new):
            has = units_down(m, new, abs(after))
        elif after and abs(after) >= abs(t.before):
            has = had + units_down(m, new, abs(after) - abs(t.before))
        elif after:
            has = max(had - units_up(m, new, abs(t.before) - abs(after)), 0)
        if has == 0:
            after = 0
        grown[old] -= abs(t.before)
        grown[new] += abs(after)
        units[old] -= had
        units[new] += has
        t.after = after
        t.p = Position(has if new == 0 else -has, m.k[new], m.epoch[new])
        self._check_growth(t, market, m)
        t.a.bitmap = t.a.bitmap | 1 << market if has else t.a.bitmap & ~(1 << market)

    def _check_growth(self, t: Touched, market: int, m: MarketView) -> None:
        if t.a.venue or (t.after == 0 and t.before != 0):
            return
        if not t.exempt:
            self._check_limits(t, m)
        if t.before or not t.after:
            return
        if t.rest.isolated or (m.isolated and t.rest.markets):
            raise Refused("ClearingIsolatedMarket", account=t.id, market=market)
        if t.rest.markets >= MAX_HELD:
            raise Refused(
                "ClearingTooManyMarkets", account=t.id, held=t.rest.markets + 1, maximum=MAX_HELD
            )

    def _check_limits(self, t: Touched, m: MarketView) -> None:
        notional = mul_wad_up(abs(t.after or t.size), m.index)
        if notional < m.min_notional:
            raise Refused(
                "ClearingPositionTooSmall", account=t.id, notional=notional, minimum=m.min_notional
            )
        if not grew(t):
            return
        if m.state != MarketState.ACTIVE:
            raise Refused("ClearingReduceOnly", account=t.id, before=t.before, after_=t.after)
        if notional > m.account_cap:
            raise Refused("ClearingAccountCap", account=t.id, notional=notional, cap=m.account_cap)

    def _transfers(self, ts: list[Touched], house_fee: int, sender: bytes) -> None:
        """Payers give capital first; the house takes capital first, then receivers in order."""
        senior = 0
        for t in ts:
            if t.transfer < 0:
                senior += self._pay(t, -t.transfer, sender)
        fee = min(senior, house_fee)
        self.house.fees_pending += fee // FEE_UNIT
        senior -= fee
        for t in ts:
            if t.transfer > 0:
                part = min(senior, t.transfer)
                senior -= part
                t.a.capital += part
                t.a.pnl += t.transfer - part
                t.a.collect()

    def _pay(self, t: Touched, owed: int, sender: bytes) -> int:
        """Takes what is owed; the part that was capital."""
        maximum = mul_wad_up(abs(t.cash), MAX_FEE)
        if not t.exempt and owner_of(t.id) != sender and owed > maximum:
            raise Refused("ClearingFeeTooHigh", account=t.id, fee=owed, maximum=maximum)
        available = t.a.capital + max(t.a.pnl, 0)
        if owed > available:
            raise Refused("ClearingTransferShort", account=t.id, owed=owed, available=available)
        senior = min(t.a.capital, owed)
        t.a.capital -= senior
        t.a.pnl -= owed - senior
        return senior

    def _check_margin(self, t: Touched, m: MarketView) -> None:
        """Initial margin, or risk only fell: no growth, E - M and E / M no worse, E >= 0."""
        rest_maintenance = t.rest.maintenance
        sums = replace(t.rest)
        sums.add(m, t.after, t.a.venue)
        h = self._health(t, sums)
        if h.initial_equity >= h.initial and sums.live:
            return
        if grew(t):
            raise Refused(
                "ClearingInitialMargin", account=t.id, equity=h.initial_equity, required=h.initial
            )
        before = h.equity - (t.a.capital + t.a.pnl - t.value)
        maintenance = rest_maintenance + sums.maintenance_of(m, t.before, t.a.venue)
        if not only_fell(before, maintenance, h.equity, h.maintenance):
            raise Refused(
                "ClearingRiskRose", account=t.id, equity=h.equity, maintenance=h.maintenance
            )

    def _health(self, t: Touched, sums: Sums) -> Health:
        return health_of(t.a.capital, t.a.pnl, sums, self.collateral(t))

    # Accounts

    @atomic
    def touch(self, accounts: Sequence[bytes]) -> None:
        self._touch_all(accounts)

    @atomic
    def release(
        self,
        account: bytes,
        amount: int,
        touch_first: Sequence[bytes],
        min_ratio: int,
        sender: bytes,
    ) -> int:
        self._require_authorised(account, sender, WITHDRAW)
        self._touch_all(touch_first)
        t = self._touch_alone(account)
        capital = self._release(t, amount, min_ratio)
        if capital < amount:
            self._check_free(t)
        self._save(t)
        return capital

    @atomic
    def transfer(self, from_: bytes, to: bytes, amount: int, sender: bytes) -> None:
        self._require_authorised(from_, sender, FUND)
        if amount == 0:
            raise Refused("ClearingZeroAmount")
        t = self._touch_alone(from_)
        if t.a.capital < amount:
            raise Refused(
                "ClearingCapitalTooLow", account=from_, capital=t.a.capital, amount=amount
            )
        t.a.capital -= amount
        self._check_free(t)
        self._save(t)
        self._credit(to, amount, sender)

    def _credit(self, account: bytes, amount: int, sender: bytes) -> None:
        """Adds capital without touching markets: it needs no price."""
        if not any(owner_of(account)):
            raise Refused("ClearingNoOwner", account=account)
        t = self._load(account)
        if t.a.venue and owner_of(account) != sender:
            raise Refused("ClearingVenueAccount", account=account)
        t.a.capital += amount
        t.a.collect()
        self._save(t)

    @atomic
    def set_delegate(
        self, account: bytes, delegate: bytes, permissions: int, sender: bytes
    ) -> None:
        if owner_of(account) != sender:
            raise Refused("ClearingNotAuthorised", account=account, caller=sender)
        self.delegates[account, delegate] = permissions

    @atomic
    def collect_fees(self, sender: bytes = bytes(20)) -> None:
        amount = self.house.fees_pending * FEE_UNIT
        if amount == 0:
            raise Refused("ClearingZeroAmount")
        self.house.fees_pending = 0
        self._credit(self.treasury, amount, sender)

    def is_authorised(self, account: bytes, who: bytes, permission: int) -> bool:
        given = self.delegates.get((account, who), 0)
        return owner_of(account) == who or given & permission == permission

    def _require_authorised(self, account: bytes, sender: bytes, permission: int) -> None:
        if not self.is_authorised(account, sender, permission):
            raise Refused("ClearingNotAuthorised", account=account, caller=sender)

    # The vault

    @atomic
    def credit(self, account: bytes, amount: int) -> None:
        self._credit(account, amount, bytes(20))

    @atomic
    def debit(
        self, account: bytes, amount: int, touch_first: Sequence[bytes], min_ratio: int
    ) -> None:
        self._touch_all(touch_first)
        t = self._touch_alone(account)
        if t.a.pnl > 0:
            needed = amount + self._held_back(t)
            if t.a.capital < needed:
                self._release(t, self._pnl_for(needed - t.a.capital, t), min_ratio)
        if t.a.capital < amount:
            raise Refused(
                "ClearingCapitalTooLow", account=account, capital=t.a.capital, amount=amount
            )
        t.a.capital -= amount
        self._check_free(t)
        self._save(t)

    def _held_back(self, t: Touched) -> int:
        """Capital that must stay for initial margin, positive pnl counted 0."""
        return max(t.rest.initial - self.collateral(t)[1] - t.rest.strict_loss, 0)

    def _pnl_for(self, missing: int, t: Touched) -> int:
        """Positive pnl whose release gives `missing` capital at h, or all there is."""
        backing, profits = self.backing(), self.house.profit_total
        whole = backing >= profits or backing == 0
        return min(missing if whole else div_up(missing * profits, backing), t.a.pnl)

    @atomic
    def set_collateral(self, account: bytes, held: bool, check: bool) -> None:
        if check:
            t = self._touch_alone(account)
        else:
            if not any(owner_of(account)):
                raise Refused("ClearingNoOwner", account=account)
            t = self._load(account)
            if t.a.venue:
                raise Refused("ClearingVenueAccount", account=account)
        t.a.bitmap = t.a.bitmap | COLLATERAL_BIT if held else t.a.bitmap & ~COLLATERAL_BIT
        if check:
            self._check_free(t)
        self._save(t)

    # Listing

    def list_market(self, market: PerpMarket) -> int:
        self.markets.append(market)
        return len(self.markets) - 1

    @atomic
    def set_venue(self, venue: bytes, market: int, allowed: bool) -> None:
        if market != ANY_MARKET:
            self.market(market)
        if allowed:
            self.venues[venue] = market
        else:
            self._stop(venue)
        for sub in (0, 1):
            account = venue + sub.to_bytes(12, "big")
            a = self.stored(account)
            if a.venue:
                continue
            if a.bitmap & MARKETS_MASK or a.pnl < 0:
                raise Refused("ClearingVenueAccount", account=account)
            self.accounts[account] = replace(a, bitmap=VENUE_BIT)

    @atomic
    def stop_venue(self, venue: bytes) -> None:
        if venue not in self.venues:
            raise Refused("ClearingNotVenue", caller=venue, market=ANY_MARKET)
        self._stop(venue)

    def _stop(self, venue: bytes) -> None:
        """The premium and the depth of a venue that fills no more end with it."""
        market = self.venues.pop(venue, ANY_MARKET)
        if market == ANY_MARKET:
            return
        perp = self.market(market)
        m = perp.accrue()
        perp.set_depth(0)
        perp.book(m.open_interest, m.units[0], m.units[1], 0)

    def size_of(self, account: bytes, market: int) -> int:
        return self.size(account, market, self.market(market).peek())


def check_leg(size: int, cash: int, transfer: int) -> None:
    """Bounds what a venue asks for, so that sums of it are far from the ends of a word."""
    if abs(size) >= MAX_SIZE:
        raise Refused("ClearingSizeOutOfRange", size=size, bound=MAX_SIZE)
    for amount in (cash, transfer):
        if abs(amount) > MAX_U96:
            raise Refused("AmountOverflow", amount=abs(amount), maximum=MAX_U96)


def check_house_fee(fee: int) -> None:
    if fee > MAX_U96:
        raise Refused("AmountOverflow", amount=fee, maximum=MAX_U96)


def grew(t: Touched) -> bool:
    return t.after != 0 and (abs(t.after) > abs(t.before) or (t.after > 0) != (t.before > 0))
