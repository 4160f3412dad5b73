"""What of a sending needs no socket: opening an endpoint's secrets. The rest is in tests/integration."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from certpipe.core.ids import uuid7
from certpipe.core.ports.webhooks import SealedText, SigningKeys, Target
from certpipe.core.webhook_headers import is_reserved
from certpipe.notify.sending import Sent, Signing
from certpipe.notify.signing import Signer
from schemas.webhooks import AttemptView

AT = datetime(2026, 6, 1, tzinfo=UTC)
CURRENT, PREVIOUS = (SigningKeys(os.urandom(32), os.urandom(32)) for _ in range(2))
HEADERS = {"Authorization": "Bearer top-secret", "Webhook-Id": "theirs", "X-Mine": "mine"}
OPENED: Mapping[str, SigningKeys] = {"current": CURRENT, "previous": PREVIOUS}


class Opener:
    """Opens by the name that stands for what was sealed."""

    def keys(self, endpoint_id: UUID, sealed: SealedText, /) -> SigningKeys:
        assert endpoint_id == ENDPOINT
        return OPENED[sealed.ciphertext.decode()]

    def headers(self, endpoint_id: UUID, sealed: SealedText, /) -> Mapping[str, str]:
        assert (endpoint_id, sealed.ciphertext) == (ENDPOINT, b"headers")
        return HEADERS


ENDPOINT = uuid7()


def sealed(content: str) -> SealedText:
    return SealedText("webhook-1.v1", content.encode())


def target(*, rotated: bool) -> Target:
    return Target(
        id=ENDPOINT,
        version=1,
        changed_at=AT,
        url="https://hooks.example.com/",
        sealed=sealed("current"),
        headers=sealed("headers"),
        previous=sealed("previous") if rotated else None,
        previous_until=AT + timedelta(hours=1) if rotated else None,
        failures=0,
        failing_since=None,
        paused_until=None,
    )


def test_an_endpoint_signs_with_its_current_keys() -> None:
    signing = Signing.of(target(rotated=False), Opener())
    assert signing.signer.headers("evt", AT, b"{}") == Signer(CURRENT).headers("evt", AT, b"{}")


@pytest.mark.parametrize(("minutes", "both"), [(0, True), (59, True), (60, False), (600, False)])
def test_during_the_overlap_it_signs_with_the_previous_ones_too(minutes: int, *, both: bool) -> None:
    at = AT + timedelta(minutes=minutes)
    headers = Signing.of(target(rotated=True), Opener()).signer.headers("evt", at, b"{}")
    assert len(headers["webhook-signature"].split(" ")) == (4 if both else 2)


def test_headers_that_are_ours_are_left_out() -> None:
    assert Signing.of(target(rotated=False), Opener()).headers == {
        "Authorization": "Bearer top-secret",
        "X-Mine": "mine",
    }


@pytest.mark.parametrize("name", ["webhook-id", "WEBHOOK-X", "Host", "content-type", "User-Agent", "Proxy-Connection"])
def test_reserved_names_are_known_in_every_case(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["Authorization", "X-Webhook-Id", "hosts", "webhook"])
def test_other_names_are_the_owners(name: str) -> None:
    assert not is_reserved(name)


def test_what_signs_cannot_be_printed() -> None:
    assert "top-secret" not in repr(Signing.of(target(rotated=True), Opener()))


@pytest.mark.parametrize(
    ("status", "error", "delivered", "gone"),
    [(200, None, True, False), (410, "status", False, True), (None, "timeout", False, False)],
)
def test_what_was_sent_tells_what_matters(
    status: int | None, error: str | None, *, delivered: bool, gone: bool
) -> None:
    sent = Sent(AttemptView(at=AT, status=status, milliseconds=1, error=error))
    assert (sent.delivered, sent.gone) == (delivered, gone)
