"""INV-34, TOK-05: in the middle of a token's transfer nothing can be entered and nothing read."""

from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.chain.reverts import decode_revert
from novation.units import WAD
from tests.local_chain import LocalChain
from tests.world import (
    KEEP_PREMIUM,
    NO_LIMIT,
    ZERO,
    World,
    account_id,
    liquidation_terms,
    vamm_params,
)

UNLOCKED = {
    # immutables, listings and permissions: no transfer is in the middle of changing them
    "ANY_MARKET", "MAX_FEE", "MAX_HELD", "MAX_MARKETS", "MAX_AGE", "account", "authority", "vault",
    "clearing", "treasury", "market", "marketCount", "marketOf", "lockHolder", "isAuthorised",
    "isConsumingScheduledOp", "params", "collateralAt", "collateralCount", "rampOf", "MAX_DECIMALS",
    "MAX_DISCOUNT", "MAX_INTEREST", "MAX_THRESHOLD", "interestIndex", "lossTerms",
    "MAX_HAIRCUT", "MAX_SCALE", "MAX_SLOTS", "MIN_HAIRCUT", "MIN_SCALE", "TERMS_RAMP",
    "settlementScale", "settlementToken", "backstop", "MIN_SHARE", "THROTTLE_SECONDS",
    # moved by resolution alone, which moves no token
    "orphanDeficit",
    # shares and requests change in no call that moves a token
    "requestsOf", "shareEpoch", "sharesOf", "totalShares", "requestWithdrawal",
    # the last good price of a collateral, which anybody may bring in at any time
    "poke",
}  # fmt: skip


class Stage:
    """A world around a token that calls out; the token owns an account, and is its delegate."""

    def __init__(self, chain: LocalChain, settlement: bool) -> None:
        self.token = chain.deploy("CallbackToken", 6)
        self.world = w = World.deploy(chain)
        if settlement:
            w.token = self.token
            w.deploy_core()
        self.market = w.list_market()
        w.fund(w.lp, 10_000_000)
        w.add_liquidity(self.market, 100_000, "2000")
        if not settlement:
            terms = (self.token.address, self.market.oracle.address, 100_000, 1_000_000, 10**24)
            w.send("vault", "listCollateral", *terms)
        chain.send(self.token, "mint", w.trader, 10**12)
        chain.send(self.token, "approve", w.vault.address, NO_LIMIT, sender=w.trader)
        self.account, self.own = account_id(w.trader), account_id(self.token.address)
        for account in (self.account, self.own):
            values = ("deposit", account, self.token.address, 10**8)
            chain.send(w.vault, *values, sender=w.trader)

    def calls(self) -> list[tuple[Contract, str, bytes]]:
        """Every function of the three contracts that is not in UNLOCKED, as the token calls it."""
        w, vamm, own = self.world, self.market.vamm, self.own
        leg = {"account": own, "size": 0, "cash": 0, "transfer": 0}
        ask = {"size": WAD, "quote": 0, "limitPrice": NO_LIMIT, "closing": False}
        fill = dict.fromkeys(
            ("size", "quote", "fee", "houseFee", "peg", "mid", "index", "premium"), 1
        )
        price = {"index": WAD, "strict": WAD, "updatedAt": 0, "variance": 0, "live": True}
        ours = {
            "fill": (0, own, ask), "planFill": (0, price, own, 0, 0, ask),
            "accrueFor": (0, own, own), "setDepth": (0, 1), "clear": (0, [leg], 0, KEEP_PREMIUM),
            "touch": ([own],), "release": (own, 1, [], 0), "transfer": (own, self.account, 1),
            "setDelegate": (own, w.other, 7), "collectFees": (), "enter": (), "exit": (),
            "credit": (own, 1), "debit": (own, 1, [], 0), "setCollateral": (own, True, False),
            "listMarket": (w.other, False), "setVenue": (w.other, 0, True),
            "stopVenue": (vamm.address,), "position": (own, 0), "house": (), "health": (own,),
            "sizeOf": (own, 0), "releaseRatio": (), "setAuthority": (w.other,),
            "deposit": (own, self.token.address, 1), "multicall": ([],),
            "depositWithPermit": (own, self.token.address, 1, NO_LIMIT, 27, bytes(32), bytes(32)),
            "withdraw": (own, self.token.address, 1, self.token.address, [], 0),
            "listCollateral": (w.other, w.other, 1, 1, 1), "tightenCap": (self.token.address, 0),
            "setCollateralTerms": (self.token.address, 100_000, 1_000_000, 1),
            "setThrottle": (self.token.address, 100_000, 1), "throttleOf": (self.token.address,),
            "tightenThrottle": (self.token.address, 100_000, 0),
            "exemptLeft": (self.token.address, w.other),
            "collateralValue": (own,), "settlementWad": (), "settlementHeld": (),
            "collateralOf": (own, self.token.address),
            "trade": (own, WAD, NO_LIMIT, NO_LIMIT), "close": (own, 0, NO_LIMIT),
            "tradeQuote": (own, WAD, NO_LIMIT, NO_LIMIT), "quoteTrade": (WAD,),
            "quoteTradeQuote": (WAD,), "curve": (), "value": (), "setParams": (vamm_params(),),
            "requestDeposit": (own, WAD), "executeDeposit": (own,), "executeWithdrawal": (own,),
            "executeInKind": (own,), "lapse": (own, True), "endShareEpoch": (),
            "inventoryMoved": (price, 0, 0), "filled": (own, fill),
            "seize": (own, own, self.token.address, 1, 1, 1), "seizeAll": (own, own, 1, 1),
            "setLossTerms": (1, 1, 1), "seed": (1,),
        }  # fmt: skip
        made = []
        for contract in (w.clearing, w.vault, vamm):
            names = {e["name"] for e in contract.artifact.abi if e["type"] == "function"}
            if contract is w.clearing:
                names.add("account")
            for name in sorted(names):
                if name == "account" and contract is w.clearing:
                    made.append((contract, name, contract.encode(name, own)))
                elif name not in UNLOCKED:
                    made.append((contract, name, contract.encode(name, *ours[name])))
        return made + self.backstop_calls()

    def backstop_calls(self) -> list[tuple[Contract, str, bytes]]:
        """The doors for accounts below their margin, at the clearing house and the liquidator."""
        w, own = self.world, self.own
        door, end = (Contract(w.chain, w.clearing.address, n) for n in ("Backstop", "Resolver"))
        w.send("liquidator", "setTerms", 0, liquidation_terms())
        ask = {
            "market": 0, "victim": self.account, "taker": own, "maxSize": WAD, "topUp": 0,
            "venue": ZERO, "expected": 0, "minNet": 0,
        }  # fmt: skip
        calls: list[tuple[Contract, str, Any]] = [
            (door, "takeover", (ask, 0, liquidation_terms())),
            (door, "takeoverMany", ([ask], 0, liquidation_terms())),
            (end, "resolve", (self.account, own, 0, 0, liquidation_terms())),
            (end, "convert", (self.account, own, ZERO, 1, 1)),
            (end, "collectInterest", ()),
            (w.liquidator, "liquidate", (ask,)),
            (w.backing, "back", (0, False)),
            (w.liquidator, "resolve", (self.account, own, 0)),
        ]
        return [(at, name, at.encode(name, *values)) for at, name, values in calls]


