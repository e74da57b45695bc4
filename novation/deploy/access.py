"""Rights: labels, roles, members and their delays, and the hand-over of ADMIN.

They are set in one transaction and handed over in another, so that no right is half given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from novation import artifacts
from novation.chain.contract import call_to, encode_call
from novation.deploy import roles
from novation.deploy.fields import DEPLOYER, UNSET
from novation.deploy.spec import Spec
from novation.deploy.steps import Fact, Step

CONFIGURE = "AccessManager: roles"
HAND_OVER = "AccessManager: hand over"


@dataclass(frozen=True)
class Rights:
    spec: Spec
    deployer: str
    manager: str
    targets: Mapping[str, tuple[str, str]]
    """Name -> address and contract of all that the manager has authority over."""

    def members(self) -> dict[int, tuple[list[str], int]]:
        """Role -> its members and their delay, ADMIN included."""
        wanted = self.spec.roles
        found = {
            roles.ADMIN: wanted.admin,
            roles.RISK: wanted.risk,
            roles.GUARDIAN: wanted.guardian,
            roles.LISTING: wanted.listing,
        }
        return {
            role: ([self._holder(m) for m in given.members], given.delay)
            for role, given in found.items()
        }

    def _holder(self, holder: str) -> str:
        return self.deployer if holder in (DEPLOYER, UNSET) else holder

    @property
    def admin(self) -> str:
        return self.members()[roles.ADMIN][0][0]

    def _fact(self, what: str, expected: Any, view: str, *values: Any) -> Fact:
        abi = artifacts.load("AccessManager")
        return Fact(f"AccessManager: {what}", call_to(self.manager, abi, view, *values), expected)

    def _multicall(self, name: str, calls: list[tuple[Any, ...]], facts: list[Fact]) -> Step:
        abi = artifacts.load("AccessManager")
        data = encode_call(abi, "multicall", [encode_call(abi, *call) for call in calls])
        return Step(name, self.manager, data, None, tuple(facts))

    def configure(self) -> Step:
        """Everything but ADMIN. The deployer's own memberships included, if the spec has any."""
        calls: list[tuple[Any, ...]] = []
        for role, label in roles.LABELS.items():
            calls.append(("labelRole", role, label))
        for role, canceller in roles.CANCELLED_BY.items():
            calls.append(("setRoleGuardian", role, canceller))
        for address, contract in self.targets.values():
            for role, selectors in roles.selectors(contract).items():
                calls.append(("setTargetFunctionRole", address, selectors, role))
        for role, (members, delay) in self.members().items():
            if role != roles.ADMIN:
                calls += [("grantRole", role, member, delay) for member in members]
        return self._multicall(CONFIGURE, calls, self._functions() + self._members())

    def hand_over(self) -> Step | None:
        """ADMIN to its holder, and away from the deployer; None when he keeps it without delay."""
        delay = self.members()[roles.ADMIN][1]
        if self.admin == self.deployer and not delay:
            return None
        calls: list[tuple[Any, ...]] = [("grantRole", roles.ADMIN, self.admin, delay)]
        if self.admin != self.deployer:
            calls.append(("renounceRole", roles.ADMIN, self.deployer))
        return self._multicall(HAND_OVER, calls, self._admins())

    def facts(self) -> list[Fact]:
        return [*self._functions(), *self._members(), *self._admins(), *self._open()]

    def _functions(self) -> list[Fact]:
        found = []
        for role, canceller in roles.CANCELLED_BY.items():
            what = f"{roles.NAMES[role]} is cancelled by role"
            found.append(self._fact(what, canceller, "getRoleGuardian", role))
        for role in roles.LABELS:
            what = f"{roles.NAMES[role]} is granted by role"
            found.append(self._fact(what, roles.ADMIN, "getRoleAdmin", role))
        for name, (address, contract) in self.targets.items():
            for function, role in roles.FUNCTIONS[contract].items():
                code = roles.selector_of(contract, function)
                what = f"role of {name}.{function}"
                found.append(self._fact(what, role, "getTargetFunctionRole", address, code))
        return found

    def _members(self) -> list[Fact]:
        return [
            self._member(role, member, delay)
            for role, (members, delay) in self.members().items()
            if role != roles.ADMIN
            for member in members
        ]

    def _member(self, role: int, member: str, delay: int) -> Fact:
        what = f"{member} as {roles.NAMES[role]}"
        return self._fact(
            what, {"isMember": True, "executionDelay": delay}, "hasRole", role, member
        )

    def _admins(self) -> list[Fact]:
        found = [self._member(roles.ADMIN, self.admin, self.members()[roles.ADMIN][1])]
        if self.admin != self.deployer:
            gone = {"isMember": False, "executionDelay": 0}
            what = f"deployer {self.deployer} as ADMIN"
            found.append(self._fact(what, gone, "hasRole", roles.ADMIN, self.deployer))
        return found

    def _open(self) -> list[Fact]:
        return [
            self._fact(f"{name} is closed", False, "isTargetClosed", address)
            for name, (address, _) in self.targets.items()
        ]
