"""Those who act on accounts below their margin: a keeper with capital, and who insures them all."""

from collections.abc import Iterator
from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from novation.lab.asks import Asks
from novation.lab.blocks import Transaction
from novation.lab.mirror import Mirror
from novation.lab.venue import NEVER, State, Venue, account_id
from novation.model.margin import Health
from novation.units import PPM, WAD, wad_to_tokens_down

SETUP = "set-up"
MONEY, STAKE = 500_000 * WAD, 250_000 * WAD
PER_BLOCK = 25
ROOM = 12  # tenths of initial margin that the keeper keeps free for what he takes
SLICE = 400  # a keeper's sale is at most one of so many parts of the curve's reserve


def owner_of(name: str) -> str:
    return to_checksum_address(keccak(text=f"novation lab {name}")[-20:])


@dataclass
class Rescue:
    """Looks at everybody after each block, the sickest first, as a keeper's mirror would."""

    venue: Venue
    mirror: Mirror

    def __post_init__(self) -> None:
        self.keeper, self.staker = owner_of("keeper"), owner_of("staker")
        self.account = account_id(self.keeper)
        self.asks = Asks(self.venue, self.keeper, self.account)

    def set_up(self) -> Iterator[list[Transaction]]:
        """Money for both; the keeper's into the ledger, the staker's into the insurance fund."""
        venue, fund = self.venue, self.venue.address("InsuranceFund")
        money, stake = (wad_to_tokens_down(amount, venue.decimals) for amount in (MONEY, STAKE))
        yield [
            venue.on_token(SETUP, self.keeper, "mint", self.keeper, money),
            venue.on_token(SETUP, self.staker, "mint", self.staker, stake),
            venue.on_token(SETUP, self.keeper, "approve", venue.address("MarginVault"), NEVER),
            venue.on_token(SETUP, self.staker, "approve", fund, NEVER),
        ]
        yield [
            venue.deposit(self.keeper, self.account, money),
            venue.call(
                "stake",
                self.staker,
                "InsuranceFund",
                "InsuranceFund",
                "deposit",
                stake,
                self.staker,
            ),
        ]

    def act(self, state: State, time: int) -> Iterator[Transaction]:
        """Takeovers, resolutions, and the sale of what the keeper took."""
        closed = state.market.interrupted_until > time
        found = [(self.mirror.health(a), a) for a in self.mirror.positions]
        sick = sorted(
            ((h, a) for h, a in found if h.equity < h.maintenance and a != self.account),
            key=lambda each: each[0].equity * WAD // each[0].maintenance,
        )
        free = self.mirror.health(self.account).free
        for health, account in sick[:PER_BLOCK]:
            wanted = self._margin(state, account)
            able = wanted <= free
            free -= wanted if able and (health.equity < 0 or closed) else 0
            yield from self._rescue(health, account, able, closed)
        if not closed:
            yield from self._sell(state)

    def _margin(self, state: State, account: bytes) -> int:
        """Initial margin of the account's whole position in the keeper's hands, with room."""
        notional = abs(self.mirror.size(account)) * state.market.index // WAD
        imr = self.venue.spec.markets[self.venue.market].risk.imr
        return notional * imr // PPM * ROOM // 10

    def _rescue(
        self, health: Health, account: bytes, able: bool, closed: bool
    ) -> Iterator[Transaction]:
        if health.equity < 0:
            yield self.asks.resolve(account, able)
        elif closed and able:
            yield self.asks.take(account)
        elif not closed:
            yield self.asks.take_to_venue(account)

    def _sell(self, state: State) -> Iterator[Transaction]:
        """A part of what the keeper holds, back to the curve at whatever it pays."""
        size = self.mirror.size(self.account)
        if size == 0:
            return
        most = max(state.reserve // SLICE, WAD // 100)
        if abs(size) <= most:
            limit = 0 if size > 0 else NEVER
            yield self.venue.close(self.keeper, self.account, limit)
            return
        part = -most if size > 0 else most
        limit = 0 if part < 0 else NEVER
        yield self.venue.trade("keeper's trade", self.keeper, self.account, part, limit)
