"""One attempt, against receivers that do all that a receiver can do. Loopback is in the operator's networks here."""

import asyncio
import base64
import gzip
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook

from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.events import Told
from certpipe.core.ports.webhooks import SealedText, SigningKeys, Target
from certpipe.notify.addresses import parse_networks
from certpipe.notify.connecting import UnresolvedError, guarded_connector, open_sessions
from certpipe.notify.guard import UrlGuard
from certpipe.notify.sending import Sender, SendError, Sent, Signing
from certpipe.notify.signing import Signer
from schemas.event_examples import example
from schemas.events import EventType
from tests.fakes import AT
from tests.integration.receivers import (
    PLAIN,
    Authority,
    Speak,
    endlessly,
    hang,
    once,
    receiver,
    then_hang,
)

EVENT = example(EventType.REJECTED)
TOLD = Told(1, EVENT.data.organization_id, EVENT.data.upload_id, EVENT)
KEYS = SigningKeys(os.urandom(32), os.urandom(32))
SEALED = SealedText("webhook-1.v1", b"")
LOOPBACK = "127.0.0.0/8"
PUBLIC = "8.8.8.8"
MOST = 60_000
SHORT, ENOUGH = 0.5, 2.0


class Names(AbstractResolver):
    """Names from a table; of a list of lists, one after the other. Also what the guard asks at creation."""

    def __init__(self, **table: Sequence[Sequence[str]]) -> None:
        self._table = {name: list(turns) for name, turns in table.items()}

    async def addresses(self, host: str, port: int) -> Sequence[ResolveResult]:
        turns = self._table.get(host.partition(".")[0])
        if not turns:
            raise UnresolvedError
        found = turns.pop(0) if len(turns) > 1 else turns[0]
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=socket.AF_INET6 if ":" in ip else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for ip in found
        ]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        assert family in (socket.AF_UNSPEC, socket.AF_INET)
        return list(await self.addresses(host, port))

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Courier:
    """Sends the event of these tests."""

    sender: Sender

    async def send(self, url: str, headers: Mapping[str, str] | None = None) -> Sent:
        target = Target(uuid7(), 1, AT, url, SEALED, SEALED, None, None, 0, None, None)
        async with asyncio.timeout(MOST / 1000):
            sent = await self.sender.send(target, Signing(Signer(KEYS), headers or {}), TOLD)
        assert 0 <= sent.attempt.milliseconds < MOST
        assert sent.attempt.error is None or sent.attempt.error in set(SendError)
        return sent


@asynccontextmanager
async def sending(
    networks: str = LOOPBACK,
    *,
    seconds: float = 30.0,
    resolver: AbstractResolver | None = None,
    authority: Authority | None = None,
) -> AsyncIterator[Courier]:
    trusted = authority.trusted() if authority else True
    async with open_sessions(parse_networks(networks), resolver=resolver, ssl=trusted) as sessions:
        yield Courier(Sender(sessions, SystemClock(), user_agent="certpipe/9.8.7", timeout=seconds))


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def test_a_good_receiver_gets_the_event_signed_and_nothing_else() -> None:
    async with receiver() as it, sending() as courier:
        sent = await courier.send(it.url("/hook?a=b%20c"), {"X-Mine": "mine"})
    (request,) = it.requests
    assert request.line == "POST /hook?a=b%20c HTTP/1.1"
    assert request.body == EVENT.body()
    assert set(request.headers) == {
        *("host", "accept", "content-type", "content-length", "user-agent", "x-mine"),
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
    }
    assert request.headers["host"] == f"127.0.0.1:{it.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "certpipe/9.8.7"
    assert request.headers["webhook-id"] == EVENT.id
    Webhook(base64.b64encode(KEYS.hmac).decode()).verify(request.body, request.headers)
    assert (sent.delivered, sent.gone, sent.retry_after) == (True, False, None)
    assert (sent.attempt.status, sent.attempt.error, sent.attempt.excerpt) == (200, None, "ok")


