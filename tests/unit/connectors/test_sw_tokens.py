"""Reading the token out of an answer, and who remembers that there was none."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from yarl import URL

from certpipe.connectors.sw.answers import Answer
from certpipe.connectors.sw.tokens import Credentials, Tokens, token_in
from certpipe.core.errors import AccountRefused
from tests.fakes import HandClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def in_seconds(seconds: int) -> int:
    return int(NOW.timestamp()) + seconds


@pytest.mark.parametrize("expires_in", [in_seconds(7_200), str(in_seconds(7_200))])
def test_the_expiry_is_an_epoch_second_and_the_last_minute_is_not_used(expires_in: object) -> None:
    token = token_in({"token": "a.b.c", "expires_in": expires_in}, NOW)
    assert token is not None
    assert token.usable(NOW + timedelta(seconds=7_139))
    assert not token.usable(NOW + timedelta(seconds=7_140))


def test_a_short_token_is_used_for_half_its_time() -> None:
    token = token_in({"token": "a.b.c", "expires_in": in_seconds(20)}, NOW)
    assert token is not None
    assert token.usable(NOW + timedelta(seconds=9))
    assert not token.usable(NOW + timedelta(seconds=10))


@pytest.mark.parametrize("expires_in", [None, "soon", in_seconds(-1), 7_200, 10**30, [], float("inf"), float("nan")])
def test_an_expiry_that_makes_no_sense_leaves_the_token_in_use_until_it_is_refused(expires_in: object) -> None:
    token = token_in({"token": "a.b.c", "expires_in": expires_in}, NOW)
    assert token is not None
    assert token.usable(NOW + timedelta(days=3_650))


def test_a_token_need_not_have_three_parts() -> None:
    token = token_in({"token": " T2lYQ0t4L0 "}, NOW)
    assert token is not None
    assert token.text == "T2lYQ0t4L0"


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"token": ""}, {"token": " "}, {"token": 1}, {"token": "a\r\nb: c"}, {"token": "ñ"}]
)
def test_no_token_is_no_token(data: object) -> None:
    assert token_in(data, NOW) is None


def test_neither_a_token_nor_credentials_show_what_they_hold() -> None:
    credentials = Credentials(user="somebody", password="secret", token="secret")
    assert "secret" not in repr(credentials) + repr(token_in({"token": "secret"}, NOW))


class Logins:
    """A transport whose answers come when the test gives them."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Answer]] = []

    async def exchange(self, *_request: object) -> Answer:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


async def test_a_login_from_before_the_mending_is_not_waited_for_and_its_refusal_not_remembered() -> None:
    logins: Any = Logins()
    tokens = Tokens(URL("https://x.mx"), Credentials(user="u", password="p"), logins, HandClock())
    before = asyncio.create_task(tokens.current())
    while not logins.asked:
        await asyncio.wait([before], timeout=0)
    tokens.forget_refusal()
    after = asyncio.create_task(tokens.current())
    while len(logins.asked) < 2:
        await asyncio.wait([after], timeout=0)
    logins.asked[1].set_result(Answer(200, b'{"status": "success", "data": {"token": "a.b.c"}}', None))
    assert (await after).text == "a.b.c"
    logins.asked[0].set_result(Answer(401, b"{}", None))
    with pytest.raises(AccountRefused):
        await before
    assert (await tokens.current()).text == "a.b.c"
