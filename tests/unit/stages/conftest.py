"""One authority and one pair of each kind for the whole session: making keys is slow."""

from datetime import UTC, datetime

import pytest

from certpipe.core.bundle import Bundle
from certpipe.sat.trust import Anchors
from certpipe.simulators.authority import Authority
from schemas.base import Kind

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create(at=NOW)


@pytest.fixture(scope="session")
def anchors(authority: Authority) -> Anchors:
    return Anchors.packaged().with_extra(authority.anchors_json())


@pytest.fixture(scope="session")
def csd(authority: Authority) -> Bundle:
    return authority.issue(Kind.CSD).bundle
