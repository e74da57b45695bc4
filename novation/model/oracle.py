"""ChainlinkOracleAdapter in exact integers: rounds become a price, or the check that failed.

Values are WAD quote per lot, times are seconds, answers have the feed's own decimals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from novation.model.errors import Refused
from novation.units import WAD

PHASE_OFFSET = 64
MAX_ID = 2**80 - 1
WITNESS_GAP = 3_600
ANSWER_CUT = 2**128 - 1
"""A second source's answer is cut here; what is above is as absurd as this."""


class PriceStatus(IntEnum):
    """Why a price may not be used; OK when it may."""

    OK = 0
    NO_ANSWER = 1
    NOT_POSITIVE = 2
    INCOMPLETE = 3
    STALE = 4
    FROM_FUTURE = 5
    OUT_OF_BOUNDS = 6
    DIVERGED = 7
    SEQUENCER_DOWN = 8
    SEQUENCER_GRACE = 9


@dataclass(frozen=True)
class Price:
    value: int
    updated_at: int
    valid_until: int
    status: PriceStatus


@dataclass(frozen=True)
class Round:
    id: int
    answer: int
    started_at: int
    updated_at: int
    answered_in: int


@dataclass(frozen=True)
class Feed:
    """What a feed would answer: None where it reverts."""

    decimals: int
    latest: Round | None
    rounds: Mapping[int, Round] = field(default_factory=dict)
    phase_decimals: Mapping[int, int] = field(default_factory=dict)
    """Decimals of the aggregators of other phases."""

    def at(self, round_id: int) -> Round | None:
        return _readable(self.rounds.get(round_id))


@dataclass(frozen=True)
class Config:
    heartbeat: int
    minimum: int
    maximum: int
    lot_exponent: int = 0
    second_heartbeat: int = 0
    max_divergence: int = 0
    sequencer_grace: int = 0


@dataclass(frozen=True)
class Described:
    """Decimals and phase of a feed when the adapter was made."""

    decimals: int
    phase: int


REFUSALS = {
    PriceStatus.NOT_POSITIVE: "OracleNotPositive",
    PriceStatus.INCOMPLETE: "OracleIncomplete",
    PriceStatus.FROM_FUTURE: "OracleFromFuture",
    PriceStatus.OUT_OF_BOUNDS: "OracleOutOfBounds",
}


def scale(decimals: int, lot_exponent: int) -> tuple[int, int]:
    """10^(18 - decimals + lot_exponent) as multiplier and divisor."""
    exponent = 18 - decimals + lot_exponent
    return (1, 10**-exponent) if exponent < 0 else (10**exponent, 1)


def to_value(answer: int, decimals: int, lot_exponent: int) -> int:
    """WAD quote per lot, rounded down."""
    multiplier, divisor = scale(decimals, lot_exponent)
    return answer * multiplier // divisor


