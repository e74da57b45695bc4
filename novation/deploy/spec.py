"""The spec of a deployment: deployments/specs/<network>.yaml, read strictly.

Scalars are read as text: YAML would turn 0.3 into a float and 1_000 into something else again.
"""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from novation import units
from novation.deploy.errors import SpecError
from novation.deploy.fields import (
    Address,
    Decimal,
    Flag,
    Holder,
    Name,
    Ppm,
    RateWad,
    Seconds,
    Section,
    Thousandths,
    Wad,
    Whole,
)

LOCAL_CHAINS = (1337, 31337)


class MockToken(Section):
    """A token that the deployment makes; anyone may mint it."""

    source: Literal["mock"]
    decimals: Whole


class LiveToken(Section):
    source: Literal["live"]
    address: Address
    decimals: Whole


class MockFeed(Section):
    """A feed whose every answer a test sets."""

    source: Literal["mock"]
    decimals: Whole
    answer: Decimal


class FluxFeed(Section):
    """Chainlink's FluxAggregator behind its EACAggregatorProxy; the deployer submits."""

    source: Literal["flux"]
    decimals: Whole
    answer: Decimal
    minimum: Decimal
    maximum: Decimal


class LiveFeed(Section):
    source: Literal["live"]
    address: Address
    decimals: Whole
    description: str


class Oracle(Section):
    """A ChainlinkOracleAdapter. Bounds are quote per lot."""

    feed: Name
    second: Name | None = None
    heartbeat: Seconds
    second_heartbeat: Seconds = 0
    max_divergence: RateWad = 0
    minimum: Wad
    maximum: Wad
    lot_exponent: Whole = 0


class Sequencer(Section):
    """The uptime feed of a rollup's sequencer."""

    address: Address
    grace: Seconds


class Collateral(Section):
    token: Name
    oracle: Name
    haircut: Ppm
    haircut_scale: Whole
    cap: Decimal


class Throttle(Section):
    """How fast a token may leave the vault: share of its average, and whole tokens exempt."""

    share: Ppm
    exempt: Decimal


class Risk(Section):
    """RiskParams of contracts/types/RiskParams.sol."""

    imr: Ppm
    mmr: Ppm
    ramp_seconds: Seconds
    profit_weight: Ppm
    funding_cap: Ppm
    velocity: Ppm
    interest_rate: Ppm
    size_scale: Whole
    min_notional: Whole
    account_cap: Whole
    open_interest_cap: Wad
    backing_multiple: Whole


class Vamm(Section):
    """VammParams of contracts/venues/VAMM.sol."""

    band: Ppm
    base_fee: Ppm
    distance_fee: Ppm
    age_fee: Ppm
    fee_cap: Ppm
    return_speed: Ppm
    return_cap: Ppm
    house_share: Ppm
    depth: Whole
    follow: Flag
    lp_fee: Ppm
    cooldown: Seconds
    window: Seconds


class Liquidation(Section):
    """LiquidationTerms of contracts/types/Liquidation.sol."""

    reward_min: Ppm
    reward_max: Ppm
    penalty: Ppm
    target: Ppm
    min_lot: Whole
    whole_below: Whole
    min_reward: Thousandths
    budget: Ppm


class Market(Section):
    """A PerpMarket, its vAMM, and what stands behind it."""

    name: Name
    oracle: Name
    isolated: Flag
    strict_window: Seconds
    premium_window: Seconds
    short_window: Seconds
    interruption: Seconds
    full_premium: RateWad
    settlement_window: Seconds
    risk: Risk
    vamm: Vamm
    liquidation: Liquidation
    allotment: Ppm
    """Part of the insurance stake that is not in cooldown."""


class Insurance(Section):
    """Seconds from a request to leave to its window, and the window's length."""

    cooldown: Seconds
    window: Seconds


class Losses(Section):
    """What a loss behind other collateral costs a year, and up to what sums it is left alone."""

    rate: Ppm
    threshold: Whole
    cap: Whole


class Role(Section):
    """Who holds a role, and how long each of his calls waits."""

    members: list[Holder]
    delay: Seconds


class Roles(Section):
    admin: Role
    risk: Role
    guardian: Role
    listing: Role


class Treasury(Section):
    """The account that the house's fees go to."""

    owner: Holder
    sub: Whole = 0


Token = Annotated[MockToken | LiveToken, Field(discriminator="source")]
Feed = Annotated[MockFeed | FluxFeed | LiveFeed, Field(discriminator="source")]


