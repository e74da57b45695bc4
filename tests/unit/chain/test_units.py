from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novation import units
from novation.units import UnitError


@pytest.mark.parametrize(
    ("text", "ppm"),
    [
        ("10 %", 100_000),
        ("10%", 100_000),
        ("5 bps", 500),
        ("1 bp", 100),
        ("250 ppm", 250),
        ("0.3", 300_000),
        ("1", 1_000_000),
        ("0.0001 %", 1),
        ("-1.5 %", -15_000),
        ("0", 0),
    ],
)
def test_read_ppm_of_a_rate_is_exact(text: str, ppm: int) -> None:
    assert units.read_ppm(text) == ppm


@pytest.mark.parametrize(
    ("text", "wad"),
    [
        ("1_000", 1_000 * units.WAD),
        ("0.1", units.WAD // 10),
        ("0.000000000000000001", 1),
        ("12_345.678_9", 123456789 * units.WAD // 10_000),
        ("-2", -2 * units.WAD),
    ],
)
def test_read_wad_of_a_decimal_is_exact(text: str, wad: int) -> None:
    assert units.read_wad(text) == wad


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24h", 86_400), ("30 min", 1_800), ("45 s", 45), ("7 d", 604_800), ("0.5 h", 1_800)],
)
def test_read_seconds_of_a_duration(text: str, seconds: int) -> None:
    assert units.read_seconds(text) == seconds


def test_read_tokens_keeps_the_tokens_decimals() -> None:
    assert units.read_tokens("1_000.5", 6) == 1_000_500_000
    assert units.read_tokens("3", 0) == 3


@pytest.mark.parametrize("value", [0.3, 1, None, True, Fraction(1, 2)])
def test_reading_anything_but_text_is_refused(value: object) -> None:
    with pytest.raises(UnitError, match="write amounts as text"):
        units.read_wad(value)


@pytest.mark.parametrize(
    "text", ["", "%", "1e18", "1,000", "1__0", "_1", ".5", "5.", "0x10", "1 0", "nan", "ten", "5 h"]
)
def test_reading_text_that_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="is not an amount"):
        units.read_ppm(text)


@pytest.mark.parametrize(
    ("read", "text", "finer"),
    [
        (units.read_ppm, "0.00005 %", "one part per million"),
        (units.read_wad, "0.0000000000000000001", "1e-18"),
        (units.read_int, "1.5", "a whole number"),
        (units.read_seconds, "0.0001 s", "a second"),
        (lambda text: units.read_tokens(text, 6), "0.0000001", "6 decimals"),
    ],
)
def test_reading_what_the_unit_cannot_hold_is_refused(read, text: str, finer: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnitError, match=f"finer than {finer}"):
        read(text)


def test_read_seconds_wants_a_unit() -> None:
    with pytest.raises(UnitError):
        units.read_seconds("60")


@given(st.integers(0, 2**128), st.integers(0, 18))
def test_tokens_and_wad_round_as_named(amount: int, decimals: int) -> None:
    wad = units.tokens_to_wad(amount, decimals)
    assert units.wad_to_tokens_down(wad, decimals) == amount
    assert units.wad_to_tokens_up(wad, decimals) == amount
    scale = units.tokens_to_wad(1, decimals)
    if scale > 1:
        assert units.wad_to_tokens_down(wad + 1, decimals) == amount
        assert units.wad_to_tokens_up(wad + 1, decimals) == amount + 1


@given(st.integers(0, 2**64))
def test_ppm_and_wad_round_as_named(rate: int) -> None:
    assert units.wad_to_ppm_down(units.ppm_to_wad(rate)) == rate
    assert units.wad_to_ppm_up(units.ppm_to_wad(rate) + 1) == rate + 1


@given(st.integers(-(2**128), 2**128))
def test_show_wad_reads_back(amount: int) -> None:
    assert units.read_wad(units.show_wad(amount)) == amount


@given(st.integers(0, 10**9))
def test_show_seconds_and_ppm_read_back(value: int) -> None:
    assert units.read_seconds(units.show_seconds(value)) == value
    assert units.read_ppm(units.show_ppm(value)) == value


def test_tokens_of_more_than_18_decimals_are_refused() -> None:
    with pytest.raises(UnitError, match="0 to 18 decimals, not 19"):
        units.tokens_to_wad(1, 19)
