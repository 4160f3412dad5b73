"""The PAC is away, hangs, takes and does not say so, asks for patience, or fails every other time."""

from typing import Any, Final

from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario

_FIRST = 0.3
_SECONDS = 15.0
_PATIENCE = 400.0
"""Uploads that failed often wait longer and longer, up to five minutes."""


async def _suffer(rig: Rig, *rules: dict[str, Any], seconds: float = _SECONDS) -> None:
    await rig.at(_FIRST)
    async with rig.fault():
        await rig.pac(*rules)
        await rig.wait(seconds)
        await rig.pac()


async def down(rig: Rig) -> None:
    """It cuts every connection."""
    await _suffer(rig, {"kind": "cut_before_storing"})


async def vault_down(rig: Rig) -> None:
    """One of its two services cuts every connection; the other one goes on."""
    await rig.at(_FIRST)
    async with rig.fault():
        await rig.pac({"kind": "cut_before_storing", "match": {"service": "vault"}})
        await rig.wait(1.0)
        before = await rig.query(_OTHERS)
        await rig.wait(_SECONDS)
        went_on = (await rig.query(_OTHERS))[0]["n"] - before[0]["n"]
        await rig.pac()
    (rig.notes if went_on else rig.hollow).append(f"{went_on} went through the other service meanwhile")


_OTHERS = "SELECT count(*) AS n FROM certpipe.uploads WHERE kind = 'fiel' AND state = 'forwarded'"


async def hangs(rig: Rig) -> None:
    """It takes what is sent, and never answers."""
    await _suffer(rig, {"kind": "hang"}, seconds=40.0)


async def ambiguous(rig: Rig, *, seconds: float = _SECONDS) -> None:
    """Both services store every third certificate, and cut the connection instead of saying so."""
    paths = "/certificates/save", "/gestion/v1/api/certificates/create"
    rules = ({"kind": "cut_after_storing", "match": {"path": path}, "rate": 0.33, "seed": 1} for path in paths)
    await _suffer(rig, *rules, seconds=seconds)


async def busy(rig: Rig) -> None:
    """It answers 429, and when to come again."""
    await _suffer(rig, {"kind": "status", "status": 429, "retry_after": 3})


async def failing(rig: Rig) -> None:
    """It answers every other request by 500."""
    await _suffer(rig, {"kind": "status", "status": 500, "rate": 0.5, "seed": 1})


SCENARIOS: Final = (
    Scenario("pac-down", "the PAC cuts every connection", down, patience=_PATIENCE),
    Scenario(
        "vault-down",
        "one service of the PAC cuts every connection, the other one works",
        vault_down,
        patience=_PATIENCE,
    ),
    Scenario("pac-hangs", "the PAC never answers", hangs, patience=_PATIENCE),
    Scenario("pac-ambiguous", "the PAC stores, and cuts the connection", ambiguous, patience=_PATIENCE),
    Scenario("pac-busy", "the PAC answers 429 with Retry-After", busy, patience=_PATIENCE),
    Scenario("pac-failing", "the PAC answers every other request by 500", failing, patience=_PATIENCE),
)
