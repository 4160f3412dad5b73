"""The bytes that a password may stand for: SAT's program encrypts with what its Windows uses, often windows-1252."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST = 1024
"""Characters. SAT's program takes at most 256; anything longer than this is not tried."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of a password. `variant_es`, `variant_en`: how it differs from what was given, or empty."""

    text: str = field(repr=False)
    encoded: bytes = field(repr=False)
    variant_es: str = ""
    variant_en: str = ""


def candidates(password: str) -> Iterator[Candidate]:
    """Exactly as given first, then the likeliest misunderstandings; nothing twice, nothing empty, at most six."""
    if len(password) > LONGEST:
        return
    seen: set[bytes] = {b""}
    cut = password.rstrip("\r\n")
    for text, without_es, without_en in (
        (password, "", ""),
        (cut, "sin el salto de línea final", "without its trailing line break"),
    ):
        composed = unicodedata.normalize("NFC", text)
        for form, codec, name in (
            (text, "utf-8", ""),
            (composed, "utf-8", "NFC"),
            (composed, "cp1252", "windows-1252"),
        ):
            try:
                encoded = form.encode(codec)
            except UnicodeEncodeError:
                continue
            if encoded not in seen:
                seen.add(encoded)
                yield Candidate(form, encoded, _joined(without_es, name, "en "), _joined(without_en, name, "as "))


def readings(password: str) -> list[str]:
    """The different texts among its candidates: usually one."""
    return list(dict.fromkeys(each.text for each in candidates(password)))


def _joined(without: str, name: str, preposition: str) -> str:
    return ", ".join(part for part in (without, preposition + name if name else "") if part)
