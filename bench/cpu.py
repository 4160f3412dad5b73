"""CPU seconds of whole process trees, from /proc."""

import os
from collections.abc import Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def spent(roots: Mapping[str, int]) -> dict[str, float]:
    """Seconds of user and system time that each tree has used, with what its dead and buried members used."""
    table = _table()
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    return {name: _tree(pid, table, children) for name, pid in roots.items()}


def _tree(root: int, table: Mapping[int, tuple[int, float]], children: Mapping[int, list[int]]) -> float:
    seconds, waiting = 0.0, [root]
    while waiting:
        pid = waiting.pop()
        seconds += table[pid][1] if pid in table else 0.0
        waiting += children.get(pid, [])
    return seconds


def _table() -> dict[int, tuple[int, float]]:
    """For each process its parent, and its seconds with those of the children it has waited for."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended between the two looks
        fields = text.rpartition(")")[2].split()
        found[int(entry.name)] = (int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / TICKS)
    return found