# What refuses before the lock is asked: roles, and requests that are not there.
EARLIER = {
    "AccessManagedUnauthorized",
    "ClearingNotVault",
    "VammNoRequest",
    "VammNoLiquidity",
    "VammNotAuthorised",
    "VaultNotClearing",
}


@pytest.mark.parametrize("settlement", [True, False])
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_inv_34_every_entry_is_shut_during_a_transfer(
    world: World, settlement: bool, way: str
) -> None:
    stage = Stage(world.chain, settlement)
    w, token = stage.world, stage.token
    send: Any = w.chain.send
    for contract, name, data in stage.calls():
        if name == "multicall":
            data = contract.encode(name, [contract.encode("multicall", [])])
            inner: Any = {"clearing": ("touch", [stage.own]), "vault": ("settlementHeld",)}
            role = "clearing" if contract is w.clearing else "vault"
            if contract is stage.market.vamm:
                data = contract.encode(name, [contract.encode("endShareEpoch")])
            else:
                data = contract.encode(name, [contract.encode(*inner[role])])
        send(token, "setCallback", contract.address, data, way == "withdraw")
        values: Any = (stage.account, token.address, 1)
        if way == "withdraw":
            values = (*values, w.trader, [], WAD)
        send(w.vault, way, *values, sender=w.trader)
        assert token.read("calls") == 1
        assert token.read("success") is False, name
        found = decode_revert(token.read("returned")).name
        assert found in {"ClearingLocked", "VaultLocked"} | EARLIER, (name, found)
        if found in EARLIER:
            assert name in EARLY, (name, found)
    send(token, "setCallback", ZERO, b"", False)
    assert w.vault.read("settlementHeld") == w.token.read("balanceOf", w.vault.address)


EARLY = {
    "setVenue", "stopVenue", "listMarket", "setParams", "listCollateral", "tightenCap",
    "setCollateralTerms", "setThrottle", "tightenThrottle", "setAuthority", "enter", "exit",
    "credit", "debit", "setCollateral",
    "executeDeposit", "executeWithdrawal", "executeInKind", "lapse", "planFill",
    "inventoryMoved", "filled", "seize", "seizeAll", "setLossTerms",
}  # fmt: skip
