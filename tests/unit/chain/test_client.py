from collections.abc import Iterator
from typing import Any

import pytest
from web3 import HTTPProvider

from novation.chain import Chain, Contract, ContractError, NodeUnreachable, Sender, WrongChain
from novation.chain.accounts import UnlockedAccount
from novation.chain.client import hide_key
from novation.chain.errors import AccountError, BadCall, NodeError
from novation.chain.logs import read_logs
from tests.local_chain import LocalChain, local_chain


@pytest.fixture(scope="module")
def chain() -> Iterator[LocalChain]:
    with local_chain() as made:
        yield made


@pytest.fixture(scope="module")
def token(chain: LocalChain) -> Contract:
    return chain.deploy("MockToken", "Token", "TKN", 6)


def test_connect_to_another_chain_is_refused(chain: LocalChain) -> None:
    with pytest.raises(WrongChain, match="serves chain 31337, expected chain 1") as caught:
        Chain.connect(chain.where, chain_id=1)
    assert (caught.value.expected, caught.value.found) == (1, 31337)


def test_connect_where_nothing_answers_is_one_line() -> None:
    with pytest.raises(NodeUnreachable) as caught:
        Chain.connect("http://127.0.0.1:1/secret")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "refused" in str(caught.value)


def test_connect_to_a_web_server_that_is_no_node_is_refused() -> None:
    with pytest.raises(NodeUnreachable, match="must begin with http"):
        Chain.connect("anvil.ipc")


@pytest.mark.parametrize(
    "url", ["https://node.example/v3/KEY", "https://KEY@node.example", "https://node.example?a=KEY"]
)
def test_hide_key_keeps_the_host_alone(url: str) -> None:
    assert hide_key(url) == "https://node.example"


def test_batch_decodes_in_order_and_in_chunks(token: Contract, chain: LocalChain) -> None:
    calls = [token.at("decimals"), token.at("symbol")] * 250
    assert chain.batch(calls) == [6, "TKN"] * 250


def test_batch_reads_one_block(token: Contract, chain: LocalChain) -> None:
    holder = chain.accounts[3]
    before = chain.block_number()
    chain.send(token, "mint", holder, 5)
    reads = [token.at("balanceOf", holder)] * 2
    assert chain.batch(reads, before) == [0, 0]
    assert chain.batch(reads) == [5, 5]


def test_batch_raises_the_first_error_and_try_batch_returns_it(
    token: Contract, chain: LocalChain
) -> None:
    holder = chain.accounts[1]
    calls = [token.at("decimals"), token.at("transferFrom", holder, chain.accounts[2], 1)]
    with pytest.raises(ContractError, match="ERC20InsufficientAllowance"):
        chain.batch(calls)
    good, bad = chain.try_batch(calls)
    assert good == 6
    assert isinstance(bad, ContractError)


def test_read_where_there_is_no_contract_says_so(chain: LocalChain) -> None:
    with pytest.raises(BadCall, match="no such contract"):
        Contract(chain, chain.accounts[5], "MockToken").read("decimals")


def test_send_names_the_error_before_sending(token: Contract, chain: LocalChain) -> None:
    sender = Sender(chain, UnlockedAccount(chain, chain.accounts[7]))
    before = chain.nonce(sender.address)
    with pytest.raises(ContractError) as caught:
        sender.send(token.address, token.encode("transfer", chain.accounts[2], 1), label="pay")
    assert caught.value.name == "ERC20InsufficientBalance"
    assert caught.value.arguments["needed"] == 1
    assert str(caught.value).startswith("pay: ")
    assert chain.nonce(sender.address) == before


def test_send_waits_for_the_receipt(token: Contract, chain: LocalChain) -> None:
    sender = Sender(chain, UnlockedAccount(chain))
    receipt = sender.send(token.address, token.encode("mint", chain.accounts[4], 9))
    assert receipt.block == chain.block_number()
    event = token.decode_log(receipt.logs[0])
    assert event is not None
    assert (event.name, event.values["value"]) == ("Transfer", 9)


def test_unlocked_account_must_be_one_of_the_nodes(chain: LocalChain, token: Contract) -> None:
    with pytest.raises(AccountError, match="does not hold"):
        UnlockedAccount(chain, token.address)


def test_events_come_in_order_over_ranges(chain: LocalChain) -> None:
    token = chain.deploy("MockToken", "Other", "OTH", 18)
    first = chain.block_number()
    for amount in range(5):
        chain.send(token, "mint", chain.accounts[1], amount)
    found = list(token.events(["Transfer"], first, chain.block_number()))
    assert [event.values["value"] for event in found] == list(range(5))
    one_by_one = read_logs(chain, [token.address], [], first, chain.block_number(), size=1)
    assert len(list(one_by_one)) == 5


class Refusing(HTTPProvider):
    """A node that answers for at most three blocks at once."""

    asked: list[int]

    def make_request(self, method: Any, params: Any) -> Any:
        if method == "eth_getLogs":
            size = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
            self.asked.append(size)
            if size > 3:
                error = {"code": -32005, "message": "query exceeds max block range 3"}
                return {"jsonrpc": "2.0", "id": 1, "error": error}
        return super().make_request(method, params)


def test_logs_halve_a_range_that_the_node_refuses(chain: LocalChain, token: Contract) -> None:
    provider = Refusing(chain.where)
    provider.asked = []
    strict = Chain(provider, "a strict node")
    last = chain.block_number()
    found = list(read_logs(strict, [token.address], [], 0, last, size=8))
    assert len(found) == len(list(read_logs(chain, [token.address], [], 0, last)))
    assert provider.asked[:3] == [8, 4, 2]
    assert max(provider.asked[2:]) == 2


def test_other_errors_of_a_node_are_passed_on(chain: LocalChain) -> None:
    with pytest.raises(NodeError, match="eth_nonsense"):
        chain.request("eth_nonsense")
