"""Receivers of webhooks on loopback, good and hostile: each speaks to a connection as its `speak` does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """One that came in."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """One that runs. `requests` as they came, `connections` as many as were opened."""

    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    closed_by_sender: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def take(self, reader: asyncio.StreamReader) -> Request:
        """Read one request, whole, and write it down."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), "a header came twice"
        request = Request(head[0], headers, await reader.readexactly(int(headers["content-length"])))
        self.requests.append(request)
        return request


@asynccontextmanager
async def receiver(speak: Speak | bytes = PLAIN, context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Answers every request with these bytes, or as `speak` does after one was read; it may speak for ever."""
    it = Receiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        it.connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await it.take(reader)
                    if isinstance(speak, bytes):
                        writer.write(speak)
                        await writer.drain()
                    else:
                        await speak(reader, writer)
        finally:
            it.closed_by_sender.set()
            writer.transport.abort()

    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing more, until the sender goes away."""
    await reader.read()
    raise ConnectionResetError


def endlessly(first: bytes, again: bytes) -> Speak:
    """Speak as fast as the sender takes it, for ever."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()

    return speak


def once(said: bytes) -> Speak:
    """Say this, and close."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.write_eof()
        await hang(reader, writer)

    return speak


def then_hang(said: bytes) -> Speak:
    """Say this, and nothing more."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        await hang(reader, writer)

    return speak


class Authority:
    """One that a test trusts, and the contexts of those that it certifies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
        self._certificate = self._signed(self._name, self._key.public_key(), timedelta(days=1), None)

    def trusted(self) -> ssl.SSLContext:
        """What a client needs that trusts this authority alone."""
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=pem)
        return context

    def server(self, host: str, expires_in: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """What a server needs that has a certificate of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        certificate = self._signed(subject, key.public_key(), expires_in, x509.DNSName(host))
        file = self._folder / f"{host}-{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, expires_in: timedelta, name: x509.DNSName | None
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + expires_in)
            .add_extension(x509.BasicConstraints(ca=name is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if name is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        return builder.sign(self._key, hashes.SHA256())
