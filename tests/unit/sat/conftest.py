"""One authority, one key, one pair of each kind: making keys is slow, so all tests share them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from certpipe.core.bundle import Bundle
from certpipe.sat.check import Verdict, check
from certpipe.sat.trust import Anchors
from certpipe.simulators.authority import Authority, Issued, Subject, new_key
from schemas.base import Kind

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
COMPANY = Subject(representative_rfc="VADA800927DJ3")

Check = Callable[..., Verdict]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create(at=NOW)


@pytest.fixture(scope="session")
def anchors(authority: Authority) -> Anchors:
    return Anchors.packaged().with_extra(authority.anchors_json())


@pytest.fixture(scope="session")
def csd(authority: Authority) -> Issued:
    return authority.issue(Kind.CSD, COMPANY, key=new_key())


@pytest.fixture(scope="session")
def fiel(authority: Authority) -> Issued:
    return authority.issue(Kind.FIEL, COMPANY, key=new_key())


@pytest.fixture(scope="session")
def prove(anchors: Anchors) -> Check:
    """`check` at the tests' present, in the authority's environment, unless told otherwise."""

    def run(bundle: Bundle, **wanted: object) -> Verdict:
        options = {"anchors": anchors, "environment": "uat", "at": NOW} | wanted
        return check(bundle, **options)  # type: ignore[arg-type] # each test says what differs

    return run
