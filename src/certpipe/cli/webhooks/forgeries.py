"""What a receiver is tried with: events that it must take, and forgeries that it must refuse. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from certpipe.core.ids import uuid7
from certpipe.notify.signing import Signer
from schemas.event_examples import example
from schemas.events import Event, EventType

OLD = timedelta(minutes=10)
TOLERANCE = "five minutes"
"""What Standard Webhooks' own libraries allow between `webhook-timestamp` and now."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One request. `good`: whether it must be taken (2xx); else it must be refused (4xx). `mend`: what to look at."""

    name: str
    good: bool
    mend: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def passed(self, status: int | None) -> bool:
        """Whether that status is the right one."""
        return status is not None and status // 100 == (2 if self.good else 4)


def fresh_example(type_: EventType, now: datetime) -> Event:
    """The catalogue's example, as an event of now that no receiver has seen before."""
    event, subject = example(type_), uuid7()
    about = "endpoint_id" if event.data.upload_id is None else "upload_id"
    return event.model_copy(
        update={
            "id": f"evt_{subject.hex}_{event.data.sequence}",
            "timestamp": now,
            "data": event.data.model_copy(update={about: subject}),
        }
    )


def trials(event: Event, signer: Signer, foreign: Signer, now: datetime) -> Iterator[Trial]:
    """What to send, in this order. `foreign` signs with keys that the receiver does not know."""
    body = event.body()
    signed, old = signer.headers(event.id, now, body), signer.headers(event.id, now - OLD, body)
    unsigned = {name: value for name, value in signed.items() if name != "webhook-signature"}
    yield Trial(
        "a signed event is taken",
        good=True,
        mend="verify the signature over the raw body, as it came; give the receiver this secret; answer 2xx, "
        "and do the work afterwards.",
        headers=signed,
        body=body,
    )
    yield Trial(
        "the same event again is taken",
        good=True,
        mend="an event may come twice: answer 2xx also when its webhook-id is known, and do nothing.",
        headers=signed,
        body=body,
    )
    for name, mend, headers, content in (
        ("a changed byte", "verify the raw body, before you parse it.", signed, _changed(body)),
        ("an old timestamp", f"refuse a webhook-timestamp that is more than {TOLERANCE} from now.", old, body),
        ("a foreign secret", "compare with what your own secret gives.", foreign.headers(event.id, now, body), body),
        ("no signature", "refuse what has no webhook-signature.", unsigned, body),
    ):
        yield Trial(f"{name} is refused", good=False, mend=f"{mend} Answer 4xx.", headers=headers, body=content)


def _changed(body: bytes) -> bytes:
    """Still JSON, and still an event: one digit of its time differs."""
    document = json.loads(body)
    last = document["timestamp"].rstrip("Z")[-1]
    at = body.index(document["timestamp"].encode()) + len(document["timestamp"].rstrip("Z")) - 1
    return body[:at] + (b"1" if last == "0" else b"0") + body[at + 1 :]
