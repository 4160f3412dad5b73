"""`python -m bench`: the whole benchmark, in one run that ends by itself."""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from bench import arms, doors, grounds, latency
from bench.about import about
from bench.children import ROOT
from bench.report import Report, aligned, markdown
from bench.rounds import WARM_UP, Round, measure


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, the uploads of each contender in a round, requests on the idle system.

    `seconds`: no further round begins when it would end later than this.
    """

    rounds: int
    seconds: float
    certpipe: int
    skipped: int
    checked: int
    requests: int


WHOLE: Final = Plan(rounds=5, seconds=500, certpipe=4_000, skipped=600, checked=200, requests=200)
QUICK: Final = Plan(rounds=2, seconds=90, certpipe=1_500, skipped=150, checked=50, requests=60)


async def run(plan: Plan, layout: str, python: Path, command: str) -> Report:
    """Measure everything."""
    contenders = [
        (arms.certpipe(layout), plan.certpipe),
        (arms.chain(skip_key_check=False), plan.checked),
        (arms.chain(skip_key_check=True), plan.skipped),
    ]
    each = plan.certpipe + WARM_UP
    parties = plan.rounds * each + plan.requests + latency.WARM_UP + doors.parties(2 * plan.requests)
    with tempfile.TemporaryDirectory(prefix="certpipe-bench-") as folder:
        async with grounds.opened(Path(folder), python, parties=parties) as ground:
            facts = await about(ground, command, layout)
            rounds: list[Round] = []
            began = monotonic()
            for number in range(plan.rounds):
                if number and (monotonic() - began) * (number + 1) / number > plan.seconds:
                    break
                for arm, uploads in contenders:
                    rounds.append(await measure(arm, ground, uploads=uploads, first_party=number * each))
                    _tell(number, rounds[-1])
            last = plan.rounds * each
            idle = [
                await latency.on_rabbitmq(ground, layout, requests=plan.requests, first_party=last),
                await latency.in_process(ground, requests=plan.requests),
            ]
            behind = last + plan.requests + latency.WARM_UP
            busy = await doors.measure(ground, layout, requests=2 * plan.requests, first_party=behind)
    return Report(facts, rounds, idle, busy)


def _tell(number: int, one: Round) -> None:
    say(f"round {number + 1}: {one.arm}: {one.rate:.1f} uploads/s ({one.uploads} in {one.seconds:.1f} s)")


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Parse, run, write `bench/results.json` and `docs/benchmark.md`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, in under three minutes")
    parser.add_argument("--layout", choices=arms.LAYOUTS, default="per-stage", help="certpipe's processes")
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".venv-bench/bin/python", help="has Celery")
    chosen = parser.parse_args()
    if not chosen.peer_python.exists():
        parser.error(f"{chosen.peer_python} is missing: `make bench` makes it")
    plan = QUICK if chosen.quick else WHOLE
    command = " ".join(["python -m bench", *sys.argv[1:]])
    report = asyncio.run(run(plan, chosen.layout, chosen.peer_python, command))
    for rows in report.tables():
        say(f"\n{aligned(rows)}")
    (ROOT / "bench" / "results.json").write_text(report.json(), encoding="utf-8")
    (ROOT / "docs" / "benchmark.md").write_text(markdown(report), encoding="utf-8")


if __name__ == "__main__":
    main()
