"""`certpipe check`: the verdict for people and for programs, and exit codes 0, 1, 2."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from certpipe.cli import app
from certpipe.simulators.authority import PASSWORD, Authority, Issued, Subject, new_key
from schemas.base import Kind

NOW = datetime(2025, 6, 15, tzinfo=UTC)
FACTS = {
    "number", "rfc", "representative_rfc", "legal_name", "branch", "kind", "valid_from", "valid_to", "issuer",
    "environment", "sha256",
}  # fmt: skip

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(at=NOW)


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    return authority.issue(Kind.CSD, Subject(representative_rfc="VADA800927DJ3"), key=new_key())


@pytest.fixture
def folder(tmp_path: Path, authority: Authority, issued: Issued) -> Path:
    """A taxpayer's folder: `a.cer`, `a.key`, `a.txt`, and the authority's `anchors.json`."""
    (tmp_path / "a.cer").write_bytes(issued.bundle.certificate)
    (tmp_path / "a.key").write_bytes(issued.bundle.private_key)
    (tmp_path / "a.txt").write_text(f"{PASSWORD}\n")
    (tmp_path / "anchors.json").write_text(authority.anchors_json())
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `certpipe check` in that folder, with the password by standard input unless there are other arguments."""
    monkeypatch.chdir(folder)
    for name in ("CERTPIPE_SAT_ENVIRONMENT", "CERTPIPE_EXTRA_ANCHORS"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str, password: str | bytes = PASSWORD) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["check", *arguments], input=password)
        return result.exit_code, result.stdout, result.stderr

    return invoke


GOOD = ("a.cer", "a.key", "--anchors", "anchors.json", "--environment", "uat", "--at", "2025-06-15", "--password-stdin")


def test_a_good_pair_is_told_and_ends_with_0(run: Run, issued: Issued) -> None:
    code, out, _ = run(*GOOD, "--kind", "csd", "--rfc", "eku9003173c9")
    assert code == 0
    assert out.startswith("✓ Válido / valid  CSD  EKU9003173C9\n")
    assert issued.number in out


def test_json_has_the_promised_shape(run: Run, issued: Issued) -> None:
    code, out, _ = run(*GOOD, "--json")
    document: dict[str, Any] = json.loads(out)
    assert code == 0
    assert document.keys() == {"verdict", "problems", "warnings", "certificate"}
    assert (document["verdict"], document["problems"], document["warnings"]) == ("valid", [], [])
    certificate = document["certificate"]
    assert certificate.keys() == FACTS
    assert certificate["number"] == issued.number
    assert (certificate["kind"], certificate["environment"]) == ("csd", "uat")
    assert certificate["valid_from"].endswith("Z")
    assert datetime.fromisoformat(certificate["valid_to"]) > NOW


def test_every_fault_is_told_and_ends_with_1(run: Run) -> None:
    code, out, _ = run(*GOOD, "--json", "--kind", "fiel", "--at", "2040-01-01T00:00:00-06:00", password="wrong")
    document = json.loads(out)
    assert code == 1
    assert document["verdict"] == "rejected"
    assert [fault["code"] for fault in document["problems"]] == ["wrong_password", "wrong_kind_csd", "expired"]
    assert all(fault.keys() == {"code", "field", "message_es", "message_en", "hint"} for fault in document["problems"])


def test_people_read_both_languages_and_what_helps(run: Run) -> None:
    code, out, _ = run(*GOOD, password="wrong")
    assert code == 1
    assert "✗ Rechazado / rejected" in out
    assert "La contraseña de la llave privada es incorrecta [wrong_password, password]" in out
    assert "The password of the private key is wrong" in out
    assert "→" in out


def test_an_unreadable_certificate_has_null_facts(run: Run, folder: Path) -> None:
    (folder / "a.cer").write_bytes(b"nothing that could be read")
    code, out, _ = run(*GOOD, "--json")
    document = json.loads(out)
    assert code == 1
    assert [fault["code"] for fault in document["problems"]] == ["cer_unreadable"]
    assert set(document["certificate"].values()) == {None}


@pytest.mark.parametrize(("content", "fault"), [(b"", "empty_file"), (b"x" * 70_000, "file_too_large")])
def test_an_empty_or_a_huge_file_is_a_verdict(run: Run, folder: Path, content: bytes, fault: str) -> None:
    (folder / "a.key").write_bytes(content)
    code, out, _ = run(*GOOD, "--json")
    assert (code, [each["code"] for each in json.loads(out)["problems"]]) == (1, [fault])


def test_the_packaged_authorities_do_not_know_the_simulated_one(run: Run) -> None:
    code, out, _ = run("a.cer", "a.key", "--at", "2025-06-15", "--password-stdin", "--json")
    assert code == 1
    assert [fault["code"] for fault in json.loads(out)["problems"]] == ["not_issued_by_sat"]


def test_production_is_what_is_meant_unless_told_otherwise(run: Run) -> None:
    arguments = ("a.cer", "a.key", "--anchors", "anchors.json", "--at", "2025-06-15", "--password-stdin", "--json")
    _, out, _ = run(*arguments)
    assert [fault["code"] for fault in json.loads(out)["problems"]] == ["wrong_environment"]


def test_the_password_comes_from_a_file(run: Run) -> None:
    code, _, _ = run(*GOOD[:-1], "--password-file", "a.txt")
    assert code == 0


def test_a_windows_1252_password_comes_through(run: Run, folder: Path, authority: Authority, issued: Issued) -> None:
    again = authority.issue(Kind.CSD, password="contraseña".encode("cp1252"), key=issued.key)
    (folder / "a.cer").write_bytes(again.bundle.certificate)
    (folder / "a.key").write_bytes(again.bundle.private_key)
    for password in ("contraseña".encode(), "contraseña".encode("cp1252")):
        code, out, _ = run(*GOOD, password=password)
        assert code == 0
        assert "windows-1252" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "CER"),
        (("a.cer",), "KEY"),
        (("b.cer", "a.key", "--password-stdin"), "b.cer does not exist"),
        ((".", "a.key", "--password-stdin"), "is a folder"),
        ((*GOOD, "--kind", "fiels"), "--kind"),
        ((*GOOD, "--rfc", "ABC"), "--rfc"),
        ((*GOOD, "--at", "yesterday"), "--at"),
        ((*GOOD, "--at", "2025-02-30"), "--at"),
        ((*GOOD, "--at", "0001-01-01T00:00:00+10:00"), "--at"),
        ((*GOOD, "--environment", "test"), "--environment"),
        ((*GOOD, "--anchors", "a.key"), "a.key"),
        ((*GOOD, "--anchors", "a.txt"), "a.txt"),
        ((*GOOD, "--password-file", "a.txt"), "--password-file"),
        ((*GOOD[:-1], "--password-file", "none.txt"), "none.txt"),
        ((*GOOD[:-1],), "--password-stdin"),
        ((*GOOD, "--password", "x"), "--password"),
        ((*GOOD, "third"), "third"),
    ],
)
def test_wrong_use_is_said_and_ends_with_2(run: Run, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


def test_an_empty_password_is_wrong_use(run: Run) -> None:
    code, _, err = run(*GOOD, password="\n")
    assert code == 2
    assert "vacía" in err


def test_no_output_holds_the_password(run: Run) -> None:
    for arguments in (GOOD, (*GOOD, "--json")):
        _, out, err = run(*arguments, password="hunter2hunter2")
        assert "hunter2" not in out + err
