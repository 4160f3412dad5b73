import socket
from collections.abc import Mapping, Sequence

import pytest
from aiohttp.abc import ResolveResult

from certpipe.notify.addresses import parse_networks
from certpipe.notify.connecting import UnresolvedError
from certpipe.notify.guard import UrlGuard

PUBLIC, PUBLIC6, PRIVATE, METADATA = "8.8.8.8", "2606:4700:4700::1111", "10.0.0.7", "169.254.169.254"
NAMES: Mapping[str, Sequence[str]] = {
    "hooks.example.com": [PUBLIC, PUBLIC6],
    "xn--and-6ma2c.mx": [PUBLIC],
    "mixed.example": [PUBLIC, PRIVATE],
    "aaaa.example": [PUBLIC, "fd00::7"],
    "inside.example": [PRIVATE],
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1", "::1"],
    "metadata.google.internal": [METADATA],
    "xn--80ak6aa92e.com": [PRIVATE],
}


class Table:
    """Names from a table."""

    async def addresses(self, host: str, port: int) -> Sequence[ResolveResult]:
        if host not in NAMES:
            raise UnresolvedError
        return [
            ResolveResult(hostname=host, host=ip, port=port, family=socket.AF_UNSPEC, proto=0, flags=0)
            for ip in NAMES[host]
        ]


async def code(url: str, networks: str = "") -> str | None:
    problem = await UrlGuard(parse_networks(networks), Table()).refusal(url)
    if problem is None:
        return None
    assert (problem.field, problem.status) == ("url", 422)
    assert problem.message_es
    assert problem.message_en
    assert problem.hint
    return problem.code


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/",
        "https://hooks.example.com:443/a?b=c&d=%20",
        "https://hooks.example.com:8443/a@b",
        "HTTPS://HOOKS.EXAMPLE.COM/",
        "https://ñandú.mx/",
        f"https://{PUBLIC}/",
        f"https://[{PUBLIC6}]:8443/",
    ],
)
async def test_a_public_https_address_is_taken(url: str) -> None:
    assert await code(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        f"https://{METADATA}/latest/meta-data/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[64:ff9b:1::808:808]/",
        "https://[2002:7f00:1::]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://[::7f00:1]/",
        "https://①②⑦.0.0.1/",
        "https://127。0。0。1/",
        "https://localhost/",
        "https://localhost./",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://inside.example/",
        "https://mixed.example/",
        "https://aaaa.example/",
        "https://\u0430\u0440\u0440\u04cf\u0435.com/",  # Cyrillic letters: judged by where they lead
        "http://127.0.0.1:8080/",
    ],
)
async def test_what_leads_inside_is_forbidden_however_it_is_spelled(url: str) -> None:
    assert await code(url) == "forbidden_address"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "mailto:ana@example.com",
        "javascript:alert(1)",
        "//hooks.example.com/",
        "hooks.example.com",
        "https:hooks.example.com",
        "https:///hooks.example.com",
        "https://",
        "",
        "https://user:pass@hooks.example.com/",
        "https://user@hooks.example.com/",
        "https://@hooks.example.com/",
        "https://:@hooks.example.com/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:6379/",
        "https://hooks.example.com:80/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:x/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com/#",
        "https://hooks.example.com/a b",
        " https://hooks.example.com/",
        "https://hooks.example.com/\r\nX: y",
        "https://hooks.example.com/\x00",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[::1/",
        "https://[v1.x]/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0/",
        "https://①②⑦.1/",
        "https://nowhere.example/",
        "https://a..b/",
        f"https://{'a' * 300}.example/",
        f"https://hooks.example.com/{'a' * 2_048}",
    ],
)
async def test_what_is_no_plain_https_address_is_unusable(url: str) -> None:
    assert await code(url) == "unusable_address"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/hook", "http://localhost/", "https://localhost:9000/", "http://[::ffff:127.0.0.1]:1/"],
)
async def test_within_the_networks_of_the_operator_http_and_any_port_are_taken(url: str) -> None:
    assert await code(url, "127.0.0.0/8") is None


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://hooks.example.com/", "unusable_address"),
        ("https://hooks.example.com:9000/", "unusable_address"),
        ("http://10.0.0.1/", "forbidden_address"),
        ("http://localhost./", "forbidden_address"),  # ::1, too, which is in no network
        ("http://user@127.0.0.1/", "unusable_address"),
        ("ftp://127.0.0.1/", "unusable_address"),
        ("http://127.1/", "unusable_address"),
    ],
)
async def test_outside_of_them_nothing_changes(url: str, refused: str) -> None:
    assert await code(url, "127.0.0.0/8") == refused


async def test_a_name_that_leads_nowhere_is_told_as_such() -> None:
    problem = await UrlGuard((), Table()).refusal("https://nowhere.example/")
    assert problem is not None
    assert "nowhere" in problem.message_en
    assert "typing error" in (problem.hint or "")
    assert "nowhere.example" not in f"{problem}"
