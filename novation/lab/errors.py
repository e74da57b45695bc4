"""What stops a run of the laboratory. Each message is one line a person can act on."""

from pathlib import Path


class LabError(Exception):
    """Anything that stops a run."""


class PriceFileError(LabError):
    """A price file says something that cannot be a price, or is no price file."""

    def __init__(self, file: Path | str, reason: str, row: int | None = None) -> None:
        where = f"{file}, row {row}" if row is not None else str(file)
        super().__init__(f"{where}: {reason}")
        self.file = file
        self.row = row
        self.reason = reason


class SettingsError(LabError):
    """The run that was asked for cannot be made."""


class DownloadError(LabError):
    """Candles could not be had from an exchange."""


class AnvilError(LabError):
    """Anvil is missing, does not fit, or did not start."""


class RpcError(LabError):
    """The chain refused a request."""

    def __init__(self, method: str, message: str, data: str = "") -> None:
        super().__init__(f"{method}: {message}")
        self.method = method
        self.message = message
        self.data = data


class ConservationError(LabError):
    """Money appeared or vanished: the ledger's identity does not hold in a block."""

    def __init__(self, block: int, reason: str) -> None:
        super().__init__(f"block {block}: {reason}")
        self.block = block
