"""EVM arithmetic on Python integers: libraries/Fixed.sol and the parts of Solady that we call.

Where a contract divides, this file says how it rounds. Nothing is a float.
"""

from math import isqrt

from novation.model.errors import Refused
from novation.units import WAD

MAX_UINT = 2**256 - 1
EXP_LEAST = -41446531673892822313
EXP_MOST = 135305999368893231589
LN_2_X96 = 54916777467707473351141471128


def tdiv(a: int, b: int) -> int:
    """a / b toward zero, as the EVM divides; b may be negative, never 0."""
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def div_floor(a: int, b: int) -> int:
    """a / b toward minus infinity; b > 0."""
    return a // b


def div_up(a: int, b: int) -> int:
    """a / b, rounded up; a >= 0, b > 0."""
    return -(-a // b)


def mul_wad(a: int, b: int) -> int:
    """a * b / 1e18, rounded down; not negative."""
    return a * b // WAD


def mul_wad_floor(a: int, b: int) -> int:
    """a * b / 1e18 toward minus infinity."""
    return a * b // WAD


def mul_wad_up(a: int, b: int) -> int:
    """a * b / 1e18, rounded up; not negative."""
    return -(-a * b // WAD)


def clamp(a: int, bound: int) -> int:
    """a held inside [-bound, bound]."""
    return bound if a > bound else -bound if a < -bound else a


def full_mul_div(a: int, b: int, d: int) -> int:
    """a * b / d, rounded down, with a product of 512 bits."""
    if d == 0 or (z := a * b // d) > MAX_UINT:
        raise Refused("FullMulDivFailed")
    return z


def full_mul_div_up(a: int, b: int, d: int) -> int:
    """a * b / d, rounded up, with a product of 512 bits."""
    if d == 0 or (z := -(-a * b // d)) > MAX_UINT:
        raise Refused("FullMulDivFailed")
    return z


def sqrt(x: int) -> int:
    """Square root, rounded down."""
    return isqrt(x)


def exp_wad(x: int) -> int:
    """exp(x), WAD; Solady's rational approximation, bit for bit."""
    if x <= EXP_LEAST:
        return 0
    if x >= EXP_MOST:
        raise Refused("ExpOverflow")
    x = tdiv(x << 78, 5**18)
    k = (tdiv(x << 96, LN_2_X96) + 2**95) >> 96
    x -= k * LN_2_X96
    y = x + 1346386616545796478920950773328
    y = (y * x >> 96) + 57155421227552351082224309758442
    p = y + x - 94201549194550492254356042504812
    p = (p * y >> 96) + 28719021644029726153956944680412240
    p = p * x + (4385272521454847904659076985693276 << 96)
    q = x - 2855989394907223263936484059900
    q = (q * x >> 96) + 50020603652535783019961831881945
    q = (q * x >> 96) - 533845033583426703283633433725380
    q = (q * x >> 96) + 3604857256930695427073651918091429
    q = (q * x >> 96) - 14423608567350463180887372962807573
    q = (q * x >> 96) + 26449188498355588339934803723976023
    return tdiv(p, q) * 3822833074963236453042738258902158003155416615667 >> (195 - k)


def ln_wad(x: int) -> int:
    """ln(x), WAD; Solady's rational approximation, bit for bit."""
    if x <= 0:
        raise Refused("LnWadUndefined")
    r = 256 - x.bit_length()
    x = x << r >> 159
    p = x + 3273285459638523848632254066296
    p = (p * x >> 96) + 24828157081833163892658089445524
    p = (p * x >> 96) + 43456485725739037958740375743393
    p = (p * x >> 96) - 11111509109440967052023855526967
    p = (p * x >> 96) - 45023709667254063763336534515857
    p = (p * x >> 96) - 14706773417378608786704636184526
    p = p * x - (795164235651350426258249787498 << 96)
    q = x + 5573035233440673466300451813936
    q = (q * x >> 96) + 71694874799317883764090561454958
    q = (q * x >> 96) + 283447036172924575727196451306956
    q = (q * x >> 96) + 401686690394027663651624208769553
    q = (q * x >> 96) + 204048457590392012362485061816622
    q = (q * x >> 96) + 31853899698501571402653359427138
    q = (q * x >> 96) + 909429971244387300277376558375
    p = 1677202110996718588342820967067443963516166 * tdiv(p, q)
    p += 16597577552685614221487285958193947469193820559219878177908093499208371 * (159 - r)
    p += 600920179829731861736702779321621459595472258049074101567377883020018308
    return p >> 174
