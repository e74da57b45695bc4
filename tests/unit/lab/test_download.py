"""Downloading: pages, order, and what is said when it cannot be. The exchange is a stand-in."""

import sys
from decimal import Decimal
from types import ModuleType
from typing import ClassVar

import pytest

from novation.lab.download import download, parse
from novation.lab.errors import DownloadError
from novation.lab.prices import load_prices

START = 1583971200
SPEC = "ccxt:fake:ETH/USDT:2020-03-12:2020-03-13"


class BaseError(Exception):
    pass


class NetworkError(BaseError):
    pass


class Exchange:
    """Serves a minute candle for each minute, at most `page` at a time, as ccxt hands them on."""

    id = "fake"
    timeframes: ClassVar = {"1m": "1m", "1h": "1h"}
    has: ClassVar = {"fetchOHLCV": True}
    page = 100
    failures: ClassVar[list[Exception]] = []
    asked: ClassVar[list[tuple[str, str, int]]] = []
    last = START + 10 * 86400

    def __init__(self, settings):
        assert settings["enableRateLimit"]

    def fetch_ohlcv(self, symbol, timeframe, since, limit):
        if type(self).failures:
            raise type(self).failures.pop(0)
        type(self).asked.append((symbol, timeframe, since))
        seconds = 60 if timeframe == "1m" else 3600
        first = since // 1000
        times = range(first, min(first + seconds * min(limit, self.page), self.last), seconds)
        return [[t * 1000, 194.61, 195.1, 194.0, 194.7, 3.0] for t in times]


@pytest.fixture
def exchange(monkeypatch):
    kind = type("Kind", (Exchange,), {"failures": [], "asked": []})
    module = ModuleType("ccxt")
    vars(module).update(
        exchanges=["fake"], fake=kind, BaseError=BaseError, NetworkError=NetworkError
    )
    monkeypatch.setitem(sys.modules, "ccxt", module)
    return kind


def test_pages_are_put_together_without_gap_or_double(exchange):
    candles = download(SPEC)
    assert [c.time for c in candles] == list(range(START, START + 86400, 60))
    assert candles[0].open == Decimal("194.61")
    assert len(exchange.asked) == 15
    assert exchange.asked[0] == ("ETH/USDT", "1m", START * 1000)


def test_long_spans_take_a_coarser_candle(exchange):
    candles = download("ccxt:fake:ETH/USDT:2020-03-12:2020-03-20")
    assert exchange.asked[0][1] == "1h"
    assert len(candles) == 8 * 24


def test_symbol_may_hold_a_colon():
    assert parse("ccxt:fake:ETH/USDT:USDT:2020-03-12:2020-03-13")[1] == "ETH/USDT:USDT"


def test_network_fault_is_tried_again(exchange):
    exchange.failures[:] = [NetworkError("slow"), NetworkError("slow")]
    waits: list[float] = []
    assert len(download(SPEC, waits.append)) == 1440
    assert waits == [1.0, 2.0]


def test_network_that_stays_away_is_one_clear_line(exchange):
    exchange.failures[:] = [NetworkError("no\nroute")] * 3
    with pytest.raises(DownloadError, match=r"^fake cannot be reached: no route$"):
        download(SPEC, lambda _: None)


def test_refusal_of_the_exchange_is_told(exchange):
    exchange.failures[:] = [BaseError("no market ETH/USDT")]
    with pytest.raises(DownloadError, match="fake refused ETH/USDT: no market"):
        download(SPEC)


@pytest.mark.parametrize(
    "row",
    [
        [START * 1000, None, 2.0, 1.0, 1.0, 1.0],
        [START * 1000, 1.0, float("nan"), 1.0, 1.0, 1.0],
        [START * 1000, 1.0, 0.5, 1.0, 1.0, 1.0],
        [START * 1000, 1.0],
        ["x", 1.0, 1.0, 1.0, 1.0],
    ],
)
def test_candle_that_cannot_be_is_refused(exchange, row):
    exchange.fetch_ohlcv = lambda *_: [row]
    with pytest.raises(DownloadError):
        download(SPEC)


def test_days_without_candles_are_refused(exchange):
    exchange.last = START - 1
    with pytest.raises(DownloadError, match="no candles"):
        download(SPEC)


@pytest.mark.parametrize(
    "spec",
    [
        "ccxt:fake",
        "ccxt:fake:ETH/USDT:2020-03-12",
        "ccxt:fake:ETH/USDT:yesterday:2020-03-12",
        "ccxt:fake:ETH/USDT:2020-03-13:2020-03-12",
        "ccxt:nobody:ETH/USDT:2020-03-12:2020-03-13",
    ],
)
@pytest.mark.usefixtures("exchange")
def test_bad_order_is_refused(spec):
    with pytest.raises(DownloadError):
        download(spec)


def test_missing_ccxt_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(DownloadError, match="analysis"):
        download(SPEC)


@pytest.mark.usefixtures("exchange")
def test_downloaded_path_is_real_and_labelled():
    path = load_prices(SPEC, 60, 1)
    assert path.label == "fake:ETH/USDT:2020-03-12:2020-03-13"
    assert not path.synthetic
