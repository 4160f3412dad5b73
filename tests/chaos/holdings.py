"""Afterwards: what the store and the PAC hold, and what they ought to."""

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from tests.chaos.material import Pair
from tests.chaos.verdict import Verdict

_LOOKUP: Final = "vault"
_NEVER_SENT: Final = frozenset({"rejected", "failed"})


def look_at_store(verdict: Verdict, rows: Sequence[Mapping[str, Any]], active: Iterable[Mapping[str, Any]]) -> None:
    """Of each party and kind whose newest upload has ended, that one's certificate is the active one."""
    held = {(one["party_id"], one["kind"]): one["upload_id"] for one in active}
    newest = _newest(rows, "party_id")
    verdict.store_wrong += sum(held.get(slot) != row["id"] for slot, row in newest.items() if row["due_at"] is None)
    verdict.store_wrong += len(held.keys() - newest.keys())


def look_at_pac(
    verdict: Verdict,
    rows: Sequence[Mapping[str, Any]],
    accepted: Mapping[str, Pair],
    received: Iterable[Mapping[str, Any]],
) -> None:
    """Of each certificate one receipt, of what was sent; of each party and kind the newest accepted came last."""
    pairs = {UUID(one): pair for one, pair in accepted.items()}
    numbers_of = {one: pair.number for one, pair in pairs.items()}
    may_be_there = {numbers_of.get(row["id"]): pairs.get(row["id"]) for row in rows if row["state"] not in _NEVER_SENT}
    sent: defaultdict[str, Counter[str]] = defaultdict(Counter)
    holds: dict[tuple[str, str], str] = {}
    for receipt in received:
        number = receipt["number"]
        sent[receipt["service"]][number] += 1
        holds[receipt["rfc"], receipt["kind"]] = number
        pair = may_be_there.get(number)
        verdict.pac_wrong += pair is None or receipt["sha256"] != hashes(pair)
    for service, numbers in sent.items():
        again = numbers.total() - len(numbers)
        if service == _LOOKUP:
            verdict.duplicates += again
        else:
            verdict.duplicates_other += again
    arrived = {number for numbers in sent.values() for number in numbers}
    verdict.pac_wrong += sum(row["state"] == "forwarded" and numbers_of.get(row["id"]) not in arrived for row in rows)
    for slot, row in _newest(rows, "rfc").items():
        wrong = row["state"] != "forwarded" or holds.get(slot) != numbers_of.get(row["id"])
        verdict.pac_wrong += row["due_at"] is None and wrong


def _newest(rows: Iterable[Mapping[str, Any]], whose: str) -> Mapping[tuple[Any, str], Mapping[str, Any]]:
    """By party and kind; `rows` are in the order of acceptance."""
    return {(row[whose], row["kind"]): row for row in rows if row["state"] not in _NEVER_SENT}


def hashes(pair: Pair) -> Mapping[str, str]:
    """As the simulator tells what it got."""
    return {
        "certificate": sha256(base64.b64decode(pair.certificate)).hexdigest(),
        "private_key": _hash_of_key(pair.private_key),
        "password": sha256(pair.password.encode()).hexdigest(),
    }


@cache
def _hash_of_key(private_key: str) -> str:
    return sha256(base64.b64decode(private_key)).hexdigest()
