"""A perpetual market: index, funding, side indices, open interest (markets/PerpMarket.sol).

Time is the shared clock's; `oracle` says what the market's oracle answers now. Who may call what
is left to the caller: the model checks values and states, not senders.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from novation.model import accrual, risk_bounds
from novation.model.accrual import DAY, Terms
from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.fixed import clamp, div_up, tdiv
from novation.model.market_types import (
    Listing,
    MarketState,
    MarketView,
    MarketWords,
    RiskParams,
)
from novation.model.oracle import Price, PriceStatus
from novation.model.sides import DUST
from novation.units import K_UNIT, PPM_IN_WAD, RATIO_UNIT, WAD

FLOOR_INVERSE = 1000
"""A side whose ratio O / N falls below 1 / FLOOR_INVERSE begins a new epoch."""
MAX_UNITS = 2**79
UNTOLD = 2**80 - 1
"""Backing that nobody told yet: its cap is above every static one."""
SHUTDOWN_SILENCE = 86_400
MAX_PREMIUM = 2**31 - 1
MAX_U16, MAX_U40, MAX_U80 = 2**16 - 1, 2**40 - 1, 2**80 - 1
MINUTE, HOUR = 60, 3_600
STATUS_ERRORS = {
    PriceStatus.NO_ANSWER: "OracleNoAnswer",
    PriceStatus.NOT_POSITIVE: "OracleNotPositive",
    PriceStatus.INCOMPLETE: "OracleIncomplete",
    PriceStatus.STALE: "OracleStale",
    PriceStatus.FROM_FUTURE: "OracleFromFuture",
    PriceStatus.OUT_OF_BOUNDS: "OracleOutOfBounds",
    PriceStatus.DIVERGED: "OracleDiverged",
    PriceStatus.SEQUENCER_DOWN: "OracleSequencerDown",
    PriceStatus.SEQUENCER_GRACE: "OracleSequencerGrace",
}


@dataclass(frozen=True)
class EpochEnd:
    """Final profit index (1e27) and O / N (1e36) of an ended epoch."""

    k: int = 0
    ratio: int = 0


class PerpMarket:
    """One market. `words` is what the contract stores; the rest are parameters and life."""

    def __init__(
        self, clock: Clock, oracle: Callable[[], Price], listing: Listing, params: RiskParams
    ) -> None:
        _check_listing(listing)
        price = oracle()
        if price.status is not PriceStatus.OK:
            raise Refused("MarketNoPrice", status=int(price.status))
        self.clock = clock
        self.oracle = oracle
        self.listing = listing
        self.words = MarketWords(
            index=price.value,
            strict=price.value,
            short=price.value,
            accrued_at=clock.now,
            valid_until=price.valid_until,
        )
        self.state = MarketState.ACTIVE
        self.depth = 0
        self.backing = UNTOLD
        self.mmr_from = params.mmr
        self.ramp_start = 0
        self.settlement_at = 0
        self.epochs: dict[tuple[int, int], EpochEnd] = {}
        self.params = replace(params, ramp_seconds=0)
        self._set_params(params)

    # The clearing house's calls

    def accrue(self) -> MarketView:
        """Brings everything to now and returns the result."""
        s = self.words
        if self.state >= MarketState.SETTLING:
            if self.state is MarketState.SETTLING and self._is_over():
                self.state = MarketState.CLOSED
                self._roll_both()
            return self._view(s, self._fixed_price())
        price = self.oracle()
        self._advance(s, price)
        return self._view(s, price)

    def peek(self) -> MarketView:
        """What `accrue` would return now; writes nothing.

        After the settlement window it shows open interest 0 where `accrue` would also roll epochs
        and close the market.
        """
        s = deepcopy(self.words)
        if self.state >= MarketState.SETTLING:
            if self._is_over():
                s.open_interest = 0
            return self._view(s, self._fixed_price())
        price = self.oracle()
        self._advance(s, price)
        return self._view(s, price)

    def book(
        self, open_interest: int, units_long: int, units_short: int, premium: int | None = None
    ) -> None:
        """Stores open interest and units (WAD); rolls sides that are empty or below the floor.

        `premium`: standing premium after a fill, WAD, cut toward zero to 1e-9; None leaves it.
        """
        s = self.words
        s.open_interest, s.units = open_interest, [units_long, units_short]
        if premium is not None:
            s.premium = clamp(tdiv(premium, accrual.PREMIUM_UNIT), MAX_PREMIUM)
        if open_interest < DUST or units_long == 0 or units_short == 0:
            self._roll_both()
            return
        for side, n in enumerate(s.units):
            if open_interest * FLOOR_INVERSE < n or n > MAX_UNITS:
                self._roll(side, open_interest * RATIO_UNIT // n)
                s.units[side] = open_interest

    def charge(self, side: int, amount: int) -> int | None:
        """Charges a side with a deficit, pro rata; its index then, None where it cannot be."""
        s = self.words
        if s.units[side] == 0:
            return None
        k = s.k[side] - div_up(amount * K_UNIT, s.units[side])
        if k < -(2**127):
            return None
        s.k[side] = k
        return k

    def set_depth(self, depth: int) -> None:
        """Lots that move the venue's mid to its band, WAD; saturates."""
        self.depth = min(depth, MAX_U80)

    def set_backing(self, lots: int) -> int:
        """What backs the market, WAD lots at the index; the backed cap."""
        self.backing = min(lots, UNTOLD - 1)
        return self.backed_cap

    @property
    def backed_cap(self) -> int:
        return self.backing * self.params.backing_multiple

    def require_price(self) -> None:
        """The oracle's error by name, without its numbers, when the price is not valid."""
        status = self.oracle().status
        if status is not PriceStatus.OK:
            raise Refused(STATUS_ERRORS[status])

    def epoch_end(self, side: int, epoch: int) -> EpochEnd:
        return self.epochs.get((side, epoch), EpochEnd())

    # Accrual

    def _advance(self, s: MarketWords, price: Price) -> None:
        now = self.clock.now
        live = price.status is PriceStatus.OK
        if now == s.accrued_at and (not live or price.value == s.index):
            return
        dt = self._live_seconds(s, price, live)
        g = accrual.elapse(s, self._terms(), dt) if dt > 0 else 0
        dp = price.value - s.index if live else 0
        accrual.move(s, dp, g)
        # A new price has stood since its round, whoever brings it in and whenever.
        stood = now - price.updated_at if dp and price.updated_at > s.accrued_at else 0
        accrual.follow(s, dt - stood, self.listing.short_window)
        s.interruption = max(s.interruption - (now - s.accrued_at), 0)
        s.accrued_at = now
        if not live:
            return
        if price.valid_until > s.valid_until:
            accrual.observe(s, dp, price.valid_until - s.valid_until)
            s.valid_until = price.valid_until
        if dp:
            s.index = price.value
            self._interrupt(s, stood)
            accrual.follow(s, stood, self.listing.short_window)

    def _live_seconds(self, s: MarketWords, price: Price, live: bool) -> int:
        """Seconds since the last accrual in which the feed was alive."""
        now = self.clock.now
        end = now if live and price.updated_at <= s.valid_until else min(now, s.valid_until)
        dt = max(end - s.accrued_at, 0)
        if live and price.updated_at > s.valid_until:
            dt += now - max(price.updated_at, s.accrued_at)
        return dt

    def _interrupt(self, s: MarketWords, stood: int) -> None:
        """Shuts fills while |index / short - 1| > mmr / 2, and `interruption` seconds after.

        `stood`: seconds since the round of the new index; that part is over.
        """
        gap = accrual.gap_seconds(s.index, s.short, self.mmr // 2, self.listing.short_window)
        if gap:
            until = max(gap + self.listing.interruption - stood, 0)
            s.interruption = max(s.interruption, min(until, MAX_U16))

    def _terms(self) -> Terms:
        return Terms(
            strict_window=self.listing.strict_window,
            premium_window=self.listing.premium_window,
            full_premium=self.listing.full_premium,
            cap=self.params.funding_cap * PPM_IN_WAD,
            velocity=self.params.velocity * PPM_IN_WAD,
            depth=self.depth,
        )

    def _roll_both(self) -> None:
        self._roll(0, 0)
        self._roll(1, 0)
        self.words.open_interest, self.words.units = 0, [0, 0]

    def _roll(self, side: int, ratio: int) -> None:
        """A side without units has no position of this epoch; it need not roll."""
        s = self.words
        if s.units[side] == 0:
            return
        self.epochs[side, s.epoch[side]] = EpochEnd(s.k[side], ratio)
        s.epoch[side] += 1

    # Views

    @property
    def mmr(self) -> int:
        """The maintenance rate now, WAD."""
        p = self.params
        return risk_bounds.ramp(
            self.mmr_from, p.mmr, self.ramp_start, p.ramp_seconds, self.clock.now
        )

    def _is_over(self) -> bool:
        return self.clock.now >= self.settlement_at + self.listing.settlement_window

    def _fixed_price(self) -> Price:
        return Price(self.words.index, self.clock.now, MAX_U40, PriceStatus.OK)

    def _view(self, s: MarketWords, price: Price) -> MarketView:
        p = self.params
        return MarketView(
            index=s.index,
            strict=s.index if self.state >= MarketState.SETTLING else s.strict,
            open_interest=s.open_interest,
            units=list(s.units),
            k=list(s.k),
            epoch=list(s.epoch),
            imr=p.imr * PPM_IN_WAD,
            mmr=self.mmr,
            size_scale=p.size_scale * WAD,
            interest_rate=p.interest_rate * PPM_IN_WAD,
            depth=self.depth,
            profit_weight=p.profit_weight * PPM_IN_WAD,
            min_notional=p.min_notional * WAD,
            open_interest_cap=min(p.open_interest_cap, self.backed_cap),
            account_cap=p.account_cap * WAD,
            updated_at=price.updated_at,
            variance=s.variance * accrual.VARIANCE_UNIT,
            premium=s.premium * accrual.PREMIUM_UNIT,
            interrupted_until=s.accrued_at + s.interruption,
            live=price.status is PriceStatus.OK,
            state=self.state,
            isolated=self.listing.isolated,
        )

    # Parameters and life

    def set_params(self, params: RiskParams) -> None:
        """Accrues, then sets all; a rise of the maintenance rate ramps from where it stands."""
        risk_bounds.check(params)
        risk_bounds.check_change(self.params, params)
        self.accrue()
        self._set_params(params)

    def _set_params(self, params: RiskParams) -> None:
        risk_bounds.check(params)
        self.mmr_from = div_up(self.mmr, PPM_IN_WAD)
        self.ramp_start = self.clock.now
        self.params = params

    def tighten_caps(self, open_interest_cap: int, account_cap: int) -> None:
        """Static caps, WAD lots and whole quote; neither may rise."""
        p = self.params
        for current, proposed in (
            (p.open_interest_cap, open_interest_cap),
            (p.account_cap, account_cap),
        ):
            if proposed > current:
                raise Refused("MarketNotTighter", current=current, proposed=proposed)
        self.params = replace(p, open_interest_cap=open_interest_cap, account_cap=account_cap)

    def reduce_only(self) -> None:
        self._set_state(MarketState.ACTIVE, MarketState.REDUCE_ONLY)

    def activate(self) -> None:
        self._set_state(MarketState.REDUCE_ONLY, MarketState.ACTIVE)

    def begin_settlement(self) -> None:
        """Fixes the price at the index; after the settlement window every size is 0."""
        if self.state >= MarketState.SETTLING:
            raise Refused("MarketWrongState", state=int(self.state))
        self.accrue()
        self.state = MarketState.SETTLING
        self.settlement_at = self.clock.now

    def shutdown(self, silent: int) -> None:
        """By anyone, when the feed was silent for long enough; `silent` as the oracle says."""
        if silent < SHUTDOWN_SILENCE:
            raise Refused("MarketOracleAlive", silent=silent, minimum=SHUTDOWN_SILENCE)
        self.begin_settlement()

    def _set_state(self, before: MarketState, after: MarketState) -> None:
        if self.state is not before:
            raise Refused("MarketWrongState", state=int(self.state))
        self.state = after

    # All or nothing

    def snapshot(self) -> Any:
        """Everything that calls change, for `restore`."""
        return (
            deepcopy(self.words),
            dict(self.epochs),
            (self.state, self.depth, self.backing, self.params),
            (self.mmr_from, self.ramp_start, self.settlement_at),
        )

    def restore(self, kept: Any) -> None:
        """Back to a snapshot, which stays usable."""
        words, epochs, life, ramp = kept
        self.words, self.epochs = deepcopy(words), dict(epochs)
        self.state, self.depth, self.backing, self.params = life
        self.mmr_from, self.ramp_start, self.settlement_at = ramp


def _check_listing(listing: Listing) -> None:
    for field, value, least, most in (
        ("strictWindow", listing.strict_window, MINUTE, DAY),
        ("premiumWindow", listing.premium_window, MINUTE, DAY),
        ("shortWindow", listing.short_window, MINUTE, DAY),
        ("interruption", listing.interruption, 0, 10 * MINUTE),
        ("fullPremium", listing.full_premium, WAD // 1_000, WAD),
        ("settlementWindow", listing.settlement_window, HOUR, 30 * DAY),
        ("oracle.maximum", listing.oracle_maximum, 1, MAX_U80),
    ):
        if not least <= value <= most:
            bound = least if value < least else most
            raise Refused("MarketListing", field=field, value=value, bound=bound)


__all__ = [
    "EpochEnd",
    "Listing",
    "MarketState",
    "MarketView",
    "MarketWords",
    "PerpMarket",
    "RiskParams",
    "Terms",
]
