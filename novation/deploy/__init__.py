"""A spec becomes a plan, the plan transactions, these a manifest that can be verified."""

from novation.deploy.errors import DeployError, SpecError, VerificationFailed
from novation.deploy.manifest import Manifest
from novation.deploy.run import DEPLOYMENTS, Deployment, check, deploy, prepare
from novation.deploy.spec import Spec
from novation.deploy.spec import read as read_spec

__all__ = [
    "DEPLOYMENTS",
    "DeployError",
    "Deployment",
    "Manifest",
    "Spec",
    "SpecError",
    "VerificationFailed",
    "check",
    "deploy",
    "prepare",
    "read_spec",
]
