"""The vault's doors: what comes in, what goes out, who may, and in which token."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.chain.reverts import decode_revert
from novation.units import WAD
from tests.world import NO_LIMIT, WITHDRAW, World, account_id

MINT = 10**30
ZERO = "0x" + "00" * 20


def refusal(send: Any, *values: Any, **options: Any) -> tuple[str, list[Any]]:
    with pytest.raises(ContractError) as caught:
        send(*values, **options)
    return caught.value.name, list(caught.value.arguments.values())


def events_of(world: World, name: str, receipt: dict[str, Any]) -> list[Any]:
    block = int(receipt["blockNumber"], 16)
    return list(world.vault.events([name], block, block))


def with_token(world: World, token: Contract) -> World:
    """The same world around another settlement token."""
    made = World.deploy(world.chain, token.read("decimals"))
    made.token = token
    made.deploy_core()
    for owner in (made.trader, made.other):
        world.chain.send(token, "mint", owner, MINT)
        world.chain.send(token, "approve", made.vault.address, NO_LIMIT, sender=owner)
    return made


class TestSettlement:
    def test_deposit_becomes_capital_and_says_so(self, world: World) -> None:
        account, held = account_id(world.trader), world.vault.read("settlementHeld")
        receipt = world.send(
            "vault", "deposit", account, world.token.address, 1_234_567, sender=world.trader
        )
        world.known[account] = None
        assert world.account(account).capital == 1_234_567 * 10**12
        assert world.vault.read("settlementHeld") == held + 1_234_567
        assert world.vault.read("settlementWad") == (held + 1_234_567) * 10**12
        (event,) = events_of(world, "Deposited", receipt)
        assert event.values["account"] == account
        assert event.values["from"] == world.trader
        assert (event.values["amount"], event.values["balance"]) == (1_234_567, 0)
        assert event.values["held"] == held + 1_234_567

    def test_seed_is_nobodys(self, world: World) -> None:
        before, house = world.check_identity(), world.clearing.read("house")
        receipt = world.send("vault", "seed", 5 * 10**4, sender=world.trader)
        (event,) = events_of(world, "Seeded", receipt)
        held = world.vault.read("settlementHeld")
        assert tuple(event.values.values()) == (world.trader, 5 * 10**4, held)
        assert world.check_identity() == before + 5 * 10**16
        assert world.clearing.read("house") == house
        assert refusal(world.send, "vault", "seed", 0) == ("VaultZeroAmount", [])

    def test_deposit_for_another_account(self, world: World) -> None:
        account = account_id(world.stranger, 7)
        world.known[account] = None
        world.send("vault", "deposit", account, world.token.address, 5, sender=world.trader)
        assert world.account(account).capital == 5 * 10**12

    def test_deposit_refusals(self, world: World) -> None:
        account, token = account_id(world.trader), world.token.address
        deposit = world.vault
        send = world.chain.send
        assert refusal(send, deposit, "deposit", account, token, 0) == ("VaultZeroAmount", [])
        nobody = account_id(ZERO, 3)
        assert refusal(send, deposit, "deposit", nobody, token, 1) == ("VaultNoOwner", [nobody])
        unknown = world.clearing.address
        name, values = refusal(send, deposit, "deposit", account, unknown, 1)
        assert (name, values[0]) == ("VaultUnknownToken", unknown)
        name, _ = refusal(send, deposit, "deposit", world.markets[0].pool, token, 1)
        assert name != "VaultNoOwner"

    def test_deposit_more_than_the_ledger_holds_is_refused(self, world: World) -> None:
        cap = (2**96 - 1) // 10**12
        held = world.vault.read("settlementHeld")
        deposit = (world.chain.send, world.vault, "deposit", account_id(world.trader))
        for amount, total in ((cap - held + 1, cap + 1), (2**256 - 1, 2**256 - 1)):
            name, values = refusal(*deposit, world.token.address, amount)
            assert (name, values[1:]) == ("VaultCapExceeded", [total, cap])

    def test_withdraw_pays_and_says_so(self, world: World) -> None:
        account = world.deposit(world.trader, 100)
        before = world.token.read("balanceOf", world.trader)
        held = world.vault.read("settlementHeld")
        receipt = world.withdraw(world.trader, 40_000_001)
        assert world.token.read("balanceOf", world.trader) == before + 40_000_001
        assert world.account(account).capital == (100_000_000 - 40_000_001) * 10**12
        (event,) = events_of(world, "Withdrawn", receipt)
        assert event.values["to"] == world.trader
        assert (event.values["amount"], event.values["held"]) == (40_000_001, held - 40_000_001)

    def test_withdraw_refusals(self, world: World) -> None:
        world.deposit(world.trader, 100)
        account, token = account_id(world.trader), world.token.address
        base = (world.chain.send, world.vault, "withdraw", account, token)
        mine = {"sender": world.trader}
        assert refusal(*base, 0, world.trader, [], WAD, **mine) == ("VaultZeroAmount", [])
        held = world.vault.read("settlementHeld")
        name, values = refusal(*base, held + 1, world.trader, [], WAD, **mine)
        assert (name, values[2:]) == ("VaultBalanceTooLow", [held, held + 1])
        name, values = refusal(*base, 100_000_001, world.trader, [], WAD, **mine)
        assert (name, values[1:]) == (
            "ClearingCapitalTooLow",
            [100 * WAD, 100_000_001 * 10**12],
        )
        name, values = refusal(*base, 1, world.vault.address, [], WAD, **mine)
        assert (name, values[1:]) == ("VaultBalanceDelta", [0, 1])

    def test_withdraw_delegate_pays_the_owner_only(self, world: World) -> None:
        account = world.deposit(world.trader, 100)
        base = ("withdraw", account, world.token.address, 1)
        send = (world.chain.send, world.vault)
        theirs = {"sender": world.other}
        expected = ("VaultNotAuthorised", [account, world.other])
        assert refusal(*send, *base, world.trader, [], WAD, **theirs) == expected
        # TRADE and FUND do not do
        world.send("clearing", "setDelegate", account, world.other, 5, sender=world.trader)
        assert refusal(*send, *base, world.trader, [], WAD, **theirs) == expected
        world.send("clearing", "setDelegate", account, world.other, WITHDRAW, sender=world.trader)
        assert refusal(*send, *base, world.other, [], WAD, **theirs) == expected
        world.chain.send(world.vault, *base, world.trader, [], WAD, **theirs)
        world.chain.send(world.vault, *base, world.stranger, [], WAD, sender=world.trader)

    def test_donated_tokens_change_nothing(self, world: World) -> None:
        """INV-01: tokens sent by transfer belong to nobody."""
        held, ratio = world.vault.read("settlementHeld"), world.clearing.read("releaseRatio")
        world.send("token", "transfer", world.vault.address, 10**12, sender=world.trader)
        assert world.vault.read("settlementHeld") == held
        assert world.clearing.read("releaseRatio") == ratio

    @pytest.mark.parametrize("decimals", [0, 2, 6, 8, 18])
    def test_round_trip_gives_back_what_was_paid(self, world: World, decimals: int) -> None:
        """TOK-04."""
        token = world.chain.deploy("MockToken", "T", "T", decimals)
        w = with_token(world, token)
        assert w.vault.read("settlementScale") == 10 ** (18 - decimals)
        account, amount = account_id(w.trader), 123_456_789
        world.chain.send(w.vault, "deposit", account, token.address, amount, sender=w.trader)
        assert w.account(account).capital == amount * 10 ** (18 - decimals)
        assert w.vault.read("settlementWad") == amount * 10 ** (18 - decimals)
        out = ("withdraw", account, token.address, amount, w.trader, [], WAD)
        world.chain.send(w.vault, *out, sender=w.trader)
        assert token.read("balanceOf", w.trader) == MINT
        assert (w.account(account).capital, w.vault.read("settlementWad")) == (0, 0)

    @pytest.mark.parametrize("decimals", [19, 24, 27])
    def test_deploy_more_than_18_decimals_is_refused(self, world: World, decimals: int) -> None:
        token = world.chain.deploy("MockToken", "T", "T", decimals)
        values = ("MarginVault", world.manager.address, world.clearing.address, token.address)
        name, numbers = refusal(world.chain.deploy, *values)
        assert (name, numbers[1:]) == ("VaultDecimals", [decimals, 18])

    def test_deploy_token_without_code_is_refused(self, world: World) -> None:
        """TOK-08."""
        values = ("MarginVault", world.manager.address, world.clearing.address, world.stranger)
        assert refusal(world.chain.deploy, *values)[0] == "VaultNoCode"
        values = ("MarginVault", world.manager.address, ZERO, world.token.address)
        assert refusal(world.chain.deploy, *values)[0] == "VaultNoCode"


class TestPermit:
    KEY = "0x" + "11" * 32

    def sign(self, world: World, amount: int) -> tuple[str, tuple[int, bytes, bytes]]:
        owner = Account.from_key(self.KEY)
        domain = {
            "name": "Settlement",
            "version": "1",
            "chainId": world.chain.chain_id,
            "verifyingContract": world.token.address,
        }
        fields = ("owner", "address"), ("spender", "address"), ("value", "uint256")
        fields += ("nonce", "uint256"), ("deadline", "uint256")
        types = {"Permit": [{"name": n, "type": t} for n, t in fields]}
        message = {
            "owner": owner.address,
            "spender": world.vault.address,
            "value": amount,
            "nonce": world.token.read("nonces", owner.address),
            "deadline": NO_LIMIT,
        }
        signed = owner.sign_message(encode_typed_data(domain, types, message))
        r, s = (number.to_bytes(32, "big") for number in (signed.r, signed.s))
        world.chain.send(world.token, "mint", owner.address, amount)
        world.chain.request("anvil_setBalance", owner.address, hex(10**20))
        world.chain.request("anvil_impersonateAccount", owner.address)
        return owner.address, (signed.v, r, s)

    def test_deposit_with_permit_needs_no_approval(self, world: World) -> None:
        owner, signature = self.sign(world, 77)
        account = account_id(owner)
        world.known[account] = None
        values = (account, world.token.address, 77, NO_LIMIT, *signature)
        world.send("vault", "depositWithPermit", *values, sender=owner)
        assert world.account(account).capital == 77 * 10**12

    def test_deposit_with_permit_that_somebody_used_first(self, world: World) -> None:
        owner, signature = self.sign(world, 77)
        account = account_id(owner)
        world.known[account] = None
        world.send("token", "permit", owner, world.vault.address, 77, NO_LIMIT, *signature)
        values = (account, world.token.address, 77, NO_LIMIT, *signature)
        world.send("vault", "depositWithPermit", *values, sender=owner)
        assert world.account(account).capital == 77 * 10**12

    def test_deposit_with_bad_permit_fails_for_lack_of_allowance(self, world: World) -> None:
        owner, (v, r, s) = self.sign(world, 77)
        values = (account_id(owner), world.token.address, 77, NO_LIMIT, v ^ 1, r, s)
        send = (world.chain.send, world.vault, "depositWithPermit")
        assert refusal(*send, *values, sender=owner)[0] == "ERC20InsufficientAllowance"

    def test_deposit_with_permit_calls_no_unknown_token(self, world: World) -> None:
        values = (
            account_id(world.trader),
            world.stranger,
            77,
            NO_LIMIT,
            27,
            b"\0" * 32,
            b"\0" * 32,
        )
        send = (world.chain.send, world.vault, "depositWithPermit")
        assert refusal(*send, *values)[0] == "VaultUnknownToken"


class TestStrangeTokens:
    def test_deposit_fee_on_transfer_is_refused(self, world: World) -> None:
        """TOK-01."""
        token = world.chain.deploy("FeeOnTransferToken", 6, 100)
        w = with_token(world, token)
        deposit = (w.chain.send, w.vault, "deposit", account_id(w.trader), token.address, 1_000)
        name, values = refusal(*deposit, sender=w.trader)
        assert (name, values[1:]) == ("VaultBalanceDelta", [990, 1_000])

    def test_withdraw_fee_on_top_is_refused(self, world: World) -> None:
        token = world.chain.deploy("FeeOnTransferToken", 6, 0)
        w = with_token(world, token)
        account = account_id(w.trader)
        for owner in (w.trader, w.other):
            values = ("deposit", account_id(owner), token.address, 1_000)
            w.chain.send(w.vault, *values, sender=owner)
        w.chain.send(token, "setFees", 0, 100)
        out = ("withdraw", account, token.address, 100, w.trader, [], WAD)
        name, values = refusal(w.chain.send, w.vault, *out, sender=w.trader)
        assert (name, values[1:]) == ("VaultBalanceDelta", [101, 100])

    def test_blacklisted_owner_stops_nobody_else(self, world: World) -> None:
        """TOK-06."""
        token = world.chain.deploy("BlacklistToken", 6)
        w = with_token(world, token)
        for owner in (w.trader, w.other):
            values = ("deposit", account_id(owner), token.address, 1_000)
            w.chain.send(w.vault, *values, sender=owner)
        w.chain.send(token, "setListed", w.trader, True)

        def out(owner: str, to: str) -> tuple[Any, ...]:
            return ("withdraw", account_id(owner), token.address, 1_000, to, [], WAD)

        blocked = refusal(w.chain.send, w.vault, *out(w.trader, w.trader), sender=w.trader)
        assert blocked[0] == "Blacklisted"
        assert w.account(account_id(w.trader)).capital == 1_000 * 10**12
        w.chain.send(w.vault, *out(w.other, w.other), sender=w.other)
        w.chain.send(w.vault, *out(w.trader, w.stranger), sender=w.trader)

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("way", ["deposit", "withdraw"])
    def test_callback_can_enter_nothing_and_read_nothing(
        self, world: World, way: str, after: bool
    ) -> None:
        """TOK-05: a call out in the middle of a transfer, state-changing and read-only."""
        token = world.chain.deploy("CallbackToken", 6)
        w = with_token(world, token)
        account = account_id(w.trader)
        vault, clearing = w.vault, w.clearing
        own = account_id(token.address)
        for who in (account, own):
            values = ("deposit", who, token.address, 1_000)
            w.chain.send(vault, *values, sender=w.trader)
        entries: list[tuple[Contract, bytes, str]] = [
            (vault, vault.encode("deposit", own, token.address, 1), "ClearingLocked"),
            (
                vault,
                vault.encode("withdraw", own, token.address, 1, token.address, [], WAD),
                "ClearingLocked",
            ),
            (
                vault,
                vault.encode("multicall", [vault.encode("deposit", own, token.address, 1)]),
                "ClearingLocked",
            ),
            (clearing, clearing.encode("touch", [account]), "ClearingLocked"),
            (clearing, clearing.encode("account", account), "ClearingLocked"),
            (clearing, clearing.encode("health", account), "ClearingLocked"),
            (vault, vault.encode("settlementWad"), "VaultLocked"),
            (vault, vault.encode("settlementHeld"), "VaultLocked"),
            (vault, vault.encode("collateralValue", account), "VaultLocked"),
            (vault, vault.encode("collateralOf", account, token.address), "VaultLocked"),
        ]
        for target, data, expected in entries:
            w.chain.send(token, "setCallback", target.address, data, after)
            if way == "deposit":
                values = ("deposit", account, token.address, 100)
            else:
                values = ("withdraw", account, token.address, 100, w.trader, [], WAD)
            w.chain.send(vault, *values, sender=w.trader)
            assert token.read("calls") == 1
            assert token.read("success") is False
            assert decode_revert(token.read("returned")).name == expected
        assert w.vault.read("settlementHeld") == token.read("balanceOf", vault.address)

    def test_multicall_takes_no_ether_and_does_all_or_nothing(self, world: World) -> None:
        """TOK-10."""
        vault, account = world.vault, account_id(world.trader)
        deposit = vault.encode("deposit", account, world.token.address, 10)
        world.known[account] = None
        world.send("vault", "multicall", [deposit, deposit], sender=world.trader)
        assert world.account(account).capital == 20 * 10**12
        bad = vault.encode("deposit", account, world.token.address, 0)
        send = (world.chain.send, vault, "multicall")
        assert refusal(*send, [deposit, bad], sender=world.trader)[0] == "VaultZeroAmount"
        assert world.account(account).capital == 20 * 10**12
        payable = [e for e in vault.artifact.abi if e.get("stateMutability") == "payable"]
        assert payable == []


def test_only_the_clearing_houses_lock_opens_the_vault(world: World) -> None:
    """A stranger can neither take nor return the lock."""
    for function in ("enter", "exit"):
        name, values = refusal(world.chain.send, world.clearing, function)
        assert (name, values[0].lower()) == ("ClearingNotVault", world.admin.lower())
