"""What the simulator remembers, and that it forgets."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from certpipe.simulators.sw import received as module
from certpipe.simulators.sw.bodies import Sent
from certpipe.simulators.sw.certificates import Seen
from certpipe.simulators.sw.received import Received
from schemas.base import Kind

AT = datetime(2026, 1, 1, tzinfo=UTC)
SENT = Sent(certificate=b"cer", private_key=b"key", password="contraseña")


def seen(number: str) -> Seen:
    return Seen(number, "EKU9003173C9", "X", Kind.CSD, AT, AT, sha256(b"cer").hexdigest())


def holding(*numbers: str) -> Received:
    received = Received()
    for number in numbers:
        received.add(service="vault", seen=seen(number), sent=SENT, at=AT)
    return received


def test_it_keeps_hashes_and_the_passwords_is_of_its_utf8_bytes() -> None:
    (item,) = holding("1").view()["items"]
    assert item["sha256"] == {
        "certificate": sha256(b"cer").hexdigest(),
        "private_key": sha256(b"key").hexdigest(),
        "password": sha256("contraseña".encode()).hexdigest(),
    }
    assert (item["at"], item["kind"], item["service"]) == ("2026-01-01T00:00:00+00:00", "csd", "vault")


def test_it_counts_what_came_again() -> None:
    received = holding("1", "2", "1", "1")
    assert (received.view()["total"], received.view()["duplicates"]) == (4, 2)
    assert received.view("1")["duplicates"] == 2
    assert received.view("2")["duplicates"] == 0
    assert received.view("3")["items"] == []


def test_the_oldest_go_first_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RECEIPTS", 2)
    view = holding("1", "2", "3").view()
    assert (view["total"], view["kept"]) == (3, 2)
    assert [item["number"] for item in view["items"]] == ["2", "3"]


def test_clearing_forgets_everything() -> None:
    received = holding("1")
    received.clear()
    assert received.view() == {"total": 0, "kept": 0, "duplicates": 0, "items": []}
