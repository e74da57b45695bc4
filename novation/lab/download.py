"""Candles from an exchange: `ccxt:exchange:SYMBOL:FROM:TO`, the end not included."""

import importlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from novation.lab.candles import Candle, gap_fault
from novation.lab.errors import DownloadError

PREFIX = "ccxt:"
FORM = "ccxt:exchange:SYMBOL:FROM:TO, such as ccxt:binance:ETH/USDT:2020-03-12:2020-03-14"
TIMEFRAMES = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14400, "1d": 86400}
MOST_CANDLES = 3000  # the finest timeframe that stays below is taken
PAGE = 500
RETRIES = 3


def download(spec: str, sleep: Callable[[float], None] = time.sleep) -> list[Candle]:
    exchange_id, symbol, start, end = parse(spec)
    client = connect(exchange_id)
    timeframe = choose_timeframe(client, exchange_id, end - start)
    interval = TIMEFRAMES[timeframe]
    candles: list[Candle] = []
    since = start
    while since < end:
        page = fetch_page(client, symbol, timeframe, since, sleep)
        fresh = [c for c in (to_candle(spec, row) for row in page) if since <= c.time < end]
        if not fresh:
            break
        candles += fresh
        since = fresh[-1].time + interval
    check(spec, candles, interval)
    return candles


def parse(spec: str) -> tuple[str, str, int, int]:
    """Exchange, symbol (which may hold a colon), first second, last second."""
    parts = spec.split(":")
    if len(parts) < 5 or not all(parts):
        raise DownloadError(f"{spec}: expected {FORM}")
    start, end = (read_date(spec, text) for text in parts[-2:])
    if end <= start:
        raise DownloadError(f"{spec}: {parts[-1]} is not after {parts[-2]}")
    return parts[1], ":".join(parts[2:-2]), start, end


def read_date(spec: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DownloadError(f"{spec}: {text!r} is not a date; expected {FORM}") from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def connect(exchange_id: str) -> Any:
    try:
        ccxt = importlib.import_module("ccxt")
    except ImportError:
        raise DownloadError(
            "downloading prices needs ccxt, which is not installed: "
            'install the extra "analysis" (make demo SETS="dev analysis" PRICES=...)'
        ) from None
    if exchange_id not in ccxt.exchanges:
        raise DownloadError(f"ccxt knows no exchange {exchange_id}")
    return getattr(ccxt, exchange_id)({"enableRateLimit": True})


def choose_timeframe(client: Any, exchange_id: str, seconds: int) -> str:
    if not client.has.get("fetchOHLCV"):
        raise DownloadError(f"{exchange_id} serves no candles")
    offered = [name for name in TIMEFRAMES if name in (client.timeframes or TIMEFRAMES)]
    if not offered:
        raise DownloadError(f"{exchange_id} serves none of {', '.join(TIMEFRAMES)}")
    few = [name for name in offered if seconds <= MOST_CANDLES * TIMEFRAMES[name]]
    return few[0] if few else offered[-1]


def fetch_page(
    client: Any, symbol: str, timeframe: str, since: int, sleep: Callable[[float], None]
) -> list[Any]:
    ccxt = importlib.import_module("ccxt")
    for attempt in range(RETRIES):
        try:
            return list(client.fetch_ohlcv(symbol, timeframe, since * 1000, PAGE))
        except ccxt.NetworkError as error:
            if attempt == RETRIES - 1:
                reason = f"{client.id} cannot be reached: {one_line(error)}"
                raise DownloadError(reason) from None
            sleep(2.0**attempt)
        except ccxt.BaseError as error:
            raise DownloadError(f"{client.id} refused {symbol}: {one_line(error)}") from None
    raise AssertionError("unreachable")


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def to_candle(spec: str, row: Any) -> Candle:
    """ccxt hands on floats; their shortest decimal form is what the exchange wrote."""
    try:
        stamp, *prices = row[:5]
        candle = Candle(int(stamp) // 1000, *(Decimal(repr(float(price))) for price in prices))
    except (TypeError, ValueError, ArithmeticError):
        raise DownloadError(f"{spec}: {row!r} is not a candle") from None
    if not all(
        p.is_finite() and p > 0 for p in (candle.open, candle.high, candle.low, candle.close)
    ):
        raise DownloadError(f"{spec}: a price of {row!r} is not positive and finite")
    if (fault := candle.fault()) is not None:
        raise DownloadError(f"{spec}: {fault}")
    return candle


def check(spec: str, candles: list[Candle], interval: int) -> None:
    if len(candles) < 2:
        raise DownloadError(f"{spec}: the exchange has no candles for these days")
    for before, after in pairwise(candles):
        if after.time <= before.time:
            raise DownloadError(f"{spec}: candle {after.time} does not follow {before.time}")
        if (fault := gap_fault(before.time, after.time, interval)) is not None:
            raise DownloadError(f"{spec}: candle {after.time}: {fault}")
