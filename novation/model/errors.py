"""How the model refuses: the contract's error, by name, with the numbers that disagreed."""


class Refused(Exception):
    """A contract would revert here: `name` is its error, `values` the arguments in order."""

    def __init__(self, name: str, **values: object) -> None:
        super().__init__(f"{name}({', '.join(f'{k}={v}' for k, v in values.items())})")
        self.name = name
        self.values = values
