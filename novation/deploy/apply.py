"""Sends what is left of a plan. A crash at any line below is resumed by running it again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from novation.chain import Chain, ChainError, ContractError, NotMined, Receipt, Sender
from novation.chain.sender import Prepared
from novation.deploy.access import HAND_OVER
from novation.deploy.errors import HandedOver, OtherDeployment, StepFailed, VerificationFailed
from novation.deploy.journal import Entry, Journal
from novation.deploy.state import done_steps, drifts_of, explain, is_done
from novation.deploy.steps import Plan, Step

Progress = Callable[[Step, Receipt], None]


@dataclass
class Run:
    """One attempt to finish a plan."""

    chain: Chain
    sender: Sender
    plan: Plan
    journal: Journal
    progress: Progress = lambda _step, _receipt: None
    sent: list[str] = field(default_factory=list)

    def finish(self) -> list[str]:
        """Sends what is not done, in order; returns the names of the steps sent."""
        self.settle_pending()
        done = done_steps(self.chain, self.plan)
        self.check_journal(done)
        left = [step for step in self.plan.steps if step.name not in done]
        if left and HAND_OVER in done and any(s.name == HAND_OVER for s in self.plan.steps):
            raise HandedOver(
                f"the deployer has handed over its rights, and these steps need them: "
                f"{', '.join(s.name for s in left)}; see what differs with `novation verify`"
            )
        for step in left:
            self.execute(step)
        return self.sent

    def settle_pending(self) -> None:
        """Waits for transactions of the deployer that are on their way, ours or not."""
        deadline = time.monotonic() + self.sender.timeout
        address = self.sender.address
        while self.chain.nonce(address, "pending") > self.chain.nonce(address):
            if time.monotonic() > deadline:
                raise NotMined(
                    f"number {self.chain.nonce(address)} of {address}", self.sender.timeout
                )
            time.sleep(0.2)

    def check_journal(self, done: set[str]) -> None:
        """A step done under another spec or other sources would be taken for ours."""
        for step in self.plan.steps:
            entry = self.journal.entries.get(step.name)
            if entry is not None and step.name in done and entry.code != code_of(step):
                raise OtherDeployment(
                    f"{step.name} was sent from another spec or other sources than these; finish "
                    f"with those, or choose another salt and remove {self.journal.path}"
                )

    def execute(self, step: Step) -> None:
        if step.name == HAND_OVER:
            self.check_before_hand_over(step)
        if (entry := self.journal.entries.get(step.name)) is not None and self.was_mined(entry):
            self.wait_until_done(step, entry)
            return
        try:
            receipt = self.sender.send(
                step.to,
                step.data,
                label=step.name,
                nonce=self.nonce_of(step),
                before=lambda prepared: self.note_sent(step, prepared),
            )
        except ContractError as error:
            raise explain(self.chain, self.sender.address, step, error) from None
        self.note_mined(step, receipt)
        if not is_done(self.chain, step):
            raise StepFailed(f"{step.name}: mined as {receipt.hash}, but it is not done")
        self.sent.append(step.name)
        self.progress(step, receipt)

    def check_before_hand_over(self, step: Step) -> None:
        """What is wrong can still be mended by the deployer; afterwards only by the new admin."""
        after = {fact.what for fact in step.facts}
        facts = [fact for fact in self.plan.facts if fact.what not in after]
        if drifts := drifts_of(self.chain, facts):
            raise VerificationFailed([str(drift) for drift in drifts])

    def nonce_of(self, step: Step) -> int:
        """Never one that the journal has used: a node that lags would give it out again."""
        count = self.chain.nonce(self.sender.address)
        if step.creation is not None and step.to is None and step.creation.nonce is not None:
            if count > step.creation.nonce:
                raise StepFailed(
                    f"{step.name}: another transaction of {self.sender.address} took nonce "
                    f"{step.creation.nonce}, which the address was made of; run this again"
                )
            return step.creation.nonce
        entry = self.journal.entries.get(step.name)
        if entry is not None and count <= entry.nonce:
            return count
        mined = [e.nonce for e in self.journal.entries.values() if e.nonce == count and e.block]
        return count + 1 if mined else count

    def was_mined(self, entry: Entry) -> bool:
        """Whether the transaction of an earlier run was mined and did not fail."""
        if self.chain.nonce(self.sender.address) <= entry.nonce:
            return False
        digest = entry.hash or find_by_nonce(self.chain, self.sender.address, entry.nonce)
        raw = self.chain.request("eth_getTransactionReceipt", digest) if digest else None
        return raw is not None and int(raw["status"], 16) == 1

    def wait_until_done(self, step: Step, entry: Entry) -> None:
        """The transaction was mined: a node that does not show its effect yet lags."""
        deadline = time.monotonic() + self.sender.timeout
        while not is_done(self.chain, step):
            if time.monotonic() > deadline:
                raise StepFailed(f"{step.name}: mined as {entry.hash}, but it is not done")
            time.sleep(1)

    def note_sent(self, step: Step, prepared: Prepared) -> None:
        self.journal.entries[step.name] = Entry(prepared.nonce, code_of(step), prepared.hash)
        self.journal.save()

    def note_mined(self, step: Step, receipt: Receipt) -> None:
        entry = self.journal.entries[step.name]
        entry.hash, entry.block, entry.gas_used = receipt.hash, receipt.block, receipt.gas_used
        self.journal.save()


def code_of(step: Step) -> str:
    return "0x" + keccak(step.data).hex()


def recover(chain: Chain, journal: Journal) -> None:
    """Completes entries whose transaction was mined after the crash."""
    for entry in journal.entries.values():
        if entry.block is not None:
            continue
        raw = chain.request("eth_getTransactionReceipt", entry.hash) if entry.hash else None
        if raw is None and (found := find_by_nonce(chain, journal.deployer, entry.nonce)):
            entry.hash, raw = found, chain.request("eth_getTransactionReceipt", found)
        if raw is not None:
            entry.block, entry.gas_used = int(raw["blockNumber"], 16), int(raw["gasUsed"], 16)


def find_by_nonce(chain: Chain, sender: str, nonce: int) -> str | None:
    """Hash of the sender's transaction of that nonce; None if the node does not know."""

    def is_past(block: int) -> bool:
        return int(chain.request("eth_getTransactionCount", sender, hex(block)), 16) > nonce

    if (number := first_block(chain, is_past)) is None:
        return None
    block = chain.request("eth_getBlockByNumber", hex(number), True)
    for transaction in (block or {}).get("transactions", []):
        if transaction["from"].lower() == sender.lower() and int(transaction["nonce"], 16) == nonce:
            return str(transaction["hash"])
    return None


def first_block(chain: Chain, holds: Callable[[int], bool]) -> int | None:
    """The first block after which something holds, by bisection; None if the node keeps no past."""
    low, high = 0, chain.block_number()
    try:
        if not holds(high):
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle + 1, high)
    except ChainError:
        return None
    return low
