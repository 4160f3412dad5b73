"""SAT's authorities: those that are packaged, more that are added, and files that are not what they should be."""

import json
from importlib import resources
from pathlib import Path

import pytest

from certpipe.sat import certificate as certificates
from certpipe.sat import trust
from certpipe.sat.trust import Anchors, AnchorsError, Environment
from certpipe.simulators.authority import Authority, Issued


def test_the_packaged_authorities_are_all_there() -> None:
    anchors = [anchor for found in Anchors.packaged().by_name.values() for anchor in found]
    issuing = {anchor.label for anchor in anchors if anchor.issues}
    assert {f"SAT AC{number}" for number in (2, 3, 4, 5, 6, 7)} <= issuing
    assert {"SAT UAT AC 2018", "SAT UAT AC 2022"} <= issuing
    assert not any(anchor.issues for anchor in anchors if anchor.label.startswith("Banxico"))
    assert {anchor.environment for anchor in anchors} == set(Environment)


def test_added_authorities_leave_the_first_set_as_it_was(authority: Authority) -> None:
    packaged = Anchors.packaged()
    more = packaged.with_extra(authority.anchors_json())
    assert authority.name_der in more.by_name
    assert authority.name_der not in packaged.by_name
    assert packaged.with_extra([authority.anchor()]).by_name.keys() == more.by_name.keys()
    assert packaged.with_extra(json.dumps([authority.anchor()])).by_name.keys() == more.by_name.keys()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "7", '{"anchors": {}}', '[{"label": "x"}]', "[7]", "[" * 100_000]
)
def test_a_file_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(AnchorsError):
        Anchors.packaged().with_extra(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment", "staging"),
        ("spki_der", "AAAA"),
        ("spki_der", "ñ"),
        ("not_before", "soon"),
        ("subject_der", None),
    ],
)
def test_a_damaged_entry_is_named_by_its_place(authority: Authority, name: str, value: object) -> None:
    with pytest.raises(AnchorsError, match="entry 2"):
        Anchors.packaged().with_extra([authority.anchor(), {**authority.anchor(), name: value}])


@pytest.mark.parametrize("content", [None, b"\xff", b"{}", b'{"anchors": [{}]}'])
def test_missing_or_damaged_packaged_anchors_name_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "anchors.json").write_bytes(content)
    monkeypatch.setattr(trust, "files", lambda _package: tmp_path)
    with pytest.raises(AnchorsError, match="reinstall certpipe"):
        Anchors.packaged()


def test_the_packaged_file_is_data_of_the_package() -> None:
    assert resources.files("certpipe.sat").joinpath("anchors.json").is_file()


def test_a_root_issues_to_nobody(authority: Authority, csd: Issued) -> None:
    root = Anchors.packaged().with_extra([authority.anchor() | {"role": "root"}])
    assert root.issuer_of(certificates.read(csd.bundle.certificate)) is None
