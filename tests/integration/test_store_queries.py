"""Every named query is valid SQL, and reads no table as a whole, even planned while the tables were empty."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from certpipe.store.named import queries
from tests.integration.storehouse import storehouse

FILES = (
    "backlog",
    "cursors",
    "dead",
    "deliveries",
    "directory",
    "endpoints",
    "feed",
    "hints",
    "intake",
    "load",
    "log",
    "removal",
    "senders",
    "services",
    "settle",
    "statuses",
    "suspects",
    "tickets",
)
FRAGMENTS = {
    "defects",
    "held",
    "as_asked",
    "newest_wins",
    "by_destination",
    "moved",
    "upload_columns",
    "event_columns",
    "its_upload",
    "columns",
    "entry",
    "letter_columns",
}
UTILITY = {"relax"}

WHOLE = {"all", "(due_at IS NOT NULL)"}
READS_AN_INDEX_WHOLE = {("backlog", "due"), ("backlog", "depth"), ("feed", "place")}  # `due`: its first entry alone


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def test_the_files_tested_here_are_all_there_are() -> None:
    found = {entry.name.removesuffix(".sql") for entry in (files("certpipe.store") / "queries").iterdir()}
    assert found == {*FILES, "migrate"}


@pytest.mark.parametrize("file", FILES)
async def test_no_query_reads_a_whole_table(file: str, database_url: str) -> None:
    async with storehouse(database_url) as house, house.database.transaction() as session:
        await session.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for name, sql in queries(file).items():
            if name in FRAGMENTS | UTILITY:
                continue
            statement = await session.prepare(sql)
            nothing = ", ".join(["NULL"] * len(statement.get_parameters()))
            await session.execute(f"PREPARE {name} AS {sql}")
            plan = await session.fetchval(
                f"EXPLAIN (FORMAT JSON) EXECUTE {name}" + (f" ({nothing})" if nothing else "")
            )
            for node in _nodes(json.loads(plan)[0]["Plan"]):
                relation = node.get("Relation Name")
                if relation in {None, "services"} or node["Node Type"] == "ModifyTable":  # services are a handful
                    continue
                told = f"{file}/{name}: {node['Node Type']} on {relation}"
                assert node["Node Type"] != "Seq Scan", told
                condition = node.get("Index Cond") or node.get("Recheck Cond") or "all"
                assert (file, name) in READS_AN_INDEX_WHOLE or condition not in WHOLE, told


async def test_due_and_depth_use_the_partial_indexes(database_url: str) -> None:
    wanted = {
        "due": {"uploads_due", "uploads_fair", "uploads_pkey"},
        "depth": {"uploads_fair"},
        "due_already": {"uploads_due", "uploads_fair"},
    }
    async with storehouse(database_url) as house, house.database.transaction() as session:
        for name, indexes in wanted.items():
            sql = queries("backlog")[name].replace("$1", "10").replace("$2", "10")
            plan = json.loads(await session.fetchval(f"EXPLAIN (FORMAT JSON) {sql}"))
            used = {node["Index Name"] for node in _nodes(plan[0]["Plan"]) if "Index Name" in node}
            assert used <= indexes, name


async def test_what_waits_to_be_told_or_sent_is_found_by_what_waits(database_url: str) -> None:
    """And not by what was finished: these indexes have no more than is pending."""
    wanted = {
        ("feed", "place"): {"events_unplaced", "events_pkey", "endpoints_by_organization"},
        ("feed", "claim"): {
            "endpoints_pkey",
            "deliveries_due",
            "deliveries_pkey",
            "events_by_position",
            "uploads_pkey",
            "certificates_pkey",
        },
        ("deliveries", "waiting"): {"deliveries_due", "endpoints_pkey"},
        ("deliveries", "next_due"): {"deliveries_due", "endpoints_pkey"},
        ("services", "probe"): {"uploads_held", "uploads_pkey"},
        ("services", "release"): {"uploads_held_fair", "uploads_pkey"},
        ("services", "release_all"): {"uploads_held", "uploads_pkey"},
        ("services", "release_deserted"): {"uploads_held", "uploads_pkey"},
        ("services", "present"): {"uploads_held_fair"},
        ("services", "shown"): {"uploads_held_fair"},
        ("services", "answered"): {"uploads_held_fair"},
        ("log", "pending"): {"deliveries_due", "deliveries_pkey", "events_by_position"},
        ("log", "failed"): {"deliveries_failed", "events_by_position"},
        ("log", "replay_failed"): {"deliveries_failed", "deliveries_pkey"},
        ("log", "replay_range"): {"events_by_time", "events_by_organization", "endpoints_pkey"},
    }
    async with storehouse(database_url) as house, house.database.transaction() as session:
        await session.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for (file, name), indexes in wanted.items():
            statement = await session.prepare(queries(file)[name])
            nothing = ", ".join(["NULL"] * len(statement.get_parameters()))
            await session.execute(f"PREPARE {file}_{name} AS {queries(file)[name]}")
            plan = await session.fetchval(
                f"EXPLAIN (FORMAT JSON) EXECUTE {file}_{name}" + (f" ({nothing})" if nothing else "")
            )
            used = {node["Index Name"] for node in _nodes(json.loads(plan)[0]["Plan"]) if "Index Name" in node}
            assert used - {"services_pkey"} == indexes, f"{file}/{name}"
