"""`python -m tests.chaos`: every scenario on every broker, and the table of what came of it. It ends by itself."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from certpipe.development.postgres import EmbeddedPostgres
from tests.chaos import report
from tests.chaos.brokers import BROKERS, Broker
from tests.chaos.running import commit, run
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.soak import soak
from tests.chaos.verdict import Verdict
from tests.installation import ROOT

RESULTS = ROOT / "tests" / "chaos" / "results.json"
TABLE = ROOT / "docs" / "chaos.md"


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def chaos(scenarios: Sequence[Scenario], brokers: Sequence[str], uploads: int, seed: int, out: Path) -> int:
    """Run them, broker by broker; how many did not keep what was promised."""
    folder = Path(tempfile.mkdtemp(prefix="certpipe-chaos-postgres-"))
    postgres = EmbeddedPostgres(folder, owner=os.getpid())
    bad = 0
    try:
        for name in brokers:
            wanted = [scenario for scenario in scenarios if name in scenario.brokers]
            broker = BROKERS[name]() if wanted else None
            try:
                for scenario in wanted:
                    assert broker is not None
                    bad += not await one(scenario, broker, postgres, uploads=uploads, seed=seed, out=out)
            finally:
                if broker is not None:
                    await broker.close()
    finally:
        postgres.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return bad


async def one(
    scenario: Scenario, broker: Broker, postgres: EmbeddedPostgres, *, uploads: int, seed: int, out: Path
) -> bool:
    """Run it, tell, and write it down; whether all was well. A scenario that breaks must not take the others along."""
    try:
        verdict = await run(scenario, broker, postgres, uploads=uploads, seed=seed)
    except Exception:  # noqa: BLE001 - whatever it was, it is told, and counts as bad
        say(f"BAD  {scenario.name} on {broker.name} broke:\n{traceback.format_exc()}")
        verdict = Verdict(scenario.name, broker.name, seed, uploads, broke=1, commit=await commit())
    tell(verdict)
    runs = report.merged(out, [verdict])
    TABLE.write_text(report.markdown(runs), encoding="utf-8")
    return verdict.good


def tell(verdict: Verdict) -> None:
    """One line, and more where something is wrong."""
    faults = ", ".join(f"{name} {value}" for name, value in verdict.faults.items())
    back = "never" if verdict.recovery_seconds is None else f"after {verdict.recovery_seconds:.1f} s"
    say(
        f"{'good' if verdict.good else 'BAD ':4} {verdict.scenario:16} {verdict.broker:12} {verdict.accepted:6} in"
        f" {verdict.ends} sent again {verdict.duplicates}+{verdict.duplicates_other}, {verdict.deaths} deaths,"
        f" {verdict.rate_before:.0f}/s before, back {back} at {verdict.recovery_rate or 0:.0f}/s,"
        f" {verdict.seconds:.0f} s {faults}"
    )
    for note in verdict.notes:
        say(f"     {note}")


def main() -> None:
    """Parse, run, write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one (may be repeated)")
    parser.add_argument("--broker", action="append", choices=list(BROKERS), help="only on this one (may be repeated)")
    parser.add_argument("--uploads", type=int, default=10_000, help="in each run")
    parser.add_argument("--seed", type=int, default=20_261_130, help="the same seed, the same moments")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results, in JSON")
    parser.add_argument("--soak", type=float, metavar="HOURS", help="work in peace for so long, and watch what grows")
    chosen = parser.parse_args()
    if chosen.soak:
        sys.exit(asyncio.run(soak(chosen.soak, chosen.broker or ["inprocess"], say)))
    scenarios = [SCENARIOS[name] for name in chosen.scenario or SCENARIOS]
    brokers = chosen.broker or list(BROKERS)
    sys.exit(min(1, asyncio.run(chaos(scenarios, brokers, chosen.uploads, chosen.seed, chosen.out))))


if __name__ == "__main__":
    main()
