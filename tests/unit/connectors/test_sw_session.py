"""Opening a session with SW."""

from types import SimpleNamespace
from typing import Any

import pytest

from certpipe.connectors.sw import Credentials, SwSession
from certpipe.core.clock import SystemClock

HTTP: Any = SimpleNamespace()
"""Nothing is sent, so nothing needs to be there."""


def session(services: str, api: str = "https://api.example.mx") -> SwSession:
    return SwSession(
        services_url=services, api_url=api, credentials=Credentials(token="x"), http=HTTP, clock=SystemClock()
    )


@pytest.mark.parametrize("url", ["https://services.example.mx", "http://127.0.0.1:8490/", " https://x.mx/under/path/ "])
def test_an_address_may_have_a_path_and_a_slash_at_its_end(url: str) -> None:
    assert str(session(url).services / "certificates") == url.strip().rstrip("/") + "/certificates"


@pytest.mark.parametrize(
    "url", ["", "services.sw.com.mx", "ftp://x.mx", "https://", "https://u:p@x.mx", "https://x.mx?a=1"]
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="an address of SW must be like"):
        session(url)
    with pytest.raises(ValueError, match="an address of SW must be like"):
        session("https://services.example.mx", url)
