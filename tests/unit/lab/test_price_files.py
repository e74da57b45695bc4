"""Bad price files are refused with the row and the reason; nothing of them is used."""

from decimal import Decimal
from pathlib import Path

import pytest

from novation.lab.errors import PriceFileError
from novation.lab.pricefile import read_price_file

HEADER = "datetime,open,high,low,close,volume"
GOOD = (
    "2020-03-12 00:00:00+00:00,194.61,195.55,192.22,193.31,43682.11",
    "2020-03-12 01:00:00+00:00,193.3,193.73,184.23,185.03,69195.22",
    "2020-03-12 02:00:00+00:00,185.01,187.62,182.66,184.1,69162.77",
)
ROUNDS = "roundId,answer8,startedAt,updatedAt"


@pytest.fixture
def write(tmp_path):
    def writer(*lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
        file = tmp_path / "prices.csv"
        file.write_bytes((end.join(lines) + end).encode(encoding))
        return file

    return writer


def test_candles_are_read_exactly(write):
    candles = read_price_file(write(HEADER, *GOOD)).candles
    assert [c.time for c in candles] == [1583971200, 1583974800, 1583978400]
    assert candles[1].low == Decimal("184.23")
    assert candles[2].close == Decimal("184.1")


@pytest.mark.parametrize("column", ["datetime", "timestamp", "time_period_start", "Timestamp"])
def test_every_known_time_column_is_found(write, column):
    assert len(read_price_file(write(HEADER.replace("datetime", column), *GOOD)).candles) == 3


def test_prefixed_price_columns_and_unknown_ones_are_fine(write):
    header = "time_period_start,price_open,price_high,price_low,price_close,30.0 Perc"
    assert len(read_price_file(write(header, *GOOD)).candles) == 3


@pytest.mark.parametrize(
    "text",
    [
        "2020-03-12 00:00:00",
        "2020-03-12T00:00:00Z",
        "2020-03-12 01:00:00+01:00",
        "2020-03-11 19:00:00-05:00",
        "1583971200",
        "1583971200000",
    ],
)
def test_times_with_any_offset_or_as_numbers_mean_the_same(write, text):
    row = f"{text},194.61,195.55,192.22,193.31,1"
    assert read_price_file(write(HEADER, row, GOOD[1])).candles[0].time == 1583971200


def test_windows_line_ends_byte_order_mark_and_blank_lines_are_fine(write):
    file = write(HEADER, GOOD[0], "", *GOOD[1:], encoding="utf-8-sig", end="\r\n")
    assert len(read_price_file(file).candles) == 3


def test_rounds_of_one_second_are_real_and_the_later_one_holds(write):
    rows = ("7,16798683000,1692313103,1692313103", "8,17018952107,1692313103,1692313103")
    last = "9,17000000000,1692316703,1692316703"
    rounds = read_price_file(write(ROUNDS, *rows, last)).rounds
    assert rounds == [(1692313103, Decimal("170.18952107")), (1692316703, Decimal(170))]


def bad(*rows: str) -> tuple[str, ...]:
    return (HEADER, *rows)


@pytest.mark.parametrize(
    ("lines", "row", "reason"),
    [
        ((), None, "empty"),
        (("",), None, "empty"),
        ((HEADER,), None, "at least two rows"),
        (bad(GOOD[0]), None, "at least two rows"),
        (("open,high,low,close", "1,1,1,1"), 1, "datetime or timestamp or time_period_start"),
        (("datetime,open,high,low", "x"), 1, "close or price_close is missing"),
        (("datetime;open;high;low;close",), 1, "separated by ';'"),
        (("datetime,open,open,high,low,close",), 1, "open is there twice"),
        (bad(GOOD[0], "2020-03-12 01:00:00,abc,2,1,1,1"), 3, "open 'abc' is not a number"),
        (bad(GOOD[0], "2020-03-12 01:00:00,1_0,20,1,1,1"), 3, "open '1_0' is not a number"),
        (bad(GOOD[0], "2020-03-12 01:00:00,,20,1,1,1"), 3, "open '' is not a number"),
        (bad(GOOD[0], "2020-03-12 01:00:00,nan,2,1,1,1"), 3, "open 'nan' is not finite"),
        (bad(GOOD[0], "2020-03-12 01:00:00,1,Infinity,1,1,1"), 3, "high 'Infinity' is not finite"),
        (bad(GOOD[0], "2020-03-12 01:00:00,0,2,0,1,1"), 3, "open 0 is not positive"),
        (bad(GOOD[0], "2020-03-12 01:00:00,1,2,-1,1,1"), 3, "low -1 is not positive"),
        (bad(GOOD[0], "2020-03-12 01:00:00,1e13,2,1,1,1"), 3, "open 1e13 is outside"),
        (bad(GOOD[0], "2020-03-12 01:00:00,1e-9,2,1,1,1"), 3, "open 1e-9 is outside"),
        (bad(GOOD[0], "2020-03-12 01:00:00,5,4,6,5,1"), 3, "high 4 is below low 6"),
        (bad(GOOD[0], "2020-03-12 01:00:00,9,8,6,7,1"), 3, "open 9 is outside [6, 8]"),
        (bad(GOOD[0], "2020-03-12 01:00:00,7,8,6,5,1"), 3, "close 5 is outside [6, 8]"),
        (bad(GOOD[0], GOOD[0]), 3, "is not after 2020-03-12 00:00:00 in the row before"),
        (bad(GOOD[1], GOOD[0]), 3, "time 2020-03-12 00:00:00 is not after"),
        (bad(*GOOD, "2020-03-12 09:00:01,1,1,1,1,1"), 5, "no candle for 25201 s before it"),
        (bad(GOOD[0], "yesterday,1,1,1,1,1"), 3, "time 'yesterday' is not a date and time"),
        (bad(GOOD[0], "2020-03-12 01:00:00.5,1,1,1,1,1"), 3, "is not a whole second"),
        (bad(GOOD[0], "1969-03-12 01:00:00,1,1,1,1,1"), 3, "year 1969"),
        (bad(GOOD[0], "2020-03-12 01:00:00,1,1,1,1"), 3, "5 cells, the header has 6"),
        (bad(GOOD[0], "2020-03-12 01:00:00,1,1,1,1,1,1"), 3, "7 cells, the header has 6"),
        (bad(GOOD[0], '"2020-03-12 01:00:00'), 3, "not CSV"),
        ((ROUNDS, "1,100,5,1692313103", "x,100,5,1692313104"), 3, "roundId 'x' is not a number"),
        ((ROUNDS, "2,100,5,1692313103", "2,100,5,1692313104"), 3, "roundId 2 does not follow 2"),
        ((ROUNDS, "2,100,5,1692313103", "3,100,5,1692313102"), 3, "is not after"),
        ((ROUNDS, "2,100,5,1692313103", "3,-1,5,1692313104"), 3, "answer8 -1 is not positive"),
    ],
)
def test_bad_file_is_refused_with_row_and_reason(write, lines, row, reason):
    with pytest.raises(PriceFileError) as caught:
        read_price_file(write(*lines))
    assert caught.value.row == row
    assert reason in str(caught.value)
    assert (f"row {row}" in str(caught.value)) == (row is not None)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8_is_refused_with_its_row(tmp_path):
    file = tmp_path / "latin.csv"
    file.write_bytes(f"{HEADER}\n{GOOD[0]}\n".encode() + b"2020-03-12,\xe9,1,1,1,1\n")
    with pytest.raises(PriceFileError, match="row 3: not UTF-8"):
        read_price_file(file)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(PriceFileError) as caught:
            read_price_file(path)
        assert caught.value.row is None