async def test_headers_of_the_owner_never_take_the_place_of_ours() -> None:
    mine = ["Webhook-Id", "webhook-signature", "WEBHOOK-TIMESTAMP", "webhook-other", "Content-Type", "User-Agent"]
    mine += ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "Cookie", "TE"]
    mine += ["Accept-Encoding", "Content-Encoding", "Proxy-Authorization", "Trailer", "Keep-Alive"]
    async with receiver() as it, sending() as courier:
        assert (await courier.send(it.url(), {**dict.fromkeys(mine, "theirs"), "Authorization": "Bearer x"})).delivered
    (request,) = it.requests
    assert "theirs" not in request.headers.values()
    assert "webhook-other" not in request.headers
    assert request.headers["authorization"] == "Bearer x"
    assert request.body == EVENT.body()


async def test_a_connection_is_used_again() -> None:
    async with receiver() as it, sending() as courier:
        for _ in range(3):
            assert (await courier.send(it.url())).delivered
    assert (it.connections, len(it.requests)) == (1, 3)


async def test_cookies_are_not_kept() -> None:
    async with receiver(answer("200 OK", "Set-Cookie: a=b; Path=/")) as it, sending() as courier:
        for _ in range(2):
            assert (await courier.send(it.url())).delivered
    assert all("cookie" not in request.headers for request in it.requests)


async def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ana password secret", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with receiver() as proxy, receiver() as it, sending() as courier:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        assert (await courier.send(it.url())).delivered
    assert proxy.connections == 0
    assert "authorization" not in it.requests[0].headers


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content", "299 Odd"])
async def test_every_2xx_counts(status: str) -> None:
    async with receiver(answer(status)) as it, sending() as courier:
        sent = await courier.send(it.url())
    assert sent.delivered
    assert sent.attempt.status == int(status[:3])
    assert sent.attempt.excerpt is None


@pytest.mark.parametrize("status", ["400 Bad", "401 No", "404 No", "410 Gone", "418 Tea", "500 Oh", "599 Odd"])
async def test_no_other_status_counts(status: str) -> None:
    async with receiver(answer(status, body=b"why")) as it, sending() as courier:
        sent = await courier.send(it.url())
    assert not sent.delivered
    assert (sent.attempt.status, sent.attempt.error, sent.attempt.excerpt) == (int(status[:3]), "status", "why")
    assert sent.gone == (status == "410 Gone")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/meta-data/", "{there}"])
async def test_a_redirect_is_not_followed(status: int, location: str) -> None:
    async with receiver() as there, sending() as courier:
        told = answer(f"{status} Elsewhere", f"Location: {location.format(there=there.url())}")
        async with receiver(told) as it:
            sent = await courier.send(it.url())
        assert (sent.attempt.status, sent.attempt.error) == (status, "redirect")
        assert not sent.delivered
        assert there.connections == 0


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        ("429 Slow", "30", 30.0),
        ("502 Bad", "30", 30.0),
        ("503 Away", "30", 30.0),
        ("504 Late", "30", 30.0),
        ("503 Away", "1000000000000", 86_400.0),
        ("503 Away", "Fri, 31 Dec 2999 23:59:59 GMT", 86_400.0),
        ("503 Away", "1e12", None),
        ("503 Away", "-1", None),
        ("503 Away", "Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("500 Oh", "30", None),
        ("400 Bad", "30", None),
        ("200 OK", "30", None),
    ],
)
async def test_who_asks_for_time_gets_it_up_to_a_day(status: str, retry_after: str, seconds: float | None) -> None:
    async with receiver(answer(status, f"Retry-After: {retry_after}")) as it, sending() as courier:
        assert (await courier.send(it.url())).retry_after == seconds


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "speak",
    [
        hang,
        then_hang(HEAD),
        then_hang(HEAD + b"X-Slow: "),
        then_hang(b"H"),
        then_hang(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "half-a-head", "half-a-header", "one-byte", "continue"],
)
async def test_who_does_not_answer_is_left_in_time(speak: Speak) -> None:
    async with receiver(speak) as it, sending(seconds=SHORT) as courier:
        sent = await courier.send(it.url())
        assert (sent.attempt.status, sent.attempt.error, sent.attempt.excerpt) == (None, "timeout", None)
        assert sent.attempt.milliseconds >= SHORT * 1000 - 50
        if it.connections:  # a busy machine may not even have come so far
            async with asyncio.timeout(MOST / 1000):
                await it.closed_by_sender.wait()


