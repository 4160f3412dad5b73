"""A process whose ports pass named points, at one of which it may have to die. Production code knows nothing of it."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, cast

from certpipe.core.clock import SystemClock
from certpipe.core.ports.broker import Delivery, Inbox, Message, Settlement
from certpipe.core.ports.runtime import Ledger, StageStep
from certpipe.process import Process, Service
from certpipe.stages.forward import Forward
from schemas.messages import UploadRef
from schemas.status import Stage
from tests.chaos.mischief import POISON, Mischief


def die() -> None:
    """As a crash does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Points:
    """Counts how often the fatal point was passed."""

    def __init__(self, mischief: Mischief) -> None:
        self._mischief, self._count = mischief, 0

    def passed(self, name: str) -> None:
        if name == self._mischief.die_at:
            self._count += 1
            if self._count == self._mischief.die_after:
                die()

    def around(self, subject: object, method: str, name: str) -> None:
        """Let `subject.method` pass `name.before` and `name.after`."""
        inner = getattr(subject, method)

        async def outer(*arguments: Any, **named: Any) -> Any:
            self.passed(f"{name}.before")
            result = await inner(*arguments, **named)
            self.passed(f"{name}.after")
            return result

        setattr(subject, method, outer)


@dataclass(frozen=True)
class Crooked(Process):
    """A process that does what its mischief says."""

    mischief: Mischief = field(kw_only=True)
    points: Points = field(kw_only=True)

    def worker(self, stage: Stage, step: StageStep[Any, Any], ledger: Ledger[Any, Any], **how: Any) -> Service:
        passing = _PassingLedger(ledger, self.points, forget_intents=self.mischief.forget_intents)
        if isinstance(step, Forward):
            for connector in step.connectors.values():
                self.points.around(connector, "send", f"{connector.name}.send")
        if self.mischief.poison and stage is Stage.VALIDATE:
            step = _poisonable(step)
        return super().worker(stage, step, passing, **how)


def crooked(process: Process, mischief: Mischief) -> Process:
    """The same process, up to mischief."""
    points = Points(mischief)
    for method in ("fetch", "fetchrow", "execute"):
        points.around(process.database, method, "query")
    _pass_acceptance(process, points)
    _pass_commits(process, points)
    _multiply(process, mischief.times)
    points.around(process.broker.publisher, "publish", "publish")
    points.around(process.backlog, "dispatched", "mark")
    _watch_inboxes(process, points, ack_first=mischief.ack_first)
    if (quarantine := getattr(process, "quarantine", None)) is not None:
        _replace(quarantine, "_command", _alone)
    held = {each.name: getattr(process, each.name) for each in fields(process)}
    return Crooked(**held, mischief=mischief, points=points)


def shift_clock(seconds: float) -> None:
    """Let every clock of this process go ahead."""

    def now(_: SystemClock) -> datetime:
        return datetime.now().astimezone() + timedelta(seconds=seconds)

    _replace(SystemClock, "now", now)


def _replace(subject: object, name: str, method: object) -> None:
    setattr(subject, name, method)


def _alone(stage: Stage, ref: UploadRef) -> Sequence[str]:
    """The quarantine's child is up to the same mischief, which it finds in its environment."""
    return [sys.executable, "-m", "tests.chaos.launcher", stage, "--only", f"{ref.id}:{ref.epoch}"]


def _pass_acceptance(process: Process, points: Points) -> None:
    """The one statement that takes uploads in."""
    inner = process.database.fetch

    async def fetch(sql: str, *arguments: object) -> Any:
        accepts = "INSERT INTO certpipe.uploads" in sql
        if accepts:
            points.passed("accept.before")
        rows = await inner(sql, *arguments)
        if accepts:
            points.passed("accept.after")
        return rows

    _replace(process.database, "fetch", fetch)


def _pass_commits(process: Process, points: Points) -> None:
    inner = process.database.transaction

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Any]:
        async with inner() as session:
            yield session
            points.passed("commit.before")
        points.passed("commit.after")

    _replace(process.database, "transaction", transaction)


def _multiply(process: Process, times: int) -> None:
    inner = process.broker.publisher.publish

    async def publish(messages: Sequence[Message], /) -> None:
        await inner([message for message in messages for _ in range(times)])

    if times > 1:
        _replace(process.broker.publisher, "publish", publish)


def _watch_inboxes(process: Process, points: Points, *, ack_first: bool) -> None:
    make = process.broker.inbox

    def inbox(queue: str, *, prefetch: int) -> Inbox:
        made = make(queue, prefetch=prefetch)
        if ack_first:
            _replace(made, "receive", _acknowledging(made, made.receive))
        points.around(made, "settle", "ack")
        return made

    _replace(process.broker, "inbox", inbox)


def _acknowledging(inbox: Inbox, receive: Callable[[int], Any]) -> Callable[[int], Any]:
    settle = inbox.settle

    async def received(limit: int) -> Sequence[Delivery]:
        deliveries = cast("Sequence[Delivery]", await receive(limit))
        await settle(deliveries, Settlement.ACK)
        return deliveries

    return received


def _poisonable(step: StageStep[Any, Any]) -> StageStep[Any, Any]:
    async def poisonable(upload: Any, /) -> Any:
        if (upload.rfc or "").startswith(POISON):
            die()
        return await step(upload)

    return poisonable


class _PassingLedger:
    """A ledger whose reading and writing pass points."""

    def __init__(self, ledger: Ledger[Any, Any], points: Points, *, forget_intents: bool) -> None:
        self._ledger, self._points, self._forget = ledger, points, forget_intents

    async def load(self, refs: Sequence[Any], /) -> Sequence[Any]:
        loaded = await self._ledger.load(refs)
        self._points.passed("load.after")
        if self._forget:
            return [replace(item, upload=replace(item.upload, open_intents=frozenset())) for item in loaded]
        return loaded

    async def settle(self, outcomes: Sequence[Any], /) -> Sequence[Any]:
        self._points.passed("settle.before")
        waiting = await self._ledger.settle(outcomes)
        self._points.passed("settle.after")
        return waiting
