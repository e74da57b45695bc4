"""From a spec to the ordered transactions that make it so, each with its address known beforehand.

The order matters. What the deployer creates himself comes first, under nonces set aside for it. A
vAMM is marked as a venue before the vault exists, so that nobody can pay anything into the vAMM's
account first, which would bar it from being marked. Rights are given away last, when everything
that needs them is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from novation import artifacts, units
from novation.chain import Call
from novation.chain.contract import call_to, constructor_inputs, encode_call, encode_constructor
from novation.deploy import access, roles
from novation.deploy.addresses import (
    CREATE2_DEPLOYER,
    create2_address,
    create_address,
    salt_of,
)
from novation.deploy.fields import DEPLOYER, UNSET
from novation.deploy.spec import FluxFeed, Market, MockFeed, MockToken, Oracle, Spec
from novation.deploy.steps import Creation, Fact, How, Plan, Step
from novation.deploy.venues import venue_fact

ZERO = "0x" + "00" * 20
FACTORY_NONCES = {"ClearingHouse": 1, "MarginVault": 2}
FLUX_TIMEOUT = 0
FLUX_PAYMENT = 0
FIRST_ROUND = 1
PROXY_ROUND = 1 << 64


@dataclass
class Planner:
    """Collects the steps. Names of contracts are those of the manifest."""

    spec: Spec
    deployer: str
    nonces: Mapping[str, int]
    """Nonces of the deployer's own creations, by name."""
    given: Mapping[str, str]
    """Addresses of what stands already, whatever spec and sources would make of it today."""
    steps: list[Step] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    outside: list[Fact] = field(default_factory=list)
    external: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def plan(self) -> Plan:
        self.foresee()
        self.feeds()
        self.tokens()
        self.create2("AccessManager", "AccessManager", self.deployer)
        self.create2("CoreFactory", "CoreFactory", self.deployer)
        for name, oracle in self.spec.oracles.items():
            self.oracle(name, oracle)
        self.clearing()
        for number, market in enumerate(self.spec.markets):
            self.market(number, market)
        self.vault()
        self.throttles()
        self.behind()
        for name in ("Collector", "Lens"):
            self.create2(name, name, self.addresses["ClearingHouse"])
            self.expect(name, clearing=self.addresses["ClearingHouse"])
        self.rights()
        return Plan(
            network=self.spec.network,
            chain_id=self.spec.chain_id,
            deployer=self.deployer,
            steps=tuple(self.steps),
            facts=tuple(self.facts),
            outside=tuple(self.outside),
            external=self.external,
        )

    # The ways a contract comes into being

    def foresee(self) -> None:
        """The two addresses that others name before they exist."""
        code = self.init_code("CoreFactory", self.deployer)
        factory = create2_address(salt_of(self.spec.salt, "CoreFactory"), code)
        for name, nonce in FACTORY_NONCES.items():
            self.addresses[name] = self.given.get(name) or create_address(factory, nonce)

    def init_code(self, contract: str, *arguments: Any) -> bytes:
        artifact = artifacts.load(contract)
        return artifact.bytecode + encode_constructor(artifact, *arguments)

    def foreseen(self, name: str, contract: str, *arguments: Any) -> str:
        """Where `create2` puts it, or where it stands."""
        code = self.init_code(contract, *arguments)
        return self.given.get(name) or create2_address(salt_of(self.spec.salt, name), code)

    def create2(self, name: str, contract: str, *arguments: Any) -> str:
        code, salt = self.init_code(contract, *arguments), salt_of(self.spec.salt, name)
        address = self.given.get(name) or create2_address(salt, code)
        made = self.creation(contract, address, arguments, code)
        return self.add(name, CREATE2_DEPLOYER, salt + code, Creation(**made, salt=salt))

    def by_factory(self, contract: str, *arguments: Any) -> str:
        code = self.init_code(contract, *arguments)
        made = self.creation(contract, self.addresses[contract], arguments, code, How.FACTORY)
        data = encode_call(artifacts.load("CoreFactory"), "deploy", code)
        nonce = FACTORY_NONCES[contract]
        return self.add(
            contract, self.addresses["CoreFactory"], data, Creation(**made, nonce=nonce)
        )

    def create(self, name: str, contract: str, *arguments: Any) -> str:
        """By the deployer himself, whom the contract takes for its owner."""
        code, nonce = self.init_code(contract, *arguments), self.nonces.get(name)
        address = self.given.get(name)
        if address is None:
            assert nonce is not None
            address = create_address(self.deployer, nonce)
        made = self.creation(contract, address, arguments, code, How.CREATE)
        return self.add(name, None, code, Creation(**made, nonce=nonce))

    def creation(
        self, contract: str, address: str, given: Any, code: bytes, how: How = How.CREATE2
    ) -> dict[str, Any]:
        names = [p["name"] for p in constructor_inputs(artifacts.load(contract))]
        arguments = dict(zip(names, given, strict=True))
        made = {"contract": contract, "address": address, "arguments": arguments}
        return {**made, "how": how, "init_code": code}

    def add(self, name: str, to: str | None, data: bytes, creation: Creation) -> str:
        self.steps.append(Step(name, to, data, creation))
        self.addresses[name] = creation.address
        return creation.address

    def call(
        self,
        step: str,
        name: str,
        function: str,
        *values: Any,
        facts: list[Fact],
        door: str | None = None,
    ) -> None:
        """A call of a contract of the plan, done when the facts hold. `door`: whose function it is,
        if not that contract's own."""
        artifact = artifacts.load(door) if door else self.artifact(name)
        data = encode_call(artifact, function, *values)
        self.steps.append(Step(step, self.addresses[name], data, None, tuple(facts)))

    def artifact(self, name: str) -> artifacts.Artifact:
        made = {s.name: s.creation for s in self.steps}[name]
        assert made is not None
        return artifacts.load(made.contract)

    def read(self, name: str, function: str, *values: Any) -> Call[Any]:
        return call_to(self.addresses[name], self.artifact(name), function, *values)

    def fact(self, name: str, expected: Any, function: str, *values: Any) -> Fact:
        inner = ", ".join(str(v) for v in values)
        what = f"{name}: {function}({inner})" if values else f"{name}: {function}"
        return Fact(what, self.read(name, function, *values), expected)

    def expect(self, name: str, **values: Any) -> None:
        """What views without arguments must say, at the end and ever after."""
        self.facts += [self.fact(name, value, view) for view, value in values.items()]

    def holder(self, holder: str) -> str:
        return self.deployer if holder in (DEPLOYER, UNSET) else holder

    # Tokens and feeds

    def tokens(self) -> None:
        for symbol, token in self.spec.tokens.items():
            name = f"Token {symbol}"
            if isinstance(token, MockToken):
                self.create2(name, "MockToken", symbol, symbol, token.decimals)
                continue
            self.external[name] = self.addresses[name] = token.address
            abi = artifacts.load("MockToken")
            says = call_to(token.address, abi, "decimals")
            self.outside.append(Fact(f"{name}: decimals", says, token.decimals))

    def feeds(self) -> None:
        for name, feed in self.spec.feeds.items():
            if isinstance(feed, FluxFeed):
                self.flux(name, feed)
        for name, feed in self.spec.feeds.items():
            full = f"Feed {name}"
            if isinstance(feed, FluxFeed):
                self.first_answer(name, feed)
            elif isinstance(feed, MockFeed):
                self.create2(full, "MockFeed", feed.decimals)
                answer = units.read_tokens(feed.answer, feed.decimals)
                given = self.fact(full, PROXY_ROUND | FIRST_ROUND, "latest")
                self.call(f"{full}: first answer", full, "push", answer, facts=[given])
            else:
                self.external[full] = self.addresses[full] = feed.address
                proxy = artifacts.load("EACAggregatorProxy")
                for view in ("decimals", "description"):
                    says = call_to(feed.address, proxy, view)
                    self.outside.append(Fact(f"{full}: {view}", says, getattr(feed, view)))

    def flux(self, name: str, feed: FluxFeed) -> None:
        least, most = (units.read_tokens(v, feed.decimals) for v in (feed.minimum, feed.maximum))
        settings = (FLUX_PAYMENT, FLUX_TIMEOUT, ZERO, least, most, feed.decimals, name)
        flux = self.create(f"Flux {name}", "FluxAggregator", ZERO, *settings)
        self.create(f"Feed {name}", "EACAggregatorProxy", flux, ZERO)
        self.expect(f"Feed {name}", aggregator=flux)

    def first_answer(self, name: str, feed: FluxFeed) -> None:
        flux, answer = f"Flux {name}", units.read_tokens(feed.answer, feed.decimals)
        one = [self.deployer]
        may = self.fact(flux, one, "getOracles")
        self.call(f"{flux}: oracle", flux, "changeOracles", [], one, one, 1, 1, 0, facts=[may])
        given = self.fact(flux, answer, "getAnswer", FIRST_ROUND)
        self.call(f"{flux}: first answer", flux, "submit", FIRST_ROUND, answer, facts=[given])

    def oracle(self, name: str, oracle: Oracle) -> None:
        spec, second, sequencer = self.spec, oracle.second, self.spec.sequencer
        config = {
            **{k: v for k, v in oracle.as_struct().items() if k not in ("feed", "second")},
            "feed": self.addresses[f"Feed {oracle.feed}"],
            "second": self.addresses[f"Feed {second}"] if second else ZERO,
            "sequencer": sequencer.address if sequencer else ZERO,
            "sequencerGrace": sequencer.grace if sequencer else 0,
        }
        if sequencer and "Sequencer" not in self.external:
            self.external["Sequencer"] = sequencer.address
        full = f"Oracle {name}"
        self.create2(full, "ChainlinkOracleAdapter", config)
        self.expect(full, config=config, decimals=spec.feeds[oracle.feed].decimals)

    # The core

    def clearing(self) -> None:
        spec, name = self.spec, "ClearingHouse"
        owner = self.holder(spec.treasury.owner)
        treasury = bytes.fromhex(owner[2:]) + spec.treasury.sub.to_bytes(12, "big")
        manager, vault = self.addresses["AccessManager"], self.addresses["MarginVault"]
        fund, liquidator = self.foresee_behind()
        insurance = bytes.fromhex(fund[2:]) + bytes(12)
        behind = (vault, liquidator, insurance)
        resolver = self.create2("Resolver", "Resolver", *behind)
        backstop = self.create2("Backstop", "Backstop", *behind, resolver)
        self.expect("Resolver", liquidator=liquidator, insurance=insurance)
        self.expect("Backstop", liquidator=liquidator, insurance=insurance, resolver=resolver)
        self.by_factory(name, manager, vault, treasury, backstop)
        self.expect(name, authority=manager, vault=vault, treasury=treasury, backstop=backstop)
        self.expect(name, marketCount=len(spec.markets))

    def market(self, number: int, market: Market) -> None:
        manager, clearing = self.addresses["AccessManager"], self.addresses["ClearingHouse"]
        common = {"authority": manager, "clearing": clearing}
        inner = ("name", "risk", "vamm", "oracle", "liquidation", "allotment")
        listing = {k: v for k, v in market.as_struct().items() if k not in inner}
        listing["oracle"] = self.addresses[f"Oracle {market.oracle}"]
        risk, params = market.risk.as_struct(), market.vamm.as_struct()

        name = f"PerpMarket {market.name}"
        perp = self.create2(name, "PerpMarket", manager, clearing, listing, risk)
        self.expect(name, **common, oracle=listing["oracle"], params=risk)

        there = self.fact("ClearingHouse", perp, "marketOf", number)
        step = f"ClearingHouse: list {market.name}"
        self.call(step, "ClearingHouse", "listMarket", perp, market.isolated, facts=[there])
        self.facts.append(there)

        name = f"VAMM {market.name}"
        vamm = self.foreseen(name, "VAMM", manager, clearing, number, params)
        venue = venue_fact(clearing, vamm, number, market.name)
        step = f"ClearingHouse: venue {market.name}"
        self.call(step, "ClearingHouse", "setVenue", vamm, number, True, facts=[venue])
        self.facts.append(venue)
        self.create2(name, "VAMM", manager, clearing, number, params)
        self.expect(name, **common, market=number, params=params)

    def vault(self) -> None:
        spec, name = self.spec, "MarginVault"
        manager, clearing = self.addresses["AccessManager"], self.addresses["ClearingHouse"]
        token = self.addresses[f"Token {spec.settlement}"]
        self.by_factory(name, manager, clearing, token)
        self.expect(name, authority=manager, clearing=clearing, settlementToken=token)
        self.expect(name, collateralCount=len(spec.collateral))
        losses = spec.losses
        told = (losses.rate, losses.threshold * units.WAD, losses.cap * units.WAD)
        terms = self.fact(name, told, "lossTerms")
        values = (losses.rate, losses.threshold, losses.cap)
        self.call(f"{name}: losses", name, "setLossTerms", *values, facts=[terms])
        self.facts.append(terms)
        for slot, collateral in enumerate(spec.collateral):
            decimals = spec.tokens[collateral.token].decimals
            listed = {
                "token": self.addresses[f"Token {collateral.token}"],
                "oracle": self.addresses[f"Oracle {collateral.oracle}"],
                "haircut": collateral.haircut,
                "haircutScale": collateral.haircut_scale,
                "cap": units.read_tokens(collateral.cap, decimals),
            }
            stands = self.fact(name, {**listed, "decimals": decimals}, "collateralAt", slot)
            step = f"{name}: list {collateral.token}"
            self.call(step, name, "listCollateral", *listed.values(), facts=[stands])
            self.facts.append(stands)

    def throttles(self) -> None:
        name = "MarginVault"
        for symbol, throttle in self.spec.throttles.items():
            token = self.addresses[f"Token {symbol}"]
            exempt = units.read_tokens(throttle.exempt, self.spec.tokens[symbol].decimals)
            says = self.read(name, "throttleOf", token)
            wanted = {"share": throttle.share, "exempt": exempt}
            stands = Fact(f"{name}: throttle of {symbol}", says, wanted)
            step, values = f"{name}: throttle {symbol}", (token, throttle.share, exempt)
            self.call(step, name, "setThrottle", *values, facts=[stands])
            self.facts.append(stands)

    # Behind the clearing house

    def foresee_behind(self) -> tuple[str, str]:
        """Insurance fund and liquidator: the backstop names them before they exist."""
        fund = self.foreseen("InsuranceFund", "InsuranceFund", *self.fund_arguments())
        return fund, self.foreseen("Liquidator", "Liquidator", *self.liquidator_arguments(fund))

    def fund_arguments(self) -> tuple[Any, ...]:
        times = self.spec.insurance
        core = (self.addresses[n] for n in ("AccessManager", "ClearingHouse", "MarginVault"))
        return (*core, times.cooldown, times.window)

    def liquidator_arguments(self, fund: str) -> tuple[Any, ...]:
        return self.addresses["AccessManager"], self.addresses["ClearingHouse"], fund

    def behind(self) -> None:
        """Insurance and liquidation, and each market's part and terms."""
        fund = self.create2("InsuranceFund", "InsuranceFund", *self.fund_arguments())
        self.create2("Liquidator", "Liquidator", *self.liquidator_arguments(fund))
        clearing = self.addresses["ClearingHouse"]
        self.expect("InsuranceFund", clearing=clearing, vault=self.addresses["MarginVault"])
        self.expect("Liquidator", clearing=clearing, insurance=fund)
        for number, market in enumerate(self.spec.markets):
            terms = market.liquidation.as_struct()
            name, stand = "Liquidator", self.fact("Liquidator", terms, "termsOf", number)
            self.call(f"{name}: {market.name}", name, "setTerms", number, terms, facts=[stand])
            name = "InsuranceFund"
            part = self.fact(name, {"ppm": market.allotment}, "coverOf", number)
            step = f"{name}: {market.name}"
            self.call(step, name, "setAllotment", number, market.allotment, facts=[part])
            # From here on the market has a backed cap: 0, until there is cover or liquidity.
            told = self.fact(f"PerpMarket {market.name}", {"told": True}, "backing")
            name, step = "ClearingHouse", f"ClearingHouse: back {market.name}"
            self.call(step, name, "back", number, False, facts=[told], door="IBacking")
            self.facts += [stand, part, told]

    # Rights

    def rights(self) -> None:
        targets = {
            name: made.contract
            for name, made in ((s.name, s.creation) for s in self.steps)
            if made is not None and made.contract in roles.FUNCTIONS
        }
        named = {name: (self.addresses[name], contract) for name, contract in targets.items()}
        book = access.Rights(self.spec, self.deployer, self.addresses["AccessManager"], named)
        self.steps.append(book.configure())
        if (handover := book.hand_over()) is not None:
            self.steps.append(handover)
        self.facts += book.facts()


def own_creations(spec: Spec) -> list[str]:
    """Names of the contracts that the deployer creates himself, in the order of the plan."""
    flux = [name for name, feed in spec.feeds.items() if isinstance(feed, FluxFeed)]
    return [f"{kind} {name}" for name in flux for kind in ("Flux", "Feed")]


def make_plan(
    spec: Spec,
    deployer: str,
    nonces: Mapping[str, int] | None = None,
    given: Mapping[str, str] | None = None,
) -> Plan:
    return Planner(spec, deployer, nonces or {}, given or {}).plan()