@pytest.mark.parametrize(
    "speak",
    [
        then_hang(HEAD + b"Content-Length: 10\r\n\r\nabc"),
        then_hang(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        then_hang(HEAD + b"\r\nabc"),
        once(HEAD + b"Content-Length: 10\r\n\r\nabc"),
        once(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ],
    ids=["slow-length", "slow-chunks", "slow-close", "broken-length", "broken-chunks"],
)
async def test_a_2xx_counts_though_the_rest_is_slow_or_broken(speak: Speak) -> None:
    async with receiver(speak) as it, sending(seconds=ENOUGH) as courier:
        sent = await courier.send(it.url())
        assert sent.delivered
        assert (sent.attempt.status, sent.attempt.excerpt) == (200, "abc")
        async with asyncio.timeout(MOST / 1000):
            await it.closed_by_sender.wait()


@pytest.mark.parametrize(
    "speak",
    [
        endlessly(HEAD + b"Content-Length: 10737418240\r\n\r\n", b"a" * 65_536),
        endlessly(HEAD + b"\r\n", b"a" * 65_536),
        endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"a" * 65_536 + b"\r\n"),
        endlessly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1_000),
    ],
    ids=["10-GB", "until-close", "chunks", "tiny-chunks"],
)
async def test_an_endless_body_is_left_and_its_connection_closed(speak: Speak) -> None:
    async with receiver(speak) as it, sending() as courier:
        sent = await courier.send(it.url())
        assert sent.delivered
        assert sent.attempt.excerpt == "a" * 1_024
        async with asyncio.timeout(MOST / 1000):
            await it.closed_by_sender.wait()


@pytest.mark.parametrize(
    "speak",
    [
        endlessly(HEAD, b"X-More: " + b"a" * 1_000 + b"\r\n"),
        endlessly(HEAD + b"X-Long: ", b"a" * 1_000),
        endlessly(b"HTTP/1.1 200 ", b"a" * 1_000),
        endlessly(HEAD, b" folded\r\n" * 1_000),
    ],
    ids=["endless-headers", "endless-header", "endless-reason", "endless-folding"],
)
async def test_an_endless_head_is_a_bad_answer(speak: Speak) -> None:
    async with receiver(speak) as it, sending() as courier:
        sent = await courier.send(it.url())
        assert (sent.attempt.status, sent.attempt.error) == (None, "bad_answer")
        async with asyncio.timeout(MOST / 1000):
            await it.closed_by_sender.wait()


