"""Exact integers against the compiled libraries, value by value: no tolerance anywhere."""

import random
from typing import Any

import pytest

from novation.model import fixed
from novation.model.errors import Refused
from novation.units import WAD

MAX_UINT = 2**256 - 1
MAX_INT, MIN_INT = 2**255 - 1, -(2**255)
COUNT = 2_500


def any_uint(rng: random.Random, bits: int = 256) -> int:
    """Every length of number is as likely as any other; now and then the edge of one."""
    length = rng.randint(0, bits)
    value = rng.getrandbits(length) if length else 0
    edge = rng.random()
    return 2**length - 1 if edge < 0.05 else 2 ** (length - 1) if edge < 0.1 and length else value


def any_int(rng: random.Random, bits: int = 255) -> int:
    return any_uint(rng, bits) * rng.choice((-1, 1))


def uints(rng: random.Random, count: int, bits: int = 256) -> list[tuple[int, ...]]:
    return [tuple(any_uint(rng, bits) for _ in range(count)) for _ in range(COUNT)]


@pytest.fixture
def rng() -> random.Random:
    return random.Random(5)


class TestSolady:
    def test_exp_wad_is_bit_exact_over_its_whole_domain(
        self, harness: Any, rng: random.Random
    ) -> None:
        edges = [0, 1, -1, WAD, -WAD, MIN_INT, MAX_INT]
        for edge in (fixed.EXP_LEAST, fixed.EXP_MOST, 693147180559945309, 346573590279972654):
            edges += [edge - 1, edge, edge + 1, -edge]
        values = edges + [rng.randint(-42 * WAD, 136 * WAD) for _ in range(COUNT)]
        values += [any_int(rng, 68) for _ in range(COUNT)]
        harness.compare("expWad", fixed.exp_wad, [(x,) for x in values])

    def test_ln_wad_is_bit_exact_over_its_whole_domain(
        self, harness: Any, rng: random.Random
    ) -> None:
        values = [0, -1, MIN_INT, MAX_INT, 1, WAD - 1, WAD, WAD + 1]
        values += [2**k + d for k in range(1, 255) for d in (-1, 0, 1)]
        values += [max(any_uint(rng, 255), 1) for _ in range(COUNT)]
        harness.compare("lnWad", fixed.ln_wad, [(x,) for x in values])

    def test_sqrt_is_the_floor_for_every_word(self, harness: Any, rng: random.Random) -> None:
        values = [*range(300), MAX_UINT, MAX_UINT - 1]
        values += [n * n + d for n in (rng.getrandbits(128) for _ in range(500)) for d in (-1, 0)]
        values += [any_uint(rng) for _ in range(COUNT)]
        harness.compare("sqrt", fixed.sqrt, [(max(x, 0),) for x in values])

    @pytest.mark.parametrize(
        ("function", "model"),
        [("fullMulDiv", fixed.full_mul_div), ("fullMulDivUp", fixed.full_mul_div_up)],
    )
    def test_full_mul_div_has_512_bits_and_refuses_what_does_not_fit(
        self, harness: Any, rng: random.Random, function: str, model: Any
    ) -> None:
        m = MAX_UINT
        inputs = [(0, 0, 0), (1, 1, 0), (0, 5, 0), (m, m, m), (m, m, m - 1), (m, 2, 2), (m, 1, 1)]
        inputs += [(m, m, 1), (2**255, 2, 1), (2**128, 2**128, 1), (2**128, 2**128 - 1, 1)]
        # just at the edge of what fits: a * b / d close to 2^256
        inputs += [(m, d + e, d) for d in (3, WAD, 2**200, m - 9) for e in (-1, 0, 1)]
        harness.compare(function, model, [*inputs, *uints(rng, 3)])

    def test_full_mul_div_refuses_division_by_zero(self) -> None:
        with pytest.raises(Refused, match="FullMulDivFailed"):
            fixed.full_mul_div(1, 1, 0)


class TestFixed:
    @pytest.mark.parametrize(
        ("function", "model"), [("divFloor", fixed.div_floor), ("tdiv", fixed.tdiv)]
    )
    def test_signed_division_rounds_as_named(
        self, harness: Any, rng: random.Random, function: str, model: Any
    ) -> None:
        inputs = [(a, b) for a in (-7, -6, -1, 0, 1, 6, 7, MAX_INT) for b in (1, 2, 3, MAX_INT)]
        inputs += [(any_int(rng), max(any_uint(rng, 255), 1)) for _ in range(COUNT)]
        harness.compare(function, model, inputs)

    def test_tdiv_by_a_negative_rounds_toward_zero(self, harness: Any, rng: random.Random) -> None:
        inputs = [(any_int(rng), -max(any_uint(rng, 254), 1)) for _ in range(500)]
        harness.compare("tdiv", fixed.tdiv, inputs)

    def test_unsigned_functions_round_up(self, harness: Any, rng: random.Random) -> None:
        inputs = [(0, 5), (1, 1), (1, 10**18), (WAD, WAD), *uints(rng, 2, 128)]
        harness.compare("mulWadUp", fixed.mul_wad_up, inputs)
        divisions = [(a, b) for a, b in uints(rng, 2) if b]
        harness.compare("divUp", fixed.div_up, [(0, 1), (MAX_UINT, 1), *divisions])

    def test_signed_functions_round_down_and_hold(self, harness: Any, rng: random.Random) -> None:
        inputs = [(any_int(rng, 127), any_int(rng, 127)) for _ in range(COUNT)]
        harness.compare("mulWadFloor", fixed.mul_wad_floor, inputs)
        held = [(any_int(rng), any_uint(rng, 255)) for _ in range(COUNT)]
        harness.compare("clamp", fixed.clamp, held)