class Spec(Section):
    network: Name
    chain_id: Whole
    salt: str
    settlement: Name
    treasury: Treasury
    insurance: Insurance
    losses: Losses
    roles: Roles
    tokens: dict[Name, Token]
    feeds: dict[Name, Feed]
    sequencer: Sequencer | None = None
    oracles: dict[Name, Oracle]
    collateral: list[Collateral]
    throttles: dict[Name, Throttle]
    markets: list[Market]

    @property
    def local(self) -> bool:
        """A chain that one machine keeps for itself."""
        return self.chain_id in LOCAL_CHAINS

    def faults(self) -> Iterator[str]:
        """What no single field shows."""
        if self.settlement not in self.tokens:
            yield f"settlement: no token {self.settlement}"
        for name, oracle in self.oracles.items():
            if oracle.feed not in self.feeds:
                yield f"oracles.{name}.feed: no feed {oracle.feed}"
            if oracle.second is not None and oracle.second not in self.feeds:
                yield f"oracles.{name}.second: no feed {oracle.second}"
            if oracle.minimum >= oracle.maximum:
                yield f"oracles.{name}.minimum: not below maximum"
        yield from self._doubles("markets", [m.name for m in self.markets])
        for i, market in enumerate(self.markets):
            if market.oracle not in self.oracles:
                yield f"markets[{i}].oracle: no oracle {market.oracle}"
        yield from self._doubles("collateral", [c.token for c in self.collateral])
        for i, collateral in enumerate(self.collateral):
            yield from self._collateral_faults(f"collateral[{i}]", collateral)
        yield from self._throttle_faults()
        for role, holders in self.roles:
            if role == "admin" and len(holders.members) != 1:
                yield "roles.admin.members: exactly one account holds ADMIN"
            yield from self._doubles(f"roles.{role}.members", holders.members)
        for role in ("risk", "listing"):
            if getattr(self.roles, role).delay > self.roles.admin.delay:
                yield f"roles.admin.delay: shorter than {role}'s, which ADMIN could then take away"
        if self.roles.guardian.delay:
            yield "roles.guardian.delay: a guardian acts at once"
        if not self.local:
            made = [f"tokens.{n}" for n, t in self.tokens.items() if t.source == "mock"]
            made += [f"feeds.{n}" for n, f in self.feeds.items() if f.source != "live"]
            yield from (f"{where}.source: only local networks make their own" for where in made)

    def _collateral_faults(self, where: str, collateral: Collateral) -> Iterator[str]:
        if collateral.oracle not in self.oracles:
            yield f"{where}.oracle: no oracle {collateral.oracle}"
        elif self.oracles[collateral.oracle].lot_exponent:
            yield f"{where}.oracle: its price is per lot, collateral needs one per whole token"
        if collateral.token == self.settlement:
            yield f"{where}.token: {collateral.token} is the settlement token"
        if collateral.token not in self.tokens:
            yield f"{where}.token: no token {collateral.token}"
            return
        yield from self._amount_faults(f"{where}.cap", collateral.token, collateral.cap)

    def _throttle_faults(self) -> Iterator[str]:
        """The vault's tokens, each named: `share: 100 %` is how to say none."""
        held = [
            t for t in (self.settlement, *(c.token for c in self.collateral)) if t in self.tokens
        ]
        yield from (f"throttles.{t}: missing" for t in held if t not in self.throttles)
        for token, throttle in self.throttles.items():
            if token not in held:
                yield f"throttles.{token}: no token of the vault"
                continue
            yield from self._amount_faults(f"throttles.{token}.exempt", token, throttle.exempt)

    def _amount_faults(self, where: str, token: str, amount: str) -> Iterator[str]:
        try:
            units.read_tokens(amount, self.tokens[token].decimals)
        except units.UnitError as error:
            yield f"{where}: {error}"

    @staticmethod
    def _doubles(where: str, names: list[str]) -> Iterator[str]:
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"{where}: {name} appears twice"


class TextLoader(yaml.BaseLoader):
    """Scalars stay text; a key that appears twice is refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} appears twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(text: str, where: str) -> Spec:
    try:
        raw = yaml.load(text, TextLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise SpecError(where, [f"{line}{getattr(error, 'problem', error)}"]) from None
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        raise SpecError(where, [fault(e) for e in error.errors()]) from None
    if faults := list(spec.faults()):
        raise SpecError(where, faults)
    return spec


def read(path: Path) -> Spec:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(str(path), [getattr(error, "strerror", None) or str(error)]) from None
    return parse(text, str(path))


def fault(error: Any) -> str:
    """Path of a key and what is wrong with it: `markets[0].risk.imr: ...`."""
    path = ""
    for part in error["loc"]:
        if part in ("mock", "live", "flux") and path.startswith(("tokens.", "feeds.")):
            continue  # pydantic's name of the alternative, which is no key
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    kinds = {"extra_forbidden": "unknown key", "missing": "missing"}
    kinds["union_tag_not_found"] = "source is missing"
    message = kinds.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{path}: {message}" if path else message
