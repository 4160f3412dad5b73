"""A simulated PAC with one connector to it, for the suite that every connector passes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import aiohttp

from certpipe.connectors import Credentials, open_connectors, open_http
from certpipe.core.bundle import Bundle
from certpipe.core.ports.connector import Connector
from certpipe.simulators.authority import Authority, Subject
from certpipe.simulators.sw import Simulator, start_simulator
from certpipe.simulators.sw.auth import Account
from schemas.base import Kind
from schemas.status import CertificateFacts

PASSWORD = "pässwörd-$ñ"
START = datetime(2026, 1, 1, tzinfo=UTC)
OPENED_BY = Credentials(user="somebody", password="something")


class MovableClock:
    """A clock that stands still until it is moved; waiting on it lasts until the event."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        return self._now

    def move(self, **by: float) -> None:
        self._now += timedelta(**by)

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        if seconds == 0:
            return False
        return await (until or asyncio.Event()).wait()


@dataclass(frozen=True)
class Sample:
    """A bundle and what its certificate says."""

    bundle: Bundle
    facts: CertificateFacts

    def hashes(self) -> Mapping[str, str]:
        return {
            "certificate": sha256(self.bundle.certificate).hexdigest(),
            "private_key": sha256(self.bundle.private_key).hexdigest(),
            "password": sha256(self.bundle.password.encode()).hexdigest(),
        }


@cache
def sample(kind: Kind, *, number: str = "30001000000500009999", rfc: str = "EKU9003173C9") -> Sample:
    """A pair that looks like SAT's."""
    authority = _authority()
    issued = authority.issue(kind, Subject(rfc=rfc), password=PASSWORD, key=authority.key, number=number)
    return Sample(issued.bundle, CertificateFacts(number=number, rfc=rfc, kind=kind))


@cache
def _authority() -> Authority:
    return Authority.create(at=START)


@dataclass
class Pac:
    """One connector, its simulator, and the simulator's switches."""

    connector: Connector
    service: str
    simulator: Simulator
    http: aiohttp.ClientSession
    clock: MovableClock
    good: Sample
    of_the_other_kind: Sample

    async def fault(self, *rules: Mapping[str, Any]) -> None:
        """Put these rules in force; one that says nothing else is for this connector's service."""
        body = [{"match": {"service": self.service}, **rule} for rule in rules]
        async with self.http.put(f"{self.simulator.url}/_faults", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def count_logins(self) -> None:
        """From now on `logins` counts, by a delay of nothing."""
        await self.fault({"kind": "delay", "seconds": 0, "match": {"service": "auth"}})

    async def struck(self, rule: int = 0) -> int:
        async with self.http.get(f"{self.simulator.url}/_faults") as answer:
            struck: int = (await answer.json())["rules"][rule]["struck"]
            return struck

    async def received(self) -> Mapping[str, Any]:
        async with self.http.get(f"{self.simulator.url}/_received") as answer:
            found: Mapping[str, Any] = await answer.json()
            return found


@asynccontextmanager
async def running_pac(
    name: str, *, patience: float = 60.0, account: Account | None = None, credentials: Credentials = OPENED_BY
) -> AsyncIterator[Pac]:
    """A simulator on a free port and the connector of that name to it; both go by one clock."""
    clock = MovableClock()
    simulator = await start_simulator(account=account, clock=clock)
    try:
        async with open_http() as http:
            connector = open_connectors(
                sw_services_url=simulator.url,
                sw_api_url=simulator.url,
                sw_credentials=credentials,
                http=http,
                clock=clock,
                timeout=patience,
            )[name]
            kinds = (Kind.CSD, Kind.FIEL) if connector.takes(Kind.CSD) else (Kind.FIEL, Kind.CSD)
            service = "vault" if connector.takes(Kind.CSD) else "efisco"
            good, other = (sample(kind) for kind in kinds)
            yield Pac(connector, service, simulator, http, clock, good, other)
    finally:
        await simulator.stop()
