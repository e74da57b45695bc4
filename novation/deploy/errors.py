"""Why a deployment stops. Each is one line, and says what to do."""


class DeployError(Exception):
    """The deployment cannot go on."""


class SpecError(DeployError):
    """The spec is not one, at the places named."""

    def __init__(self, where: str, faults: list[str]) -> None:
        super().__init__("\n".join(f"{where}: {fault}" for fault in faults))
        self.faults = faults


class NoCreate2Deployer(DeployError):
    def __init__(self, where: str, address: str) -> None:
        super().__init__(
            f"{where} has no CREATE2 deployer at {address}; have one put there first: "
            "https://github.com/Arachnid/deterministic-deployment-proxy"
        )


class AddressUnset(DeployError):
    def __init__(self, where: str, key: str) -> None:
        super().__init__(f"{where}: {key} is unset; write the address there before deploying")


class OutsideWorldDiffers(DeployError):
    """A token or feed on chain is not what the spec says of it."""


class OtherDeployment(DeployError):
    """The manifest or journal belongs to a deployment with other addresses."""


class HandedOver(DeployError):
    """What is left needs rights that the deployer has given away."""


class StepFailed(DeployError):
    """A transaction was mined, but its step is not done."""


class AlreadyRunning(DeployError):
    """Two deployments at once would take each other's nonces."""


class NotBuilt(DeployError):
    """The compiled contracts are not those of the sources."""


class Declined(DeployError):
    """Nobody agreed to the plan."""


class NoManifest(DeployError):
    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is missing or not a manifest: deploy first")


class NotDeployed(DeployError):
    def __init__(self, network: str, name: str) -> None:
        super().__init__(
            f"{network} was deployed without a {name}: `novation deploy` again adds what is missing"
        )


class VerificationFailed(DeployError):
    """The chain differs from the spec; the drifts are in the message."""

    def __init__(self, drifts: list[str]) -> None:
        super().__init__("\n".join(drifts))
        self.drifts = drifts
