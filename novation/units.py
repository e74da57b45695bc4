"""Amounts: reads what people write, exactly, and converts between the protocol's units.

A WAD is a fixed-point number with 18 decimals: sizes in lots, cash and prices in quote. Rates that
people set are parts per million. Token amounts keep the token's decimals. Nothing here is a float:
text is read digit by digit, and a value that its unit cannot hold is refused, never rounded.
"""

import re
from fractions import Fraction

WAD = 10**18
PPM = 10**6
K_UNIT = 10**27  # cumulative profit indices of a side
RATIO_UNIT = 10**36  # open interest over units, of an ended epoch
FEE_UNIT = 10**12  # pending fees of the house are counted in 1e-6 quote
PPM_IN_WAD = WAD // PPM
MAX_DECIMALS = 18

NUMBER = re.compile(r"[+-]?(\d+(_\d+)*)(\.\d+(_\d+)*)?")
RATE_UNITS = {"": Fraction(1), "%": Fraction(1, 100), "bps": Fraction(1, 10_000)}
RATE_UNITS |= {"bp": RATE_UNITS["bps"], "ppm": Fraction(1, PPM)}
TIME_UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}


class UnitError(ValueError):
    """Text is not an amount, or its unit cannot hold it exactly."""


def _split(text: object, units: tuple[str, ...], example: str) -> tuple[Fraction, str]:
    """The number and the unit of a text such as "5 bps"."""
    if not isinstance(text, str):
        kind = type(text).__name__
        raise UnitError(f'{text!r} is a {kind}; write amounts as text, such as "{example}"')
    match = NUMBER.match(text.strip())
    unit = text.strip()[match.end() :].strip() if match else ""
    if match is None or unit not in units:
        raise UnitError(f'"{text}" is not an amount such as "{example}"')
    return Fraction(match[0].replace("_", "")), unit


def _exactly(value: Fraction, scale: int, text: object, what: str) -> int:
    scaled = value * scale
    if scaled.denominator != 1:
        raise UnitError(f'"{text}" is finer than {what}')
    return scaled.numerator


def read_decimal(text: object) -> Fraction:
    """ "1_000.5" as an exact number."""
    return _split(text, ("",), "1_000.5")[0]


def read_rate(text: object) -> Fraction:
    """ "10 %", "5 bps", "250 ppm" or "0.1" as an exact number."""
    value, unit = _split(text, tuple(RATE_UNITS), "10 %")
    return value * RATE_UNITS[unit]


def read_int(text: object) -> int:
    """ "1_000" as a whole number."""
    return _exactly(read_decimal(text), 1, text, "a whole number")


def read_wad(text: object) -> int:
    """ "0.3" in WAD."""
    return _exactly(read_decimal(text), WAD, text, "1e-18")


def read_thousandths(text: object) -> int:
    """ "0.5" in thousandths."""
    return _exactly(read_decimal(text), 1_000, text, "one thousandth")


def read_rate_wad(text: object) -> int:
    """ "10 %" in WAD."""
    return _exactly(read_rate(text), WAD, text, "1e-18")


def read_ppm(text: object) -> int:
    """ "10 %" in parts per million."""
    return _exactly(read_rate(text), PPM, text, "one part per million")


def read_seconds(text: object) -> int:
    """ "24h", "30 min" or "45 s" in seconds."""
    value, unit = _split(text, tuple(TIME_UNITS), "30 min")
    return _exactly(value, TIME_UNITS[unit], text, "a second")


def read_tokens(text: object, decimals: int) -> int:
    """ "1_000.5" in units of a token with so many decimals."""
    return _exactly(read_decimal(text), 10**decimals, text, f"{decimals} decimals")


def tokens_to_wad(amount: int, decimals: int) -> int:
    """Exact, since no token of the protocol has more than 18 decimals."""
    if not 0 <= decimals <= MAX_DECIMALS:
        raise UnitError(f"a token has 0 to {MAX_DECIMALS} decimals, not {decimals}")
    scale: int = 10 ** (MAX_DECIMALS - decimals)
    return amount * scale


def wad_to_tokens_down(amount: int, decimals: int) -> int:
    return amount // tokens_to_wad(1, decimals)


def wad_to_tokens_up(amount: int, decimals: int) -> int:
    return -(-amount // tokens_to_wad(1, decimals))


def ppm_to_wad(rate: int) -> int:
    return rate * PPM_IN_WAD


def wad_to_ppm_down(rate: int) -> int:
    return rate // PPM_IN_WAD


def wad_to_ppm_up(rate: int) -> int:
    return -(-rate // PPM_IN_WAD)


def show_tokens(amount: int, decimals: int) -> str:
    """The amount in full, without an exponent or trailing zeros."""
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{sign}{int(whole):,}".replace(",", "_") + (f".{part}" if part else "")


def show_wad(amount: int) -> str:
    return show_tokens(amount, MAX_DECIMALS)


def show_ppm(rate: int) -> str:
    return f"{show_tokens(rate, 4)} %"


def show_seconds(seconds: int) -> str:
    for unit in ("d", "h", "min"):
        if seconds and seconds % TIME_UNITS[unit] == 0:
            return f"{seconds // TIME_UNITS[unit]} {unit}"
    return f"{seconds} s"
