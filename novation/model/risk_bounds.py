"""Bounds of risk parameters, and the ramp of the maintenance rate (risk/RiskBounds.sol)."""

from novation.model.errors import Refused
from novation.model.fixed import div_up
from novation.model.market_types import RiskParams
from novation.units import PPM, PPM_IN_WAD

MIN_RAMP = 86_400
MIN_MMR = 2_500
MAX_PROFIT_WEIGHT = 500_000
MAX_FUNDING_CAP = 50_000
MAX_VELOCITY = 50_000
MAX_INTEREST_RATE = 1_000_000
MIN_SIZE_SCALE = 10_000
MAX_OPEN_INTEREST = 1 << 79
MAX_BACKING_MULTIPLE = 20


def check(p: RiskParams) -> None:
    """Refuses parameters outside the bounds, so that always 0 < mmr < imr <= 1."""
    if p.imr > PPM:
        raise _refused("imr", p.imr, PPM)
    if p.mmr < MIN_MMR:
        raise _refused("mmr", p.mmr, MIN_MMR)
    if p.mmr >= p.imr:
        raise _refused("mmr", p.mmr, p.imr)
    if p.ramp_seconds < MIN_RAMP:
        raise _refused("rampSeconds", p.ramp_seconds, MIN_RAMP)
    for field, value, most in (
        ("profitWeight", p.profit_weight, MAX_PROFIT_WEIGHT),
        ("fundingCap", p.funding_cap, MAX_FUNDING_CAP),
        ("velocity", p.velocity, MAX_VELOCITY),
        ("interestRate", p.interest_rate, MAX_INTEREST_RATE),
    ):
        if value > most:
            raise _refused(field, value, most)
    if p.size_scale < MIN_SIZE_SCALE:
        raise _refused("sizeScale", p.size_scale, MIN_SIZE_SCALE)
    if p.min_notional == 0:
        raise _refused("minNotional", 0, 1)
    if p.open_interest_cap > MAX_OPEN_INTEREST:
        raise _refused("openInterestCap", p.open_interest_cap, MAX_OPEN_INTEREST)
    if not 1 <= p.backing_multiple <= MAX_BACKING_MULTIPLE:
        bound = MAX_BACKING_MULTIPLE if p.backing_multiple else 1
        raise _refused("backingMultiple", p.backing_multiple, bound)


def ramp(start_rate: int, end_rate: int, start: int, duration: int, time: int) -> int:
    """The maintenance rate at `time`, WAD, on the line between two rates in ppm; rounded up."""
    if end_rate <= start_rate or time >= start + duration:
        return end_rate * PPM_IN_WAD
    rise = (end_rate - start_rate) * PPM_IN_WAD * (time - start)
    return start_rate * PPM_IN_WAD + div_up(rise, duration)


def check_change(before: RiskParams, after: RiskParams) -> None:
    """What divides the maintenance margin of large positions does not ramp: it may only rise."""
    if after.size_scale < before.size_scale:
        raise _refused("sizeScale", after.size_scale, before.size_scale)


def _refused(field: str, value: int, bound: int) -> Refused:
    return Refused("RiskOutOfBounds", field=field, value=value, bound=bound)
