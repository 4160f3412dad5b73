"""Whatever way our request is quoted, nobody is told what was in it."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from certpipe.core.bundle import Bundle
from certpipe.core.discretion import CUT, discreet

PASSWORD = "Ñ\"a\\b/c <&+'ñ😀 z"
KEY = bytes(range(256)) * 5
NOTATIONS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON in ASCII": lambda text: json.dumps(text)[1:-1],
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON by numbers in capitals": lambda text: "".join(
        f"\\u{unit:04X}" for unit in memoryview(text.encode("utf-16-le")).cast("H")
    ),
    "a URL": quote,
    "a form": quote_plus,
    "a form in small letters": lambda text: "".join(
        each if each.isascii() and each.isalnum() else quote_plus(each).lower() for each in text
    ),
    "HTML": html.escape,
    "HTML in ASCII": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace").decode(),
    "HTML by numbers": lambda text: "".join(f"&#x{ord(each):X};" for each in text),
}


@pytest.mark.parametrize("notation", NOTATIONS.values(), ids=NOTATIONS)
def test_a_password_is_struck_out_in_every_notation(notation: Callable[[str], str]) -> None:
    bundle = Bundle(certificate=b"cer", private_key=KEY, password=PASSWORD)
    assert discreet(f"bad: {notation(PASSWORD)}, folio 12345", bundle) == "bad: […], folio 12345"


@pytest.mark.parametrize("notation", NOTATIONS.values(), ids=NOTATIONS)
def test_so_is_base64_that_is_long_enough_to_be_of_a_key(notation: Callable[[str], str]) -> None:
    bundle = Bundle(certificate=b"cer", private_key=KEY, password=PASSWORD)
    said = notation(base64.b64encode(KEY[:-1]).decode())
    assert discreet(f"bad: {said} folio 12345", bundle) == "bad: […] folio 12345"


@pytest.mark.parametrize("notation", NOTATIONS.values(), ids=NOTATIONS)
def test_so_is_the_beginning_of_a_password_where_the_words_were_cut(notation: Callable[[str], str]) -> None:
    bundle = Bundle(certificate=b"cer", private_key=KEY, password=PASSWORD)
    for said in (PASSWORD, PASSWORD[:-1], PASSWORD[:1]):
        assert discreet(f"bad: {notation(said)}{CUT}", bundle) == f"bad: […]{CUT}"
    said = notation(PASSWORD)
    for size in range(12, len(said)):
        head, _, left = discreet(f"bad: {said[:size]}{CUT}", bundle).partition("[…]")
        assert head == "bad: "
        assert len(left) <= len(f"&#x1f600{CUT}"), "more than one escape that was cut"
    assert discreet(f"bad: 12345{CUT}", bundle) == f"bad: 12345{CUT}"


@pytest.mark.parametrize("password", ["", "a.c", "[", "\ud800", "\n", "\\" * 500])
def test_no_password_spoils_other_words(password: str) -> None:
    words = "CSD abc 30001000000500003416 100% \\u00 &#x; &nada; \\\\ vencido"
    assert discreet(words, Bundle(certificate=b"cer", private_key=KEY, password=password)) == words
