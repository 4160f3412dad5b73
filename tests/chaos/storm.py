"""Many uploads while the process is killed, and a judge who afterwards asks what became of every 202."""

import asyncio
import base64
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from certpipe.core.clock import SystemClock
from tests.installation import Installation

AT_ONCE = 16
SECONDS_TO_END = 180
ENDS = {"upload.rejected", "upload.failed", "upload.superseded", "certificate.forwarded"}
REPEATED = {"upload.retried", "destination.unavailable"}


@dataclass
class Verdict:
    """What the judge found; the first four must be zero."""

    accepted: int = 0
    lost: int = 0
    stuck: int = 0
    ended_twice: int = 0
    skipped: int = 0
    kills: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    stuck_examples: list[Any] = field(default_factory=list)


class Storm:
    """Uploads of the demo pair, each for a party of its own or all for one."""

    def __init__(self, installation: Installation, seed: int) -> None:
        self.installation = installation
        self.chance = random.Random(seed)  # noqa: S311 - a repeatable choice of moments, not a secret
        self.accepted: list[str] = []
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.kills = 0
        folder = installation.folder / "demo"
        self._bundle = {
            "certificate": base64.b64encode((folder / "csd.cer").read_bytes()).decode(),
            "private_key": base64.b64encode((folder / "csd.key").read_bytes()).decode(),
            "password": (folder / "password.txt").read_text(encoding="utf-8"),
            "kind": "csd",
        }

    async def round(self, uploads: int, *, one_party: bool) -> None:
        """Send `uploads`, kill the process at a random one of them, start it again."""
        parties = await self._parties(1 if one_party else uploads)
        kill_at = len(self.accepted) + self.chance.randrange(uploads)
        sending = asyncio.ensure_future(self._send(parties * (uploads // len(parties))))
        watching = asyncio.ensure_future(self._reached(kill_at))
        await asyncio.wait([sending, watching], return_when=asyncio.FIRST_COMPLETED)
        await self.installation.kill()
        self.kills += 1
        await sending
        watching.cancel()
        await self.installation.start()

    async def rain(self, uploads: int) -> None:
        """Send `uploads`, each for a party of its own; return when all are answered or nobody answers any more."""
        await self._send(await self._parties(uploads))

    async def stopped_by(self, number: signal.Signals, uploads: int) -> int:
        """Send `uploads`, ask the process at a random one of them to stop, start it again; the exit code."""
        parties = await self._parties(uploads)
        stop_at = len(self.accepted) + self.chance.randrange(uploads // 4, uploads // 2)
        sending = asyncio.ensure_future(self._send(parties))
        await self._reached(stop_at)
        code = await self.installation.stop(number)
        await sending
        await self.installation.start()
        return code

    async def judge(self) -> Verdict:
        """Wait for every accepted upload's end and look at its history."""
        verdict = Verdict(accepted=len(self.accepted), kills=self.kills)
        gate = asyncio.Semaphore(AT_ONCE)
        deadline = asyncio.get_running_loop().time() + SECONDS_TO_END
        async with self.installation.client() as http:

            async def look(upload_id: str) -> dict[str, Any] | None:
                async with gate:
                    while True:
                        left = int(deadline - asyncio.get_running_loop().time())
                        params = {"wait": str(max(1, min(30, left)))}
                        async with http.get(f"/v1/uploads/{upload_id}", params=params) as answer:
                            if answer.status == 404:
                                return None
                            status: dict[str, Any] = await answer.json()
                        if status["ended"] or left <= 0:
                            return status

            for upload_id, status in zip(self.accepted, await asyncio.gather(*map(look, self.accepted)), strict=True):
                self.histories[upload_id] = [] if status is None else status["history"]
                self._count(verdict, status)
        return verdict

    @staticmethod
    def _count(verdict: Verdict, status: dict[str, Any] | None) -> None:
        if status is None:
            verdict.lost += 1
            return
        types = [entry["type"] for entry in status["history"]]
        ends = sum(kind in ENDS for kind in types)
        verdict.ends[status["state"]] += 1
        verdict.ended_twice += ends > 1
        steps = [kind for kind in types if kind not in REPEATED]
        verdict.skipped += len(set(steps)) != len(steps)
        if not status["ended"]:
            verdict.stuck += 1
            verdict.stuck_examples.append({key: status[key] for key in ("id", "state", "attempt", "history")})

    async def _send(self, parties: list[UUID]) -> None:
        """Until all are sent or the process is gone: then whoever has no 202 has nothing."""
        waiting = iter(parties)

        async def client(http: aiohttp.ClientSession) -> None:
            for party in waiting:
                async with http.post("/v1/uploads", json={**self._bundle, "party_id": str(party)}) as answer:
                    if answer.status == 202:
                        self.accepted.append((await answer.json())["id"])

        async with self.installation.client() as http:
            await asyncio.gather(*(client(http) for _ in range(AT_ONCE)), return_exceptions=True)

    async def _reached(self, count: int) -> None:
        while len(self.accepted) < count:
            await SystemClock().wait(0.005)

    async def _parties(self, count: int) -> list[UUID]:
        ids = [uuid4() for _ in range(count)]
        async with self.installation.client() as http:
            for party in ids:
                body = {
                    "organization_id": str(self.installation.organization_id),
                    "kind": "branch",
                    "rfc": "EKU9003173C9",
                    "name": "Sucursal",
                }
                async with http.put(f"/v1/parties/{party}", json=body) as answer:
                    assert answer.ok, await answer.text()
        return ids
