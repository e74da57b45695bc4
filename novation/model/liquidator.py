"""Who may take what from unhealthy accounts, on which terms (backstop/Liquidator.sol)."""

from collections.abc import Sequence
from typing import Any

from novation.model.atomic import atomic
from novation.model.backstop import MIN_REWARD_UNIT, Backstop, Taken, Takeover
from novation.model.clearing import TRADE
from novation.model.errors import Refused
from novation.model.insurance import InsuranceFund
from novation.model.liquidation import LiquidationTerms
from novation.units import PPM

DAY = 86_400


class Liquidator:
    """`address` is its own; the clearing house answers no other."""

    def __init__(self, clearing: Backstop, insurance: InsuranceFund, address: bytes) -> None:
        self.clearing = clearing
        self.insurance = insurance
        self.address = address
        self.terms: dict[int, LiquidationTerms] = {}
        self.spent: dict[int, tuple[int, int]] = {}
        """Market -> day and what top-ups cost on it."""

    def snapshot(self) -> Any:
        return dict(self.terms), dict(self.spent), self.clearing.snapshot()

    def restore(self, kept: Any) -> None:
        self.terms, self.spent, ledger = kept
        self.clearing.restore(ledger)

    @atomic
    def set_terms(self, market: int, terms: LiquidationTerms) -> None:
        if not 0 <= market < len(self.clearing.markets):
            raise Refused("LiquidatorUnknownMarket", market=market)
        params = self.clearing.market(market).params
        terms.check(params.mmr, params.min_notional)
        self.terms[market] = terms

    @atomic
    def liquidate(self, ask: Takeover, sender: bytes) -> Taken:
        """Into the taker's account, or through it to a venue."""
        self._require_taker(ask.taker, sender)
        terms = self.terms.get(ask.market)
        if terms is None:
            raise Refused("LiquidatorNoTerms", market=ask.market)
        budget = self.budget_left(ask.market) if ask.top_up else 0
        taken = self.clearing.takeover(ask, budget, terms, self.address)
        self._spend(ask.market, taken.top_up)
        return taken

    def try_many(self, asks: Sequence[Takeover], sender: bytes) -> list[Taken | Refused]:
        """As many as go through; neighbours that can be are tried as one clearing."""
        out: list[Taken | Refused] = []
        while len(out) < len(asks):
            first = asks[len(out)]
            self._require_taker(first.taker, sender)
            end = len(out) + 1
            while end < len(asks) and together(first, asks[end]):
                end += 1
            group = asks[len(out) : end]
            try:
                out += self._together(group) if len(group) > 1 else [self._alone(first, sender)]
            except Refused:
                out += [self._alone(ask, sender) for ask in group]
        return out

    def _alone(self, ask: Takeover, sender: bytes) -> Taken | Refused:
        try:
            return self.liquidate(ask, sender)
        except Refused as refused:
            return refused

    @atomic
    def _together(self, asks: Sequence[Takeover]) -> list[Taken | Refused]:
        """Several asks of one market and one taker."""
        first = asks[0]
        terms = self.terms.get(first.market)
        if terms is None:
            return [Refused("LiquidatorNoTerms", market=first.market) for _ in asks]
        budget = self.budget_left(first.market) if any(a.top_up for a in asks) else 0
        taken = self.clearing.takeover_many(asks, budget, terms, self.address)
        for each in taken:
            if isinstance(each, Taken):
                self._spend(first.market, each.top_up)
        return taken

    @atomic
    def resolve(self, victim: bytes, taker: bytes, market: int, sender: bytes) -> tuple[bool, int]:
        """Ends a bankrupt account; whether it was more than marked, and what the taker got."""
        terms = self.terms.get(market)
        if terms is None:
            raise Refused("LiquidatorNoTerms", market=market)
        reward = 0
        if any(taker[:20]):
            self._require_taker(taker, sender)
            reward = min(terms.min_reward * MIN_REWARD_UNIT, self.budget_left(market))
        done, paid = self.clearing.resolve(victim, taker, market, reward, terms, self.address)
        self._spend(market, paid)
        return done, paid

    def _require_taker(self, taker: bytes, sender: bytes) -> None:
        if not self.clearing.is_authorised(taker, sender, TRADE):
            raise Refused("LiquidatorNotAuthorised", taker=taker, caller=sender)

    def _spend(self, market: int, amount: int) -> None:
        if amount:
            self.spent[market] = self._today(), self._spent_today(market) + amount

    def budget_left(self, market: int) -> int:
        """What top-ups may still cost today, WAD quote."""
        terms = self.terms.get(market)
        most = self.insurance.allotment_of(market) * terms.budget // PPM if terms else 0
        return max(most - self._spent_today(market), 0)

    def _today(self) -> int:
        return self.clearing.markets[0].clock.now // DAY

    def _spent_today(self, market: int) -> int:
        day, amount = self.spent.get(market, (0, 0))
        return amount if day == self._today() else 0


def together(a: Takeover, b: Takeover) -> bool:
    """Whether two asks can be one clearing."""
    return a.market == b.market and a.taker == b.taker and a.venue is None and b.venue is None
