"""Which dialects are spoken, and what their answers wait for."""

import pytest

from certpipe.core.clock import SystemClock
from certpipe.dialects import DIALECTS
from certpipe.ingress.mounting import Mounted, mounted
from schemas.status import State


def spoken(names: str | None = None, until: str = "") -> list[Mounted]:
    return [*mounted(DIALECTS, clock=SystemClock(), seconds=25, names=names, until=until)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, [*DIALECTS]),
        ("", []),
        ("lummy", ["lummy"]),
        (" timbrix , invopop,", ["timbrix", "invopop"]),
        ("lummy,lummy", ["lummy"]),
    ],
)
def test_all_are_spoken_unless_some_are_named(names: str | None, expected: list[str]) -> None:
    assert [each.dialect.name for each in spoken(names)] == expected


def test_each_waits_for_its_own_state_unless_another_is_named() -> None:
    assert {each.dialect.name: each.until for each in spoken(until="lummy=forwarded, invopop=stored")} == {
        "invopop": State.STORED,
        "lummy": State.FORWARDED,
        "timbrix": State.STORED,
    }


@pytest.mark.parametrize(
    ("names", "until", "told"),
    [
        ("sapien", "", "no dialect `sapien`: there are invopop, lummy, timbrix"),
        (None, "sapien=stored", "no dialect `sapien`"),
        (None, "lummy=validated", "waits for `validated`: they wait for stored or forwarded"),
        (None, "lummy", "`lummy` is not like"),
    ],
)
def test_what_is_not_known_is_told(names: str | None, until: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        spoken(names, until)
