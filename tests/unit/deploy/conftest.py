from pathlib import Path

import pytest

from novation.deploy import Spec, read_spec

ROOT = Path(__file__).resolve().parents[3]
SPECS = ROOT / "deployments" / "specs"


@pytest.fixture(scope="session")
def local_text() -> str:
    return (SPECS / "local.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def local_spec() -> Spec:
    return read_spec(SPECS / "local.yaml")
