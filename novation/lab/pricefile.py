"""Price files: candles or rounds of a feed in CSV, every row checked before anything runs."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from novation.lab.candles import Candle, gap_fault, interval_of
from novation.lab.errors import PriceFileError

TIME_COLUMNS = ("datetime", "timestamp", "time_period_start")
PRICE_COLUMNS = {name: (name, f"price_{name}") for name in ("open", "high", "low", "close")}
ROUND_COLUMNS = ("roundid", "answer8", "updatedat")
FIRST_YEAR, LAST_YEAR = 2009, 2100
SMALLEST = Decimal("1e-8")  # a Chainlink feed has 8 decimals
LARGEST = Decimal("1e12")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


@dataclass
class PriceRows:
    """What a file holds: candles, or rounds of a feed as (time, price)."""

    candles: list[Candle] = field(default_factory=list)
    rounds: list[tuple[int, Decimal]] = field(default_factory=list)


def read_price_file(file: Path) -> PriceRows:
    """All of the file, checked to its end; nothing of a bad one."""
    reader = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        check_header(file, header)
        read = read_rounds if set(ROUND_COLUMNS) <= set(header) else read_candles
        found = read(file, header, records(file, header, reader))
    except csv.Error as error:
        raise PriceFileError(file, f"not CSV: {error}", reader.line_num) from None
    if len(found.candles) + len(found.rounds) < 2:
        raise PriceFileError(file, "at least two rows of prices are needed")
    return found


def read_text(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise PriceFileError(file, error.strerror or str(error)) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        raise PriceFileError(file, "not UTF-8 text", row) from None


def check_header(file: Path, header: list[str]) -> None:
    if not any(header):
        raise PriceFileError(file, "the file is empty")
    if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
        raise PriceFileError(file, f"columns are separated by {other[0]!r}, expected a comma", 1)
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise PriceFileError(file, f"column {twice[0]} is there twice", 1)


def records(
    file: Path, header: list[str], rows: Iterator[list[str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Row number, as an editor shows it, and cells by column; blank lines are passed over."""
    line = 1
    for cells in rows:
        line = rows.line_num  # type: ignore[attr-defined]
        if not cells:
            continue
        if len(cells) != len(header):
            reason = f"{len(cells)} cells, the header has {len(header)}"
            raise PriceFileError(file, reason, line)
        yield line, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def column(file: Path, header: Sequence[str], names: Sequence[str]) -> str:
    for name in names:
        if name in header:
            return name
    raise PriceFileError(file, f"column {' or '.join(names)} is missing", 1)


def read_candles(
    file: Path, header: list[str], rows: Iterator[tuple[int, dict[str, str]]]
) -> PriceRows:
    clock = column(file, header, TIME_COLUMNS)
    names = {name: column(file, header, options) for name, options in PRICE_COLUMNS.items()}
    found = PriceRows()
    places: list[int] = []
    for row, cells in rows:
        time = read_time(file, row, cells[clock])
        prices = {name: read_price(file, row, cells[at], at) for name, at in names.items()}
        candle = Candle(time, **prices)
        if (reason := candle.fault()) is not None:
            raise PriceFileError(file, reason, row)
        if found.candles and time <= found.candles[-1].time:
            raise PriceFileError(file, not_later(time, found.candles[-1].time), row)
        found.candles.append(candle)
        places.append(row)
    check_gaps(file, found.candles, places)
    return found


def check_gaps(file: Path, candles: Sequence[Candle], rows: Sequence[int]) -> None:
    if len(candles) < 2:
        return
    usual = interval_of(candles)
    for before, after, row in zip(candles, candles[1:], rows[1:], strict=False):
        if (reason := gap_fault(before.time, after.time, usual)) is not None:
            raise PriceFileError(file, reason, row)


def read_rounds(
    file: Path,
    header: list[str],  # noqa: ARG001 - the caller has found its columns
    rows: Iterator[tuple[int, dict[str, str]]],
) -> PriceRows:
    """Two rounds in one second are real: the later one holds."""
    found = PriceRows()
    last_round = 0
    for row, cells in rows:
        number = cells["roundid"]
        if not re.fullmatch(r"\d{1,25}", number):
            raise PriceFileError(file, f"roundId {number!r} is not a number", row)
        if int(number) <= last_round:
            raise PriceFileError(file, f"roundId {number} does not follow {last_round}", row)
        last_round = int(number)
        time = read_time(file, row, cells["updatedat"])
        price = read_price(file, row, cells["answer8"], "answer8", scale=8)
        if found.rounds and time < found.rounds[-1][0]:
            raise PriceFileError(file, not_later(time, found.rounds[-1][0]), row)
        if found.rounds and time == found.rounds[-1][0]:
            found.rounds.pop()
        found.rounds.append((time, price))
    return found


def not_later(time: int, before: int) -> str:
    return f"time {show_time(time)} is not after {show_time(before)} in the row before"


def show_time(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def read_time(file: Path, row: int, text: str) -> int:
    """Seconds or milliseconds since 1970, or ISO 8601 (without an offset: UTC)."""
    if re.fullmatch(r"\d{9,13}", text):
        number = int(text)
        whole, rest = divmod(number, 1000) if number >= 10**11 else (number, 0)
        moment = datetime.fromtimestamp(whole, UTC)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise PriceFileError(file, f"time {text!r} is not a date and time", row) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        rest = moment.microsecond
    if rest:
        raise PriceFileError(file, f"time {text!r} is not a whole second", row)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise PriceFileError(file, f"year {moment.year} of time {text!r} is not believed", row)
    return int(moment.timestamp())


def read_price(file: Path, row: int, text: str, name: str, scale: int = 0) -> Decimal:
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity", "snan"):
        raise PriceFileError(file, f"{name} {text!r} is not finite", row)
    if not NUMBER.fullmatch(text):
        raise PriceFileError(file, f"{name} {text!r} is not a number", row)
    try:
        price = Decimal(text).scaleb(-scale)
    except InvalidOperation:
        raise PriceFileError(file, f"{name} {text!r} is not a number", row) from None
    if price <= 0:
        raise PriceFileError(file, f"{name} {text} is not positive", row)
    if not SMALLEST <= price <= LARGEST:
        reason = f"{name} {text} is outside [{SMALLEST}, {LARGEST}]"
        raise PriceFileError(file, reason, row)
    return price
