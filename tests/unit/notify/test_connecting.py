import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from aiohttp.abc import ResolveResult

from certpipe.notify import connecting
from certpipe.notify.connecting import Lookup, LookupResolver, UnresolvedError


def found(ip: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return ResolveResult(hostname="a.example", host=ip, port=443, family=family, proto=0, flags=0)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system that looks up and looks up, except for one name."""
    let_go = threading.Event()

    def look_up(host: str, _port: int) -> list[ResolveResult]:
        if host != "quick.example":
            let_go.wait(60)
        return [found("8.8.8.8")]

    monkeypatch.setattr(connecting, "_look_up", look_up)
    yield
    let_go.set()


@pytest.mark.usefixtures("stuck")
async def test_a_name_that_takes_too_long_leads_nowhere() -> None:
    lookup = Lookup(timeout=0.05)
    with pytest.raises(UnresolvedError):
        await lookup.addresses("slow.example", 443)
    lookup.close()


@pytest.mark.usefixtures("stuck")
async def test_slow_names_hold_up_no_other() -> None:
    lookup = Lookup(timeout=60.0)
    slow = [asyncio.create_task(lookup.addresses(f"slow{number}.example", 443)) for number in range(40)]
    assert [result["host"] for result in await lookup.addresses("quick.example", 443)] == ["8.8.8.8"]
    assert not any(task.done() for task in slow)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    lookup.close()


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")], ids=["gai", "idna"])
async def test_a_name_that_is_not_known_or_none_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def look_up(_host: str, _port: int) -> list[ResolveResult]:
        raise error

    monkeypatch.setattr(connecting, "_look_up", look_up)
    lookup = Lookup()
    with pytest.raises(UnresolvedError) as caught:
        await lookup.addresses("a.example", 443)
    assert "a.example" not in str(caught.value)
    lookup.close()


async def test_the_client_is_given_the_family_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [found("8.8.8.8"), found("2606:4700::1")]
    monkeypatch.setattr(connecting, "_look_up", lambda _host, _port: both)
    resolver = LookupResolver(Lookup())
    assert await resolver.resolve("a.example", 443, socket.AF_UNSPEC) == both
    assert await resolver.resolve("a.example", 443, socket.AF_INET6) == both[1:]
    await resolver.close()