@dataclass
class ChainlinkOracleAdapter:
    config: Config
    feed: Described
    second: Described | None = None
    has_sequencer: bool = False
    silent_since: int = 0
    silent_seen_at: int = 0

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest answer whose value is inside the bounds."""
        multiplier, divisor = scale(self.feed.decimals, self.config.lot_exponent)
        least = (self.config.minimum * divisor + multiplier - 1) // multiplier
        return least, ((self.config.maximum + 1) * divisor - 1) // multiplier

    def peek(
        self, now: int, feed: Feed, second: Feed | None = None, sequencer: Feed | None = None
    ) -> Price:
        """The price at `now`. `second` and `sequencer` are what those feeds say, if configured."""
        if self.has_sequencer:
            status = self._check_sequencer(now, _latest(sequencer))
            if status is not PriceStatus.OK:
                return Price(0, 0, 0, status)
        latest = _latest(feed)
        status = self.check(now, feed)
        if latest is None or status not in (
            PriceStatus.OK,
            PriceStatus.STALE,
            PriceStatus.OUT_OF_BOUNDS,
        ):
            return Price(0, 0, 0, status)
        value = 0
        if status is PriceStatus.OK:
            value = to_value(latest.answer, self.feed.decimals, self.config.lot_exponent)
            if self.is_diverged(now, value, second):
                status, value = PriceStatus.DIVERGED, 0
        return Price(value, latest.updated_at, latest.updated_at + self.config.heartbeat, status)

    def check(self, now: int, feed: Feed) -> PriceStatus:
        """All checks of the primary feed's latest round."""
        status = _usable(now, feed, self.feed, self.config.heartbeat)
        latest = _latest(feed)
        if status is PriceStatus.OK and latest is not None and not self._in_bounds(latest):
            return PriceStatus.OUT_OF_BOUNDS
        return status

    def is_diverged(self, now: int, value: int, second: Feed | None) -> bool:
        """A second source that is dead, stale or incomplete has no say."""
        other = self.second_value(now, second)
        return other != 0 and abs(other - value) > value * self.config.max_divergence // WAD

    def second_value(self, now: int, second: Feed | None) -> int:
        latest = _latest(second)
        if self.second is None or second is None or latest is None:
            return 0
        if _usable(now, second, self.second, self.config.second_heartbeat) is not PriceStatus.OK:
            return 0
        answer = min(latest.answer, ANSWER_CUT)
        return max(to_value(answer, self.second.decimals, self.config.lot_exponent), 1)

    def silent_for(self, now: int, feed: Feed, sequencer: Feed | None = None) -> int:
        """Seconds of silence beyond the heartbeat, without what the sequencer was down for."""
        if self.check(now, feed) is PriceStatus.OK:
            return 0
        latest = _latest(feed)
        if latest is not None and self._is_old(now, latest):
            since = latest.updated_at + self.config.heartbeat
        else:
            since = self._witnessed_since(now)
        if since == 0:
            return 0
        if self.has_sequencer:
            up = _latest(sequencer)
            if up is None or up.answer != 0 or not 0 < up.started_at <= now:
                return 0
            since = max(since, up.started_at + self.config.sequencer_grace)
        return max(now - since, 0)

    def witness(self, now: int, feed: Feed) -> None:
        latest = _latest(feed)
        since = 0
        is_old = latest is not None and self._is_old(now, latest)
        if self.check(now, feed) is not PriceStatus.OK and not is_old:
            since = self._witnessed_since(now) or now
        self.silent_since = since
        self.silent_seen_at = now if since else 0

    def price_at(self, now: int, feed: Feed, time: int, round_id: int) -> int:
        """The first price at or after `time`, proved by naming its round."""
        if time > now:
            raise Refused("OracleTimeInFuture")
        phase, number = round_id >> PHASE_OFFSET, round_id % 2**PHASE_OFFSET
        found = self._past(now, feed, round_id, phase)
        if found.updated_at < time:
            raise Refused("OracleRoundTooEarly")
        if found.updated_at > time + self.config.heartbeat:
            raise Refused("OracleRoundTooLate")
        if number > 1:
            before = feed.at(round_id - 1)
            if feed.at(phase << PHASE_OFFSET | 1) is None or before is None:
                raise Refused("OracleNoAnswer")
            if before.updated_at >= time:
                raise Refused("OracleRoundNotFirst")
        if any(self.first_round(feed, lower, time) is not None for lower in range(1, phase)):
            raise Refused("OracleRoundNotFirst")
        return to_value(found.answer, self.feed.decimals, self.config.lot_exponent)

    def first_round(self, feed: Feed, phase: int, time: int) -> Round | None:
        """First round of `phase` at or after `time`, if at most a heartbeat after it."""
        number = 1
        while (found := feed.at(phase << PHASE_OFFSET | number)) is not None:
            if found.updated_at >= time:
                return found if found.updated_at <= time + self.config.heartbeat else None
            number += 1
        return None

    def _past(self, now: int, feed: Feed, round_id: int, phase: int) -> Round:
        found = feed.at(round_id)
        if found is None:
            raise Refused("OracleNoAnswer")
        if phase == 0:
            decimals = feed.decimals
        elif phase == self.feed.phase:
            decimals = self.feed.decimals
        else:
            decimals = feed.phase_decimals.get(phase, -1)
        if decimals != self.feed.decimals:
            raise Refused("OracleDecimalsChanged")
        status = _complete(now, found)
        if status is PriceStatus.OK and not self._in_bounds(found):
            status = PriceStatus.OUT_OF_BOUNDS
        if status is not PriceStatus.OK:
            raise Refused(REFUSALS[status])
        return found

    def _in_bounds(self, found: Round) -> bool:
        least, greatest = self.bounds
        return least <= found.answer <= greatest

    def _check_sequencer(self, now: int, up: Round | None) -> PriceStatus:
        if up is None or up.answer != 0:
            return PriceStatus.SEQUENCER_DOWN
        if not 0 < up.started_at <= now or now - up.started_at < self.config.sequencer_grace:
            return PriceStatus.SEQUENCER_GRACE
        return PriceStatus.OK

    def _is_old(self, now: int, latest: Round) -> bool:
        return 0 < latest.updated_at <= now and now > latest.updated_at + self.config.heartbeat

    def _witnessed_since(self, now: int) -> int:
        return 0 if now > self.silent_seen_at + WITNESS_GAP else self.silent_since


def find_round(rounds: Sequence[Round], time: int) -> Round | None:
    """First of a phase's rounds at or after `time`: what a client names to `priceAt`."""
    return next((r for r in rounds if r.updated_at >= time), None)


def _readable(found: Round | None) -> Round | None:
    return None if found is None or max(found.id, found.answered_in) > MAX_ID else found


def _latest(feed: Feed | None) -> Round | None:
    return None if feed is None else _readable(feed.latest)


def _usable(now: int, feed: Feed, described: Described, heartbeat: int) -> PriceStatus:
    """All checks of a latest round but the bounds."""
    latest = _latest(feed)
    if latest is None:
        return PriceStatus.NO_ANSWER
    phase = latest.id >> PHASE_OFFSET
    if (phase != described.phase or phase == 0) and feed.decimals != described.decimals:
        return PriceStatus.NO_ANSWER
    status = _complete(now, latest)
    if status is PriceStatus.OK and now > latest.updated_at + heartbeat:
        return PriceStatus.STALE
    return status


def _complete(now: int, found: Round) -> PriceStatus:
    if found.answer <= 0:
        return PriceStatus.NOT_POSITIVE
    if found.updated_at == 0 or found.started_at == 0 or found.answered_in < found.id:
        return PriceStatus.INCOMPLETE
    if found.updated_at > now:
        return PriceStatus.FROM_FUTURE
    return PriceStatus.OK
