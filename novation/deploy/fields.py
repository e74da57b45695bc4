"""Kinds of values in a spec. All are text in the file and exact integers afterwards."""

import re
from typing import Annotated, Any

from eth_utils.address import is_checksum_address
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from novation import units

Ppm = Annotated[int, BeforeValidator(units.read_ppm)]
RateWad = Annotated[int, BeforeValidator(units.read_rate_wad)]
Wad = Annotated[int, BeforeValidator(units.read_wad)]
Whole = Annotated[int, BeforeValidator(units.read_int)]
Thousandths = Annotated[int, BeforeValidator(units.read_thousandths)]
Seconds = Annotated[int, BeforeValidator(units.read_seconds)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./-]{0,31}$")]

DEPLOYER = "deployer"
UNSET = "unset"


def read_flag(text: Any) -> bool:
    if text in (True, False):
        return bool(text)
    if text not in ("true", "false"):
        raise ValueError(f'"{text}" is not true or false')
    return bool(text == "true")


def read_address(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise ValueError(f'"{text}" is not an address')
    if not is_checksum_address(text):
        raise ValueError(f"{text} has a wrong EIP-55 checksum: copy the address again")
    return text


def read_holder(text: Any) -> str:
    return text if text in (DEPLOYER, UNSET) else read_address(text)


def read_text(text: Any) -> str:
    """Text of a decimal whose unit is known only with another field."""
    units.read_decimal(text)
    return str(text)


Flag = Annotated[bool, BeforeValidator(read_flag)]
Address = Annotated[str, BeforeValidator(read_address)]
Holder = Annotated[str, BeforeValidator(read_holder)]
"""An address; "deployer" for the account that deploys; "unset" stops a real deployment."""
Decimal = Annotated[str, BeforeValidator(read_text)]


class Section(BaseModel):
    """A part of a spec: nothing may change, and no key may be unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def as_struct(self) -> dict[str, Any]:
        """The fields under the names that Solidity gives them."""
        return {to_camel(name): getattr(self, name) for name in type(self).model_fields}
