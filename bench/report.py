"""What one run found: medians and ratios, as a table for the terminal, as JSON, as Markdown."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.doors import Doors
from bench.latency import Latency
from bench.rounds import Round

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """Rounds in the order in which they ran, latencies, and where and with what they were measured."""

    about: Mapping[str, str]
    rounds: Sequence[Round]
    latencies: Sequence[Latency]
    doors: Doors | None = None

    @property
    def arms(self) -> Sequence[str]:
        """The contenders, certpipe first."""
        return list(dict.fromkeys(one.arm for one in self.rounds))

    def rates(self, arm: str) -> Sequence[float]:
        """Uploads a second, one per round."""
        return [one.rate for one in self.rounds if one.arm == arm]

    def ratios(self) -> Mapping[str, float]:
        """How many times faster the first is than each of the others: the median of the rounds' own ratios.

        A round's contenders run one after the other, so that what the machine does besides meets them all.
        """
        first, *others = self.arms
        return {
            other: median(ours / theirs for ours, theirs in zip(self.rates(first), self.rates(other), strict=True))
            for other in others
        }

    def cpu_ms(self, arm: str) -> Mapping[str, float]:
        """Milliseconds of CPU per upload, by process: the median of the rounds."""
        rounds = [one.cpu_ms for one in self.rounds if one.arm == arm]
        return {name: median(one[name] for one in rounds) for name in rounds[0]}

    def document(self) -> Mapping[str, Any]:
        """Everything, for programs."""
        return {
            "about": self.about,
            "ratios": self.ratios(),
            "uploads_per_second": {arm: median(self.rates(arm)) for arm in self.arms},
            "cpu_ms_per_upload": {arm: self.cpu_ms(arm) for arm in self.arms},
            "latency_ms": [asdict(one) for one in self.latencies],
            "doors": self.doors and asdict(self.doors),
            "rounds": [asdict(one) for one in self.rounds],
        }

    def json(self) -> str:
        """As text."""
        return json.dumps(self.document(), indent=1) + "\n"

    def speeds(self) -> Sequence[Row]:
        """A row per contender under a heading."""
        ours = sum(self.cpu_ms(self.arms[0]).values())
        rows: list[Row] = [("contender", "uploads/s", "least", "most", "certpipe is", "CPU ms/upload", "of certpipe's")]
        for arm in self.arms:
            rates, cpu = self.rates(arm), sum(self.cpu_ms(arm).values())
            times = f"{self.ratios()[arm]:.1f}x" if arm in self.ratios() else ""
            speeds = (f"{rate:.1f}" for rate in (median(rates), min(rates), max(rates)))
            rows.append((arm, *speeds, times, f"{cpu:.2f}", f"{cpu / ours:.1f}x"))
        return rows

    def delays(self) -> Sequence[Row]:
        """A row per broker under a heading; milliseconds."""
        return [
            ("idle, request to forwarded", "p50 ms", "p99 ms", "p50 ms by the row", "p99 ms by the row"),
            *(
                (one.broker, *(f"{ms:.1f}" for ms in (one.client_p50, one.client_p99, one.row_p50, one.row_p99)))
                for one in self.latencies
            ),
        ]

    def tables(self) -> Sequence[Sequence[Row]]:
        """All of them."""
        doors = (self.doors.speeds(), self.doors.costs()) if self.doors else ()
        return [self.speeds(), self.delays(), *doors, self.processes()]

    def processes(self) -> Sequence[Row]:
        """A row per contender and process under a heading."""
        rows = [("contender", "process", "CPU ms/upload")]
        return rows + [(arm, name, f"{ms:.3f}") for arm in self.arms for name, ms in self.cpu_ms(arm).items()]


def aligned(rows: Sequence[Row]) -> str:
    """A table for the terminal."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join((lines[0], "-" * len(lines[0]), *lines[1:], ""))


def markdown(report: Report) -> str:
    """The page `docs/benchmark.md`."""
    about = "\n".join(f"* {name}: {value}" for name, value in report.about.items())
    tables = "\n".join(table(rows) for rows in report.tables())
    return _PAGE.format(about=about, tables=tables)


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join((head, "|---" * len(rows[0]) + "|", *body, ""))


_PAGE = """\
# Benchmark

Written by `make bench`; do not edit. One run on one machine, over loopback alone. The contenders take turns, and
a ratio is the median of the rounds' own ratios. On a machine that is busy with something else the speeds, and with them
the ratios, move a good deal (whoever has more processes gets more of it); CPU per upload moves least.

Webhooks are measured by themselves: [benchmark-webhooks.md](benchmark-webhooks.md).

{about}

## What is measured

The same real work for each: prove the bundle, envelope-encrypt its parts, store it as the party's active certificate,
hand it to the simulated PAC over HTTP and read it back there. Every state is committed to a PostgreSQL that waits for
the disk, every message is durable and confirmed. Uploads a second are counted from the first one accepted to the last
one forwarded, with the feeding process on the same machine, after a warm-up. A round fails unless each of its uploads
arrived at the PAC exactly once.

* **certpipe**: its own intake seals, commits and dispatches; workers with all four stages, and the sweeper. On top of
  the work above, every bundle is sealed, every step has its event, and the intent to send is on record before sending.
* **celery, full check**: a chain of four tasks, prefork, as many processes as cores, `acks_late`, confirmed publishing;
  the key is loaded with the library's own check.
* **celery, check skipped**: the same with `unsafe_skip_rsa_key_validation=True`, and a signature made and verified.
  That is no proof: a key whose CRT numbers are damaged passes.

The doors are measured with the same workers: 32 clients, each sending its next request when it has the last one's
answer; every upload to a party of its own. The cost of a body is the CPU of the ingress process with no worker running.

{tables}"""