@pytest.mark.parametrize("flood", [b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"], ids=["interim-answers", "blank-lines"])
async def test_a_flood_before_the_answer_is_left(flood: bytes) -> None:
    async with receiver(endlessly(b"", flood * 1_000)) as it, sending() as courier:
        sent = await courier.send(it.url())
        assert (sent.attempt.status, sent.attempt.error) == (None, "bad_answer")
        async with asyncio.timeout(MOST / 1000):
            await it.closed_by_sender.wait()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", "disconnected"),
        (HEAD, "disconnected"),
        (b"\r\n\r\n\r\n", "disconnected"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "bad_answer"),
        (b"220 mail.example ESMTP\r\n", "bad_answer"),
        (b"\x16\x03\x01\x00\xa5\x01", "bad_answer"),
        (b"HTTP/1.1 99999 Odd\r\n\r\n", "bad_answer"),
        (b"HTTP/1.1 -1 Odd\r\n\r\n", "bad_answer"),
        (HEAD + b"Content-Length: -5\r\n\r\n", "bad_answer"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "bad_answer"),
        (HEAD + b"no colon\r\n\r\n", "bad_answer"),
        (HEAD + b"X-Nul: \x00\r\n\r\n", "bad_answer"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
            "bad_answer",
        ),
        (b"HTTP/1.1 700 Odd\r\nContent-Length: 0\r\n\r\n", "bad_answer"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value,
)
async def test_an_answer_that_is_none_is_told_as_one_of_the_closed_set(said: bytes, error: str) -> None:
    async with receiver(once(said)) as it, sending() as courier:
        sent = await courier.send(it.url())
    assert not sent.delivered
    assert sent.attempt.error == error


async def test_an_upgrade_that_nobody_asked_for_is_left() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with receiver(then_hang(upgrade + b"\x81\x7f" * 100)) as it, sending(seconds=5) as courier:
        sent = await courier.send(it.url())
        assert sent.attempt.error == "bad_answer"
        async with asyncio.timeout(MOST / 1000):
            await it.closed_by_sender.wait()


async def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"a" * 40_000_000)
    said = answer("200 OK", "Content-Encoding: gzip", "Content-Type: text/plain", body=bomb)
    async with receiver(said) as it, sending() as courier:
        sent = await courier.send(it.url())
    assert sent.delivered
    assert sent.attempt.excerpt is not None
    assert "aaaa" not in sent.attempt.excerpt
    assert len(sent.attempt.excerpt) <= 1_024


async def test_a_204_with_a_body_does_not_spoil_the_next_delivery() -> None:
    async with receiver(answer("204 No Content", body=b"HTTP/1.1 500 Oh\r\n\r\n")) as it, sending() as courier:
        for _ in range(3):
            sent = await courier.send(it.url())
            assert (sent.delivered, sent.attempt.status) == (True, 204)
    assert len(it.requests) == 3


async def test_a_second_answer_that_nobody_asked_for_is_not_taken_for_the_next() -> None:
    async with receiver(PLAIN + answer("410 Gone")) as it, sending() as courier:
        for _ in range(3):
            sent = await courier.send(it.url())
            assert not sent.gone


async def test_a_few_interim_answers_are_passed_over() -> None:
    async with receiver(b"HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\n" * 3 + PLAIN) as it, sending() as courier:
        for _ in range(2):
            assert (await courier.send(it.url())).delivered
    assert it.connections == 1


async def test_who_is_not_there_is_told_as_refused() -> None:
    async with receiver() as it:
        pass
    async with sending() as courier:
        sent = await courier.send(it.url())
    assert (sent.attempt.status, sent.attempt.error) == (None, "connection_refused")


async def test_a_name_that_leads_nowhere_is_told() -> None:
    async with sending(resolver=Names()) as courier:
        assert (await courier.send("https://nowhere.example/")).attempt.error == "name_not_found"


# --- TLS ---


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


HOOKS = "hooks.example.com"


async def over_tls(authority: Authority, host: str = HOOKS, **options: timedelta) -> Sent:
    names = Names(hooks=[["127.0.0.1"]])
    async with (
        receiver(context=authority.server(host, **options)) as it,
        sending(resolver=names, authority=authority) as courier,
    ):
        return await courier.send(it.url(scheme="https", host=HOOKS))


async def test_https_is_verified_and_serves(authority: Authority) -> None:
    assert (await over_tls(authority)).delivered


async def test_a_certificate_of_another_name_is_refused(authority: Authority) -> None:
    assert (await over_tls(authority, "other.example.com")).attempt.error == "tls"


async def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    assert (await over_tls(authority, expires_in=-timedelta(days=1))).attempt.error == "tls"


async def test_an_authority_that_nobody_trusts_is_refused(authority: Authority) -> None:
    async with receiver(context=authority.server("127.0.0.1")) as it, sending() as courier:
        assert (await courier.send(it.url(scheme="https"))).attempt.error == "tls"
    assert not it.requests


async def test_a_server_without_tls_is_told_as_such() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(PLAIN)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, sending() as courier:
        port = server.sockets[0].getsockname()[1]
        assert (await courier.send(f"https://127.0.0.1:{port}/")).attempt.error == "tls"


# --- where webhooks may not go, met at delivery ---


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",  # noqa: S104 - an address to send to
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%251]",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "0",
        "0177.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "localhost",
        "localhost.",
    ],
)
async def test_no_spelling_reaches_this_machine(scheme: str, host: str) -> None:
    async with receiver() as it, sending(networks="") as courier:
        sent = await courier.send(it.url(scheme=scheme, host=host))
    assert it.connections == 0
    assert sent.attempt.status is None
    # Some are no address to the client, and some to no resolver of some systems.
    assert sent.attempt.error in {"forbidden_address", "name_not_found"}
    if host.startswith(("127.0.0.1", "[::1]", "localhost")) and not host.endswith("."):
        assert sent.attempt.error == "forbidden_address"


