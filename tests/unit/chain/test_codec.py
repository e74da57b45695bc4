from types import SimpleNamespace

import pytest

from novation import artifacts
from novation.chain import codec
from novation.chain.contract import encode_call, encode_constructor
from novation.chain.errors import BadCall, ContractError
from novation.chain.reverts import decode_revert, revert_data

PAIR = {
    "type": "tuple",
    "name": "pair",
    "internalType": "struct Lib.Pair",
    "components": [{"type": "address", "name": "who"}, {"type": "uint8", "name": "howMuch"}],
}
WHO = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ENTRY = {"type": "function", "name": "f", "inputs": [PAIR], "outputs": [PAIR, PAIR]}
ONE_WORD_OF_EACH = bytes.fromhex(WHO[2:].lower()).rjust(32, b"\0") + (7).to_bytes(32, "big")


@pytest.mark.parametrize(
    "value",
    [
        {"howMuch": 7, "who": WHO},
        SimpleNamespace(who=WHO, howMuch=7),
        (WHO, 7),
    ],
)
def test_struct_is_encoded_by_the_names_of_its_fields(value: object) -> None:
    assert codec.encode_arguments([PAIR], [value], "f") == ONE_WORD_OF_EACH


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"who": WHO}, "f: pair: the struct's field howMuch is missing"),
        ({"who": WHO, "howMuch": 7, "more": 1}, "f: pair: the struct has no field more"),
        ({"who": WHO, "howMuch": 0.5}, "0.5 is not a uint8"),
        ({"who": WHO, "howMuch": 256}, "f: "),
        ({"who": "alice", "howMuch": 7}, "is not an address"),
        ((WHO,), "1 values for 2 fields"),
    ],
)
def test_struct_that_does_not_fit_is_refused_by_name(value: object, message: str) -> None:
    with pytest.raises(BadCall, match=message):
        codec.encode_arguments([PAIR], [value], "f")


def test_several_outputs_come_back_named() -> None:
    first, second = codec.decode_outputs(ENTRY, ONE_WORD_OF_EACH * 2)
    assert (first.who, second.howMuch) == (WHO, 7)
    assert type(first).__name__ == "Pair"


def test_no_answer_says_that_there_is_no_contract() -> None:
    with pytest.raises(BadCall, match="no such contract"):
        codec.decode_outputs(ENTRY, b"")


def test_unknown_function_and_wrong_count_are_refused() -> None:
    factory = artifacts.load("CoreFactory")
    with pytest.raises(BadCall, match="no functions destroy"):
        encode_call(factory, "destroy")
    with pytest.raises(BadCall, match="takes 1 arguments, not 0"):
        encode_constructor(factory)


def test_revert_of_our_error_is_named_with_its_arguments() -> None:
    entry = codec.find(artifacts.load("CoreFactory").abi, "error", "FactoryNotOwner")
    data = codec.selector(entry) + codec.encode_arguments(entry["inputs"], [WHO, WHO], "")
    error = decode_revert(data, "deploying")
    assert (error.name, error.arguments) == ("FactoryNotOwner", {"caller": WHO, "owner": WHO})
    assert str(error) == f"deploying: FactoryNotOwner(caller={WHO}, owner={WHO})"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "reverted without a reason"),
        (bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big"), "arithmetic overflow"),
        (bytes.fromhex("12345678"), "unknown error"),
        (bytes.fromhex("08c379a0"), "unknown error"),
    ],
)
def test_reverts_of_others_are_still_told_apart(data: bytes, said: str) -> None:
    assert said in str(decode_revert(data))


@pytest.mark.parametrize(
    ("error", "data"),
    [
        ({"code": 3, "message": "execution reverted", "data": "0x1234"}, b"\x12\x34"),
        ({"code": -32000, "message": "x", "data": {"data": "0x1234"}}, b"\x12\x34"),
        ({"code": -32015, "message": "x", "data": "Reverted 0x1234"}, b"\x12\x34"),
        ({"code": 3, "message": "execution reverted"}, b""),
        ({"code": -32000, "message": "nonce too low"}, None),
    ],
)
def test_revert_data_is_found_where_nodes_put_it(error: dict[str, object], data: object) -> None:
    assert revert_data(error) == data


def test_contract_error_is_an_exception_with_name_and_arguments() -> None:
    error = ContractError("VaultDecimals", {"token": WHO, "decimals": 19, "maximum": 18})
    assert str(error) == f"VaultDecimals(token={WHO}, decimals=19, maximum=18)"
