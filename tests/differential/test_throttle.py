"""Tokens in and out under throttles that change, against the model: every stored word equal."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from novation.model.throttle import MIN_SHARE
from novation.units import PPM, WAD
from tests.differential.steps import OWNERS, listed_world, owner_of, twin_of
from tests.local_chain import local_chain
from tests.twin import Twin
from tests.world import World

WALKS, STEPS = 6, 60


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with local_chain() as chain:
        yield listed_world(chain)


class Walk:
    """Random deposits, withdrawals near what is let go, settings and pauses."""

    def __init__(self, twin: Twin, rng: random.Random) -> None:
        self.twin, self.rng, self.vault = twin, rng, twin.vault

    def step(self) -> None:
        kinds = {self.deposit: 8, self.withdraw: 22, self.wait: 6, self.set: 2, self.tighten: 2}
        self.rng.choices(list(kinds), list(kinds.values()))[0](self.token())

    def token(self) -> str:
        return self.rng.choice([self.twin.world.token.address, self.twin.collateral])

    def deposit(self, token: str) -> None:
        owner, sub = owner_of(self.twin.world, self.rng.choice(OWNERS)), self.rng.randint(0, 1)
        most = 30 * WAD if token == self.twin.collateral else 30_000 * 10**6
        self.twin.deposit(owner, sub, self.rng.randint(1, most), token)

    def withdraw(self, token: str) -> None:
        """What the average lets go, what the exemption does, or anything; a unit more or less."""
        who = self.rng.choices(OWNERS, (6, 1, 1, 1))[0]
        owner, now = owner_of(self.twin.world, who), self.twin.clock.now + 1
        throttle, held = self.vault.throttle(token), self.vault.held_of(token)
        left = throttle.exempt_left(bytes.fromhex(owner[2:]), now)
        near = [throttle.available(held, now), left, left // 2, self.rng.randint(1, held + 1)]
        amount = max(0, self.rng.choice(near) + self.rng.choice((-1, 0, 0, 1)))
        self.twin.withdraw(owner, 0, amount, [], WAD, token)

    def wait(self, _: str) -> None:
        self.twin.warp(self.rng.choice((0, 1, 59, 600, 3_598, 3_599, 3_600, 30_000)))

    def set(self, token: str) -> None:
        share = self.rng.choice((0, MIN_SHARE - 1, MIN_SHARE, 250_000, 333_333, PPM, PPM + 1))
        self.twin.set_throttle(token, share, self.rng.choice((0, 1, 10**8, 10**10, 2**128 - 1)))

    def tighten(self, token: str) -> None:
        share = self.rng.choice((MIN_SHARE - 1, MIN_SHARE, 200_000, PPM))
        exempt = self.vault.throttle(token).exempt
        near = (exempt, exempt // 2, min(exempt + 1, 2**128 - 1))
        self.twin.tighten_throttle(token, share, self.rng.choice(near))


def test_throttle_equals_the_model_through_random_withdrawals(world: World) -> None:
    """MRG-13: words, exemptions and refusals, to the unit and the second."""
    seen: Counter[tuple[str, str | None]] = Counter()
    exempted = 0
    for seed in range(WALKS):
        with world.isolated() as copy:
            twin = twin_of(copy)
            walk = Walk(twin, random.Random(seed))
            twin.deposit(owner_of(copy, 0), 0, 10**6 * 10**6)
            for owner, ether in zip(OWNERS, (1_000, 10, 10, 10), strict=True):
                twin.deposit(owner_of(copy, owner), 0, ether * WAD, twin.collateral)
            for _ in range(STEPS):
                walk.step()
                twin.compare()
            twin.check_events()
            copy.check_identity()
            seen.update(twin.outcomes)
            exempted += sum(len(t.taken) for t in twin.vault.throttles.values())
    assert exempted > 5
    assert seen["withdraw", None] > 20
    assert seen["withdraw", "VaultThrottled"] > 20
    for outcome in (
        ("setThrottle", None),
        ("setThrottle", "VaultOutOfBounds"),
        ("tightenThrottle", None),
        ("tightenThrottle", "VaultNotTighter"),
        ("tightenThrottle", "VaultOutOfBounds"),
    ):
        assert seen[outcome], outcome