async def test_a_name_that_is_rebound_is_refused_at_delivery() -> None:
    names = Names(rebound=[[PUBLIC], ["127.0.0.1"]])
    async with receiver() as it, sending(networks="", resolver=names) as courier:
        url = it.url(scheme="https", host="rebound.example").replace(f":{it.port}", "")
        assert await UrlGuard((), names).refusal(url) is None
        assert (await courier.send(url)).attempt.error == "forbidden_address"
    assert it.connections == 0


@pytest.mark.parametrize("found", [[PUBLIC, "fd00::7"], ["fd00::7", PUBLIC], [PUBLIC, "10.0.0.1"], ["::1", PUBLIC]])
async def test_one_forbidden_address_of_several_is_enough(found: Sequence[str]) -> None:
    names = Names(mixed=[found])
    async with sending(networks="", resolver=names) as courier:
        assert (await courier.send("https://mixed.example/")).attempt.error == "forbidden_address"


@pytest.mark.parametrize("url", ["https://there.example:22/", "https://there.example:6379/", "http://there.example/"])
async def test_a_public_address_is_reached_by_https_at_its_ports_only(url: str) -> None:
    async with sending(resolver=Names(there=[[PUBLIC]])) as courier:
        assert (await courier.send(url)).attempt.error == "forbidden_address"


@pytest.mark.parametrize(
    "url", ["http://ana:secret@{host}/", "http://ana@{host}/", "ftp://{host}/", "file:///etc/passwd", "", "https://["]
)
async def test_what_the_door_would_not_let_in_is_not_sent_to_either(url: str) -> None:
    async with receiver() as it, sending() as courier:
        sent = await courier.send(url.format(host=f"127.0.0.1:{it.port}"))
    assert sent.attempt.error == "forbidden_address"
    assert it.connections == 0


@pytest.mark.parametrize(
    "address",
    [("10.0.0.1", 443), ("127.0.0.1", 443), ("::1", 443, 0, 0), ("2606:4700::1", 443, 0, 3), (PUBLIC, 22)],
    ids=str,
)
async def test_the_socket_itself_is_refused_whatever_the_resolver_said(address: tuple[str, int]) -> None:
    family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
    async with guarded_connector((), resolver=Names()) as connector:
        opened = getattr(connector, "_socket_factory")  # noqa: B009 - no annotation of the library tells of it
        with pytest.raises(OSError, match="forbidden address"):
            opened((family, socket.SOCK_STREAM, 0, "", address))
        opened((socket.AF_INET, socket.SOCK_STREAM, 0, "", (PUBLIC, 443))).close()


async def test_many_at_once_to_one_that_hangs_hold_up_nobody_else() -> None:
    async with receiver(hang) as slow, receiver() as it, sending() as courier:
        hanging = [asyncio.create_task(courier.send(slow.url())) for _ in range(100)]
        quick = [await courier.send(it.url()) for _ in range(20)]
        assert all(sent.delivered for sent in quick)
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
