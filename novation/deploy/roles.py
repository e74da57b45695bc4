"""Who may call what: every `restricted` function of ours, and the role that may.

A function left out would fall to ADMIN; a test finds each in the sources and wants it here.
"""

from novation import artifacts
from novation.chain.codec import find, selector

ADMIN = 0
RISK = 1
GUARDIAN = 2
LISTING = 3
LABELS = {RISK: "RISK", GUARDIAN: "GUARDIAN", LISTING: "LISTING"}
NAMES = {ADMIN: "ADMIN", **LABELS}

CANCELLED_BY = {RISK: GUARDIAN, LISTING: GUARDIAN}
"""Role -> the role that may cancel its calls while they wait."""

FUNCTIONS: dict[str, dict[str, int]] = {
    "ClearingHouse": {"listMarket": LISTING, "setVenue": LISTING, "stopVenue": GUARDIAN},
    "MarginVault": {
        "listCollateral": LISTING,
        "setCollateralTerms": RISK,
        "setLossTerms": RISK,
        "tightenCap": GUARDIAN,
        "setThrottle": RISK,
        "tightenThrottle": GUARDIAN,
    },
    "PerpMarket": {
        "setParams": RISK,
        "activate": RISK,
        "beginSettlement": RISK,
        "tightenCaps": GUARDIAN,
        "reduceOnly": GUARDIAN,
    },
    "VAMM": {"setParams": RISK},
    "Liquidator": {"setTerms": RISK},
    "InsuranceFund": {"setTimes": RISK, "setAllotment": RISK},
}


def selectors(contract: str) -> dict[int, list[bytes]]:
    """Role -> selectors of the contract's functions."""
    found: dict[int, list[bytes]] = {}
    for name, role in FUNCTIONS[contract].items():
        found.setdefault(role, []).append(selector_of(contract, name))
    return found


def selector_of(contract: str, function: str) -> bytes:
    return selector(find(artifacts.load(contract).abi, "function", function))
