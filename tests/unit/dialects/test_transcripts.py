"""The golden transcripts themselves."""

import json

import pytest

from certpipe.dialects import DIALECTS
from tests import transcripts
from tests.golden_schemas import GOLDEN

DOCUMENTED = {"invopop": {204, 400, 404, 422}, "lummy": {200, 400, 404}, "timbrix": {200, 400, 401, 403, 404}}
"""The statuses that a vendor's document names. Invopop's 500 needs a damaged database, and has a test of its own."""


@pytest.mark.parametrize("vendor", DIALECTS)
def test_every_documented_status_has_a_transcript_named_after_it(vendor: str) -> None:
    shown = {each["reply"]["status"] for transcript in transcripts.of(vendor) for each in transcript.exchanges}
    assert shown >= DOCUMENTED[vendor]
    for file in (GOLDEN / vendor).glob("[0-9]*.json"):
        first = json.loads(file.read_text(encoding="utf-8"))["exchanges"][0]
        assert file.name.startswith(str(first["reply"]["status"])), file.name


@pytest.mark.parametrize("vendor", DIALECTS)
def test_no_transcript_says_what_the_replay_does_not_read(vendor: str) -> None:
    for transcript in transcripts.of(vendor):
        for exchange in transcript.exchanges:
            assert exchange.keys() <= {"as", "request", "reply"}
            assert exchange["request"].keys() <= {"method", "path", "headers", "json", "text", "multipart"}
            assert exchange["reply"].keys() <= {"status", "headers", "schema", "body"}
            assert ("body" in exchange["reply"]) == ("schema" in exchange["reply"])
