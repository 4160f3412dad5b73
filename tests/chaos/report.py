"""The table: in JSON, and in Markdown for `docs/chaos.md`."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.scenarios import SCENARIOS
from tests.chaos.verdict import Verdict

_HEAD = (
    *("scenario", "broker", "accepted", "lost", "stuck", "ended twice"),
    *("sent again (CSD vault)", "sent again (Efisco)", "events missing", "other faults"),
    *("uploads/s before", "back after s", "uploads/s after", "seconds", "commit"),
)
_OTHERS = (
    *("broke", "unsent", "hollow", "extra", "unexpected", "repeated", "skipped", "gaps", "untrue", "pac_wrong"),
    *("store_wrong", "dead_wrong", "left", "refused", "bad_exits", "slow"),
)
_INTRODUCTION = """\
# What comes of it when things fail

Written by `make chaos` (`python -m tests.chaos`). Each line is one run: clients send uploads (FIEL and CSD, most of
them for a party of its own, every fifth for one of ten parties that many send to) to certpipe's processes, the fault
happens meanwhile, and a checker compares what the clients were promised with the database, with what the simulated PAC
received, part by part, and with what a receiver of webhooks was told. Every number but *accepted*, *sent again
(Efisco)* and those of the last five columns has to be 0; Efisco can only be asked for a list, page by page, of which
nobody documents the order, so that what it gets twice is counted apart. *Other faults* names what else was found
([verdict.py](../tests/chaos/verdict.py) says what each is): wrong ends, steps left out or taken twice, dead letters
that were no poison, messages left in queues, a fault that did not come about. Moments are chosen by the count of
accepted uploads, and by the seed. A line is of the sources of its commit, checker and all.

*back after s*: seconds from the end of the fault until uploads end at 90 % of the rate from before it for five seconds,
or until all have ended (then *uploads/s after* is `-`). With 10 000 uploads, more than ten seconds count as a fault
(`slow`). `duplicates`, `poison` and the controls last from the first upload to the last, and have no rate before.
Clients send 180 uploads per second (110 in process), three quarters of what this machine does, which also runs the
clients, the PAC, the receiver and the servers; after a fault they catch up.

`make chaos` runs every scenario with 10 000 uploads on every broker that it fits, which takes three hours; one of them:
`make chaos ARGS="--scenario kills --broker rabbitmq310 --uploads 600"`. A run takes the place of the earlier one in the
table, also when it broke. RabbitMQ 4 comes from a tree of Debian 13 under `.cache/chaos/` (root, `debootstrap`).
`make soak HOURS=6` works in peace for so long, and fails when memory, open files or dead rows grow. A short set runs
with `make test`.
"""
_REST = """
Not among them: uploads by AMQP (what producers send, events and replies by AMQP have their tests in
`tests/integration`), signatures of webhooks (likewise), failures of single disks, networks between machines. Silence
lasts fifteen seconds, under a heartbeat of five.
"""


def row(verdict: Mapping[str, Any]) -> Sequence[str]:
    """One line of the table."""
    others = ", ".join(f"{name} {verdict[name]}" for name in _OTHERS if verdict.get(name))
    control = f" (control: has to find {verdict['control']})" if verdict.get("control") else ""
    return [
        f"{verdict['scenario']}{control}",
        *(str(verdict[name]) for name in ("broker", "accepted", "lost", "stuck", "ended_twice")),
        *(str(verdict[name]) for name in ("duplicates", "duplicates_other", "missing")),
        others or "0",
        f"{verdict['rate_before']:.0f}",
        "-" if verdict["recovery_seconds"] is None else f"{verdict['recovery_seconds']:.1f}",
        "-" if verdict["recovery_rate"] is None else f"{verdict['recovery_rate']:.0f}",
        f"{verdict['seconds']:.0f}",
        str(verdict.get("commit") or "-"),
    ]


def merged(file: Path, verdicts: Iterable[Verdict]) -> Sequence[Mapping[str, Any]]:
    """What the file holds, with these in the place of earlier runs of the same; written back."""
    known: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    runs = {(one["scenario"], one["broker"]): one for one in known if one["scenario"] in SCENARIOS}
    for verdict in verdicts:
        told = asdict(verdict)
        told["notes"] = [note[:200] for note in verdict.notes]
        runs[verdict.scenario, verdict.broker] = told
    order = list(SCENARIOS)
    sorted_runs = sorted(runs.values(), key=lambda one: (order.index(one["scenario"]), one["broker"]))
    file.write_text(json.dumps(sorted_runs, indent=1) + "\n", encoding="utf-8")
    return sorted_runs


def markdown(runs: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    lines = [_INTRODUCTION, f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    lines += [f"| {' | '.join(row(one))} |" for one in runs]
    ran = {(one["scenario"], one["broker"]) for one in runs}
    never = [
        f"{s.name} on {broker}"
        for s in SCENARIOS.values()
        for broker in sorted(s.brokers)
        if (s.name, broker) not in ran
    ]
    lines += ["", f"Not run: {', '.join(never)}."] if never else []
    lines += ["", "## The scenarios", ""]
    lines += [f"* `{scenario.name}`: {scenario.about}" for scenario in SCENARIOS.values()]
    lines += [
        _REST,
        f"Measured on {os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}.",
        "",
    ]
    return "\n".join(lines)
