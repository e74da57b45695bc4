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
        if ask.market not in self.terms:
            raise Refused("LiquidatorNoTerms", market=ask.market)
        return self._take(ask)

    def try_many(self, asks: Sequence[Takeover], sender: bytes) -> list[Taken | Refused]:
        """As many as go through, each by itself."""
        out: list[Taken | Refused] = []
        for ask in asks:
            self._require_taker(ask.taker, sender)
            try:
                out.append(self.liquidate(ask, sender))
            except Refused as refused:
                out.append(refused)
        return out

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

    def _take(self, ask: Takeover) -> Taken:
        top_up = min(ask.top_up, self.budget_left(ask.market)) if ask.top_up else 0
        taken = self.clearing.takeover(ask, top_up, self.terms[ask.market], self.address)
        self._spend(ask.market, taken.top_up)
        return taken

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
