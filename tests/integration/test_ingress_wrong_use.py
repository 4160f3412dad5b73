"""Wrong use of the doors: every answer is a problem that says what is wrong, and never a traceback."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from certpipe.core.ids import uuid7
from certpipe.ingress.routes import ROUTES
from schemas.status import ProblemDocument
from tests.integration.door import Door, body, form, open_door

SECRET = "s3cr3t-Nandu-0123"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened


async def refused(door: Door, method: str, path: str, **options: Any) -> tuple[int, ProblemDocument]:
    async with door.call(method, path, **options) as answer:
        text = await answer.text()
        assert answer.content_type == "application/problem+json", text
        assert answer.headers["Cache-Control"] == "no-store"
        assert SECRET not in text
        assert "Traceback" not in text
        problem = ProblemDocument.model_validate_json(text)
        assert problem.instance == f"urn:uuid:{answer.headers['X-Request-Id']}"
        assert problem.errors
        return answer.status, problem


def codes(problem: ProblemDocument) -> list[tuple[str, str | None]]:
    return [(each.code, each.field) for each in problem.errors]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/checks"])
async def test_every_missing_field_is_told_at_once(door: Door, path: str, as_json: bool) -> None:  # noqa: FBT001 - a table
    sent: dict[str, Any] = (
        {"json": {}} if as_json else {"data": form(door, **{**dict.fromkeys(body(door)), "kind": "csd"})}
    )
    status, problem = await refused(door, "POST", path, **sent)
    wanted = {"certificate", "private_key", "password"}
    wanted |= {"party_id"} if path == "/v1/uploads" else set()
    wanted |= {"kind"} if as_json and path == "/v1/uploads" else set()
    assert status == 400
    assert codes(problem) == [("missing_field", field) for field in sorted(wanted)]


BAD_JSON: dict[str, tuple[dict[str, Any], list[tuple[str, str | None]]]] = {
    "not base64": ({"certificate": "%%%"}, [("bad_base64", "certificate")]),
    "a data URL": ({"private_key": "data:;base64,AAAA"}, [("bad_base64", "private_key")]),
    "an empty file": ({"certificate": ""}, [("empty_file", "certificate")]),
    "a file over 64 KiB": ({"certificate": "AAAA" * 22_000}, [("file_too_large", "certificate")]),
    "a body over 256 KiB": ({"certificate": "AAAA" * 100_000}, [("file_too_large", None)]),
    "a number for a file": ({"certificate": 7}, [("invalid_field", "certificate")]),
    "a list for a password": ({"password": [SECRET]}, [("invalid_field", "password")]),
    "an object for a password": ({"password": {SECRET: SECRET}}, [("invalid_field", "password")]),
    "an empty password": ({"password": ""}, [("missing_field", "password")]),
    "a password of 1 MB": ({"password": SECRET * 10_000}, [("invalid_field", "password")]),
    "a lone surrogate": ({"password": "\ud800"}, [("invalid_field", "password")]),
    "a party that is no UUID": ({"party_id": "1; DROP TABLE"}, [("invalid_field", "party_id")]),
    "a party in braces": ({"party_id": f"{{{uuid7()}}}"}, [("invalid_field", "party_id")]),
    "an unknown kind": ({"kind": "pfx"}, [("invalid_field", "kind")]),
    "an unknown field": ({"passwort": SECRET}, [("unknown_field", "passwort")]),
    "a hostile field name": ({"\r\nX: \ud800" + "x" * 500: 1}, [("unknown_field", "??X: ?" + "x" * 34)]),
    "several at once": (
        {"certificate": "%", "kind": "x", "party_id": "x", "password": ""},
        [
            ("bad_base64", "certificate"),
            ("missing_field", "password"),
            ("invalid_field", "party_id"),
            ("invalid_field", "kind"),
        ],
    ),
}


@pytest.mark.parametrize(("change", "wanted"), BAD_JSON.values(), ids=BAD_JSON)
async def test_a_bad_json_upload_is_told_by_field(
    door: Door, change: dict[str, Any], wanted: list[tuple[str, str | None]]
) -> None:
    status, problem = await refused(door, "POST", "/v1/uploads", json=body(door, **change))
    assert (status, codes(problem)) == (400, wanted)
    assert not door.store.rows


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"password=" + SECRET.encode(),
    "a list": b'["' + SECRET.encode() + b'"]',
    "a member twice": b'{"password": "a", "password": "' + SECRET.encode() + b'"}',
    "NaN": b'{"password": NaN}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": json.dumps({"password": SECRET}).encode("utf-16"),
    "not UTF-8": b'{"password": "\xff' + SECRET.encode() + b'"}',
    "100 000 levels": b'{"a":' + b"[" * 100_000,
    "cut short": b'{"password": "' + SECRET.encode(),
}


@pytest.mark.parametrize(
    "path", ["/v1/uploads", "/v1/checks", "/v1/webhooks", "/v1/parties/{id}", "/v1/organizations/{id}"]
)
@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_a_body_that_is_no_json_object_is_400(door: Door, path: str, sent: bytes) -> None:
    method = "PUT" if "{id}" in path else "POST"
    status, problem = await refused(
        door, method, path.format(id=uuid7()), subject="root", data=sent, headers={"Content-Type": "application/json"}
    )
    # The small resources take 16 KiB at the most.
    assert (status, problem.code) in {(400, "malformed_json"), (413, "body_too_large")}


def multipart(*parts: bytes, boundary: bytes = b"b0", end: bytes = b"--b0--\r\n") -> dict[str, Any]:
    content = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end
    return {"data": content, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}}


def part(disposition: str, content: bytes = b"x", *headers: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


BAD_MULTIPART: dict[str, tuple[dict[str, Any], int, str]] = {
    "no boundary": ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "malformed_multipart"),
    "a boundary that never comes": (multipart(boundary=b"b0", end=b"nothing\r\n"), 400, "malformed_multipart"),
    "a long boundary": (multipart(boundary=b"b" * 100), 400, "malformed_multipart"),
    "an empty body": (multipart(end=b""), 400, "malformed_multipart"),
    "no end": (multipart(part('name="kind"'), end=b""), 400, "malformed_multipart"),
    "17 parts": (multipart(*[part(f'name="x{number}"') for number in range(17)]), 400, "too_many_parts"),
    "10 000 parts": (multipart(*[part('name="kind"')] * 10_000), 400, "too_many_parts"),
    "the same field twice": (
        multipart(part('name="kind"', b"csd"), part('name="kind"', b"csd")),
        400,
        "duplicate_field",
    ),
    "an unknown field": (multipart(part('name="passwort"', SECRET.encode())), 400, "unknown_field"),
    "a part without a name": (multipart(part("filename=x")), 400, "unknown_field"),
    "a part without a disposition": (multipart(b"X: y\r\n\r\nx"), 400, "malformed_multipart"),
    "a path for a file name": (multipart(part('name="certificate"; filename="../../etc/x"')), 400, "invalid_file_name"),
    "a NUL in a file name": (multipart(part("name=\"certificate\"; filename*=utf-8''a%00b")), 400, "invalid_file_name"),
    "a line break in a file name": (
        multipart(part("name=\"certificate\"; filename*=utf-8''a%0d%0ab")),
        400,
        "invalid_file_name",
    ),
    "a file name of 4 KiB": (multipart(part(f'name="certificate"; filename="{"x" * 4096}"')), 400, "invalid_file_name"),
    "a broken file name": (multipart(part('name="certificate"; filename*=nonsense\'x')), 400, "malformed_multipart"),
    "a part in base64": (
        multipart(part('name="certificate"', b"QUFB", "Content-Transfer-Encoding: base64")),
        415,
        "unsupported_content_encoding",
    ),
    "a compressed part": (
        multipart(part('name="certificate"', b"QUFB", "Content-Encoding: gzip")),
        415,
        "unsupported_content_encoding",
    ),
    "a nested multipart": (
        multipart(part('name="certificate"', b"--n--", "Content-Type: multipart/mixed; boundary=n")),
        400,
        "malformed_multipart",
    ),
    "a long header": (multipart(part(f'name="certificate"; filename="{"x" * 20_000}"')), 400, "malformed_multipart"),
    "1 000 headers": (multipart(part('name="certificate"', b"x", *["X: y"] * 1_000)), 400, "malformed_multipart"),
    "an endless charset": (multipart(part('name="_charset_"', b"u" * 100)), 400, "unknown_field"),
    "a kind that is no text": (multipart(part('name="kind"', b"\xff\xfe")), 400, "invalid_field"),
    "an empty file": (multipart(part('name="certificate"; filename="a.cer"', b"")), 400, "empty_file"),
}


@pytest.mark.parametrize(("sent", "status", "code"), BAD_MULTIPART.values(), ids=BAD_MULTIPART)
async def test_a_bad_multipart_body_is_told(door: Door, sent: dict[str, Any], status: int, code: str) -> None:
    found, problem = await refused(door, "POST", "/v1/uploads", **sent)
    assert (found, code in {each.code for each in problem.errors}) == (status, True), codes(problem)
    assert not door.store.rows


async def test_a_file_that_holds_a_boundary_like_line_comes_whole(door: Door) -> None:
    content = b"a\r\n--b\r\n\r\n--b1--\r\n--" * 500
    fields = [part(f'name="{name}"', value.encode()) for name, value in body(door).items() if name != "certificate"]
    async with door.call("POST", "/v1/uploads", **multipart(part('name="certificate"', content), *fields)) as answer:
        assert answer.status == 202, await answer.text()
    (upload,) = door.store.rows.values()
    assert len(json.loads(upload.box.ciphertext)["certificate"]) == (len(content) + 2) // 3 * 4


@pytest.mark.parametrize(
    ("size", "status"), [(64 * 1024, 202), (64 * 1024 + 1, 400), (10 * 1024 * 1024, 400), (10 * 1024 * 1024 + 1, 413)]
)
async def test_a_large_file_is_refused_as_not_sats_and_a_huge_one_is_not_read(
    door: Door, size: int, status: int
) -> None:
    async with door.call("POST", "/v1/uploads", data=form(door, certificate=b"x" * size)) as answer:
        assert answer.status == status
        if status != 202:
            problem = await answer.json()
            assert [(each["code"], each["field"]) for each in problem["errors"]] == [("file_too_large", "certificate")]
            assert problem["errors"][0]["hint"]


async def test_a_body_that_claims_to_be_gigantic_is_refused_before_it_is_read(door: Door) -> None:
    headers = {"Content-Length": str(1 << 40), "Content-Type": "application/json"}
    reader, writer = await _raw(door, "POST /v1/uploads", headers)
    assert b" 413 " in await reader.readline()
    writer.close()


async def _raw(door: Door, request: str, headers: dict[str, str]) -> Any:
    host, port = door.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    headers = {"Host": "x", "Authorization": f"Bearer {door.token()}", **headers}
    lines = [f"{request} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    return reader, writer


async def test_a_client_that_hangs_up_amid_its_body_hurts_nobody(door: Door) -> None:
    headers = {"Content-Length": "1000", "Content-Type": "application/json"}
    _, writer = await _raw(door, "POST /v1/uploads", headers)
    writer.write(b'{"password": "')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with door.call("POST", "/v1/uploads", json=body(door)) as answer:
        assert answer.status == 202


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "utf-8", "aes128gcm"])
@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/checks", "/v1/webhooks", "/v1/parties/{id}"])
async def test_a_compressed_body_is_415(door: Door, path: str, encoding: str) -> None:
    method = "PUT" if "{id}" in path else "POST"
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    reader, writer = await _raw(door, f"{method} {path.format(id=uuid7())}", headers | {"Content-Length": "0"})
    status = int((await reader.readline()).split()[1])
    writer.close()
    assert status == 415


@pytest.mark.parametrize("encodings", [("identity", "gzip"), ("gzip", "identity"), ("identity, gzip", "identity")])
async def test_a_body_that_is_compressed_by_one_of_two_headers_is_415_too(
    door: Door, encodings: tuple[str, str]
) -> None:
    one, other = encodings
    headers = {"Content-Encoding": one, "content-encoding": other, "Content-Type": "application/json"}
    reader, writer = await _raw(door, "POST /v1/uploads", headers | {"Content-Length": "0"})
    status = int((await reader.readline()).split()[1])
    writer.close()
    assert status == 415


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=b0", "application/xml", ""]
)
@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/checks", "/v1/webhooks", "/v1/parties/{id}"])
async def test_another_content_type_is_415(door: Door, path: str, media: str) -> None:
    method = "PUT" if "{id}" in path else "POST"
    status, problem = await refused(
        door, method, path.format(id=uuid7()), data=b"password=" + SECRET.encode(), headers={"Content-Type": media}
    )
    assert (status, problem.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=0", "invalid_parameter", "limit"),
        ("limit=-1", "invalid_parameter", "limit"),
        ("limit=ten", "invalid_parameter", "limit"),
        ("limit=1e9", "invalid_parameter", "limit"),
        ("limit=" + "9" * 5_000, "invalid_parameter", "limit"),
        ("limit=%D9%A3", "invalid_parameter", "limit"),
        ("limit=1&limit=2", "invalid_parameter", "limit"),
        ("state=lost", "invalid_parameter", "state"),
        ("cursor=1", "invalid_parameter", "cursor"),
        ("party_id=..%2F", "invalid_parameter", "party_id"),
        ("sort=id", "unknown_parameter", "sort"),
        ("%00%0A=1", "unknown_parameter", "??"),
        ("party_id=0199b0c2-5a00-7000-8000-0000000000aa", "target_not_found", "party_id"),
    ],
)
async def test_a_bad_query_is_told_by_parameter(door: Door, query: str, code: str, field: str) -> None:
    status, problem = await refused(door, "GET", f"/v1/uploads?{query}")
    assert (status, codes(problem)) == (404 if code == "target_not_found" else 400, [(code, field)])


@pytest.mark.parametrize("query", ["wait=-1", "wait=x", "wait=", "wait=1.5", "verbose=1"])
async def test_a_bad_wait_is_told(door: Door, query: str) -> None:
    status, _ = await refused(door, "GET", f"/v1/uploads/{uuid7()}?{query}")
    assert status == 400


ALL = [(route.method, route.path) for route in ROUTES if not route.public]
OTHERS = {"user": "erp", "delivery": "1", "letter": "1", "service": "sw-vault"}


@pytest.mark.parametrize(
    "bad", ["1", "x" * 2_000, "..%2f..", "%00", "'%20OR%201=1", "0199b0c25a0070008000000000000001"]
)
@pytest.mark.parametrize(("method", "path"), [each for each in ALL if "{id}" in each[1]])
async def test_an_id_that_is_no_uuid_does_not_exist(door: Door, method: str, path: str, bad: str) -> None:
    sent: dict[str, Any] | None = {} if method == "PUT" else None
    status, problem = await refused(door, method, path.format(id=bad, **OTHERS), subject="root", json=sent)
    assert (status, problem.code) == (404, "not_found")


@pytest.mark.parametrize(("method", "path"), ALL)
async def test_nobody_gets_anything_without_a_token(door: Door, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic b2xpdmlhOg=="}):
        status, problem = await refused(door, method, path.format(id=uuid7(), **OTHERS), subject=None, headers=headers)
        assert (status, problem.code) == (401, "unauthorized")


async def test_401_says_how_to_say_who_you_are_and_not_what_was_wrong(door: Door) -> None:
    texts = []
    for token in (door.token(exp=1), door.token(aud="other"), "x.y.z"):
        async with door.call(
            "GET", "/v1/uploads", subject=None, headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
            problem = await answer.json()
            texts.append({**problem, "instance": ""})
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("DELETE", "/v1/uploads", 405, "method_not_allowed"),
        ("POST", "/livez", 405, "method_not_allowed"),
        ("TRACE", "/v1/uploads", 405, "method_not_allowed"),
        ("GET", "/v1/uploads/", 404, "not_found"),
    ],
)
async def test_what_is_not_offered_is_a_problem_too(door: Door, method: str, path: str, status: int, code: str) -> None:
    found, problem = await refused(door, method, path)
    assert (found, problem.code) == (status, code)


async def test_a_defect_tells_nothing_of_itself(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_upload: object) -> None:
        raise KeyError(SECRET)

    door.store.on_accept = broken
    status, problem = await refused(door, "POST", "/v1/uploads", json=body(door, password=SECRET))
    assert (status, problem.code) == (500, "internal")
    assert "KeyError" in caplog.text
    assert problem.instance is not None
    assert problem.instance.removeprefix("urn:uuid:") in caplog.text
    assert SECRET not in caplog.text


async def test_no_log_line_holds_a_secret_or_a_token(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = door.token()
    for sent in (body(door, password=SECRET), body(door, password=SECRET, kind="x"), {"x": SECRET}):
        async with door.call(
            "POST", "/v1/uploads", json=sent, subject=None, headers={"Authorization": f"Bearer {token}"}
        ):
            pass
    async with door.call("POST", "/v1/uploads", data=form(door, password=SECRET)) as answer:
        assert answer.status == 202
    assert SECRET not in caplog.text
    assert token[-20:] not in caplog.text


async def test_a_body_that_does_not_come_is_408() -> None:
    async with open_door(seconds_for_a_body=0.05) as door:
        headers = {"Content-Length": "1000", "Content-Type": "application/json"}
        reader, writer = await _raw(door, "POST /v1/uploads", headers)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body_timeout" in answer


async def test_a_request_that_is_no_http_is_not_quoted_in_any_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    for headers in (
        {"X": f"a\x00{SECRET}"},
        {"Authorization": f"Bearer {SECRET}\x00" + "x" * 20_000},
        {"Content-Length": SECRET},
    ):
        reader, writer = await _raw(door, "GET /v1/uploads", headers)
        async with asyncio.timeout(30):
            assert b" 400 " in (await reader.read()).splitlines()[0]
        writer.close()
    assert "Error handling request" in caplog.text
    assert SECRET not in caplog.text


async def test_every_answer_carries_the_security_headers(door: Door) -> None:
    for path in ("/livez", "/v1/uploads", "/nowhere", "/openapi.json"):
        async with door.call("GET", path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Server"] == "certpipe"
            assert answer.headers["X-Request-Id"]


@pytest.mark.slow
async def test_64_clients_with_two_files_of_10_mb_each_get_an_answer_within_little_memory(door: Door) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for name in ("certificate", "private_key"):
            yield part(f'name="{name}"; filename="x"', b"").join([b"--b0\r\n", b""])
            for _ in range(160):
                yield bytes(64 * 1024)
            yield b"\r\n"
        yield b"--b0--\r\n"

    async def upload() -> tuple[int, str]:
        headers = {"Content-Type": "multipart/form-data; boundary=b0"}
        async with door.call("POST", "/v1/uploads", data=chunks(), headers=headers) as answer:
            return answer.status, (await answer.json())["code"]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        door.session, own = session, door.session
        answers = await asyncio.gather(*(upload() for _ in range(64)))
        door.session = own
    assert set(answers) == {(400, "file_too_large")}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024
