"""A path calibrated to the published figures of 12 March 2020, for runs without market data.

What is published and what the path reproduces, whatever the seed: ETH opened the day near 194.6,
lost 20.9 % in its worst hour and 47.8 % in its worst 24 hours (both from full hour to full hour),
and touched 86.00 in the early hours of the 13th. Everything between is drawn.
"""

from decimal import Decimal
from itertools import pairwise

import numpy as np

SYNTHETIC_LABEL = "synthetic path, calibrated to 12-13 March 2020"
START = 1_583_971_200  # 12 March 2020, 00:00 UTC
HOUR = 3600
CENT = 10**6  # prices are counted in 1e-8 quote

# (seconds from the start, price in cents). The 2nd and 26th hour make the worst 24 hours, the 10th
# and 11th the worst hour.
SKELETON = (
    (0, 194_60),
    (2 * HOUR, 185_00),
    (6 * HOUR, 180_00),
    (10 * HOUR, 168_00),
    (11 * HOUR, 132_89),
    (14 * HOUR, 136_00),
    (18 * HOUR, 141_00),
    (23 * HOUR, 127_00),
    (24 * HOUR, 108_50),
    (25 * HOUR, 107_00),
    (26 * HOUR, 96_57),
    (26 * HOUR + 1500, 86_00),
    (27 * HOUR, 111_00),
    (29 * HOUR, 110_00),
    (31 * HOUR, 126_00),
    (38 * HOUR, 121_00),
    (48 * HOUR, 133_00),
)
LOW = 86_00 * CENT
WORST_HOUR_PPM = -209_000
WORST_DAY_PPM = -478_000
SLACK_PPM = 500
HOURLY_NOISE_PPM = 14_000
PPM = 10**6


def black_thursday(step: int, seed: int) -> tuple[tuple[int, ...], tuple[Decimal, ...]]:
    """Two days, a price every `step` seconds (at most 300, so that each turn is touched)."""
    if step < 1:
        raise ValueError(f"a step of {step} s is not positive")
    noise = HOURLY_NOISE_PPM
    while True:  # a seed whose noise makes something worse than what was published is damped
        points = draw(min(step, 300), seed, noise)
        if noise == 0 or is_calibrated(points):
            break
        noise = noise * 3 // 4 if noise > 100 else 0
    times = sorted(points)
    return (
        tuple(START + time for time in times),
        tuple(Decimal(points[time]).scaleb(-8) for time in times),
    )


def draw(step: int, seed: int, noise: int) -> dict[int, int]:
    """Prices by second from the start: straight legs of the skeleton with tied random walks on."""
    generator = np.random.default_rng([seed, START])
    points: dict[int, int] = {}
    for (start, first), (end, last) in pairwise(SKELETON):
        times = [*range(start, end, step), end]
        steps = len(times) - 1
        shocks = generator.normal(0.0, noise * (step / HOUR) ** 0.5, steps)
        drift = np.concatenate([[0.0], shocks.cumsum()])
        for place, time in enumerate(times):
            off = round(float(drift[place] - drift[-1] * (place / steps)))
            line = (first * (end - time) + last * (time - start)) * CENT // (end - start)
            points[time] = max(line * (PPM + off) // PPM, LOW + CENT)
        points[start], points[end] = first * CENT, last * CENT
    return points


def is_calibrated(points: dict[int, int]) -> bool:
    """Whether no hour and no 24 hours are worse than those published."""
    hours = [points[time] for time in range(0, SKELETON[-1][0] + 1, HOUR) if time in points]
    if len(hours) != SKELETON[-1][0] // HOUR + 1:
        return True  # a step that misses the full hours cannot be measured so
    return (
        worst(hours, 1) >= WORST_HOUR_PPM - SLACK_PPM
        and worst(hours, 24) >= WORST_DAY_PPM - SLACK_PPM
    )


def worst(hours: list[int], span: int) -> int:
    """Worst change over `span` hours, ppm."""
    pairs = zip(hours, hours[span:], strict=False)
    return min(after * PPM // before - PPM for before, after in pairs)
