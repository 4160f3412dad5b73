import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from certpipe.cli.keys import app


def keys(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    assert keys("init", "--keys-dir", path).exit_code == 0
    return path


def test_init_names_what_it_made_and_the_second_time_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = json.loads(keys("init", "--keys-dir", path, "--json").stdout)
    assert sorted(first["made"]) == sorted(file.name for file in path.iterdir())
    assert json.loads(keys("init", "--keys-dir", path, "--json").stdout)["made"] == []
    assert "nothing is missing" in keys("init", "--keys-dir", path).stdout


def test_the_folder_comes_from_the_settings_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CERTPIPE_KEYS_DIR", raising=False)
    monkeypatch.setenv("CERTPIPE_DATA_DIR", str(tmp_path))
    assert keys("init").exit_code == 0
    assert (tmp_path / "keys" / "sealing-keys.json").exists()


def test_list_tells_kid_kind_version_created_and_mode(folder: Path) -> None:
    listed = json.loads(keys("list", "--keys-dir", folder, "--json").stdout)
    assert {row["kind"] for row in listed["keys"]} == {"intake", "wrapping", "fingerprint", "webhook"}
    for row in listed["keys"]:
        assert (folder / f"{row['kid']}.key").exists()
        assert (row["version"], row["mode"], row["problem"]) == (1, "0600", None)
        assert row["created"].endswith("Z")
    assert listed["problems"] == []


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["table", "json"])
def test_neither_command_prints_key_material(folder: Path, as_json: tuple[str, ...]) -> None:
    shown = keys("init", "--keys-dir", folder, *as_json).output + keys("list", "--keys-dir", folder, *as_json).output
    for file in folder.glob("*.key"):
        assert file.read_bytes().hex() not in shown
        assert file.stem in shown


def test_list_names_each_file_that_is_not_as_it_must_be_and_exits_1(folder: Path) -> None:
    (intake,) = folder.glob("intake-*")
    (wrapping,) = folder.glob("wrapping-*")
    intake.chmod(0o644)
    wrapping.write_bytes(b"short")
    (folder / "sealing-keys.json").chmod(0o666)
    (folder / "webhook-key.json").unlink()
    folder.chmod(0o777)
    result = keys("list", "--keys-dir", folder)
    assert result.exit_code == 1
    for remedy in (
        f"chmod 600 {intake}",
        f"{wrapping}: a key has 32 bytes",
        f"chmod 700 {folder}",
        "chmod 644",
        "webhook-key.json: missing",
    ):
        assert remedy in result.stderr


@pytest.mark.parametrize("command", ["init", "list"])
def test_a_folder_that_cannot_be_used_is_told_without_a_traceback(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    result = keys(command, "--keys-dir", tmp_path / "file")
    assert result.exit_code == 2
    assert "keys init" in result.stderr
    assert "Traceback" not in result.output
