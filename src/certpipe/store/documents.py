"""What goes into `jsonb` and comes out again.

The driver passes jsonb as text, so that pydantic alone reads and writes it, once.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter

from certpipe.core.problems import Problem
from schemas.dead import LetterAct
from schemas.status import CertificateFacts, HistoryEntry, ProblemView, ReceiptView
from schemas.webhooks import AttemptView

_FACTS = TypeAdapter(CertificateFacts)
_PROBLEMS = TypeAdapter(tuple[ProblemView, ...])
_HISTORY = TypeAdapter(tuple[HistoryEntry, ...])
_RECEIPTS = TypeAdapter(tuple[ReceiptView, ...])
_ATTEMPTS = TypeAdapter(tuple[AttemptView, ...])
_ACTS = TypeAdapter(tuple[LetterAct, ...])
_DOCUMENT = TypeAdapter(dict[str, Any])

T = TypeVar("T")


def facts_text(facts: CertificateFacts) -> str:
    """The facts as JSON text."""
    return _text(_FACTS, facts)


def problems_text(problems: Sequence[Problem]) -> str | None:
    """The problems as JSON text; None for no problems."""
    return view_texts(tuple(problem.view() for problem in problems))


def view_texts(views: tuple[ProblemView, ...]) -> str | None:
    """Problems as they are shown, likewise."""
    return _text(_PROBLEMS, views) if views else None


def facts_of(text: str | None) -> CertificateFacts:
    """The facts again; all null where nothing was read."""
    return CertificateFacts() if text is None else _read(_FACTS, text)


def views_of(text: str | None) -> tuple[ProblemView, ...]:
    """The problems as they are shown."""
    return () if text is None else _read(_PROBLEMS, text)


def problems_of(text: str | None) -> tuple[Problem, ...]:
    """The problems as the stages know them."""
    return tuple(Problem(**dict(view)) for view in views_of(text))


def history_of(text: str) -> tuple[HistoryEntry, ...]:
    """The steps of an upload."""
    return _read(_HISTORY, text)


def receipts_of(text: str) -> tuple[ReceiptView, ...]:
    """What destinations answered."""
    return _read(_RECEIPTS, text)


def attempt_text(attempt: AttemptView) -> str:
    """An attempt as JSON text, without what PostgreSQL cannot hold of the answer's."""
    excerpt = None if attempt.excerpt is None else storable(attempt.excerpt)
    return attempt.model_copy(update={"excerpt": excerpt}).model_dump_json(exclude_none=True)


def attempts_of(text: str) -> tuple[AttemptView, ...]:
    """The attempts of a delivery."""
    return _read(_ATTEMPTS, text)


def acts_of(text: str) -> tuple[LetterAct, ...]:
    """What was done with a dead letter."""
    return _read(_ACTS, text)


def document_text(document: Mapping[str, Any]) -> str:
    """Any JSON object, from strangers, as JSON text that PostgreSQL can hold."""
    return json.dumps(_clean(dict(document)), allow_nan=False)


def document_of(text: str) -> dict[str, Any]:
    """The object again."""
    return _DOCUMENT.validate_json(text)


def storable(text: str) -> str:
    """The same text without what PostgreSQL cannot hold and strangers may send: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def _read(adapter: TypeAdapter[T], text: str) -> T:
    """Strict but for members that are not known: a newer version may have written them, before this one came back."""
    return adapter.validate_json(text, extra="ignore")


def _text(adapter: TypeAdapter[T], value: T) -> str:
    text = adapter.dump_json(value).decode()
    if "\\u0000" not in text:
        return text
    return adapter.dump_json(adapter.validate_python(_clean(adapter.dump_python(value)))).decode()


def _clean(value: object) -> object:
    match value:
        case str():
            return storable(value)
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case tuple() | list():
            return [_clean(item) for item in value]
        case _:
            return value
