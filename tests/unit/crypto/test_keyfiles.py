import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from certpipe.crypto.endpoint_opening import HpkeEndpointOpener
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.crypto.keyfiles import KeyFolderError, KeyKind, key_files, load_fingerprint_key, private_files, read_key
from certpipe.crypto.keymaking import init_keys
from certpipe.crypto.keys import open_provider
from certpipe.crypto.keys.local import LocalKeyProvider
from certpipe.crypto.opening import BoxOpener
from certpipe.crypto.sealing import SealingKeys

LOADERS: dict[str, Callable[[Path], object]] = {
    "intake": BoxOpener.from_folder,
    "wrapping": LocalKeyProvider.from_folder,
    "fingerprint": load_fingerprint_key,
    "webhook": HpkeEndpointOpener.from_folder,
}
loading = pytest.mark.parametrize("kind", LOADERS)


def file_of(folder: Path, kind: str) -> Path:
    (path,) = folder.glob(f"{kind}-*.key")
    return path


@loading
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610])
def test_a_key_file_that_others_may_touch_is_refused_with_the_remedy(folder: Path, kind: str, mode: int) -> None:
    path = file_of(folder, kind)
    path.chmod(mode)
    with pytest.raises(KeyFolderError, match="chmod 600") as caught:
        LOADERS[kind](folder)
    assert f"chmod 600 {path}" in str(caught.value)


@loading
@pytest.mark.parametrize("length", [0, 31, 33, 4_096])
def test_a_key_file_of_another_length_is_refused_and_not_quoted(folder: Path, kind: str, length: int) -> None:
    path = file_of(folder, kind)
    path.write_bytes(b"K" * length)
    with pytest.raises(KeyFolderError, match="32 bytes") as caught:
        LOADERS[kind](folder)
    assert str(path) in str(caught.value)
    assert "KKKK" not in str(caught.value)


@loading
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_another_user_is_refused(folder: Path, kind: str) -> None:
    path = file_of(folder, kind)
    os.chown(path, 12_345, 12_345)
    with pytest.raises(KeyFolderError, match=r"another user \(uid 12345\).*chown"):
        LOADERS[kind](folder)


@loading
def test_a_pipe_in_the_place_of_a_key_is_refused_and_does_not_block(folder: Path, kind: str) -> None:
    path = file_of(folder, kind)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyFolderError, match="not a regular file"):
        LOADERS[kind](folder)


@loading
def test_a_missing_key_or_folder_names_what_makes_it(folder: Path, kind: str) -> None:
    file_of(folder, kind).unlink()
    with pytest.raises(KeyFolderError, match="certpipe keys init"):
        LOADERS[kind](folder)
    with pytest.raises(KeyFolderError, match="certpipe keys init"):
        LOADERS[kind](folder / "missing")


def test_each_loader_needs_the_files_of_its_own_kind_only(folder: Path) -> None:
    for kind, load in LOADERS.items():
        others = [path for path in folder.glob("*.key") if not path.name.startswith(kind)]
        moved = [path.rename(path.with_suffix(".away")) for path in others]
        load(folder)
        for path in moved:
            path.rename(path.with_suffix(".key"))


@pytest.mark.parametrize("content", ["", "{}", "null", '{"current": "x", "keys": []}', "\ufeff{}"])
def test_a_public_document_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / "sealing-keys.json").write_text(content, "utf-8")
    with pytest.raises(KeyFolderError, match=r"sealing-keys\.json"):
        SealingKeys.from_folder(folder)
    (folder / "webhook-key.json").write_text(content, "utf-8")
    with pytest.raises(KeyFolderError, match=r"webhook-key\.json"):
        HpkeEndpointSealer.from_folder(folder)


def test_a_public_document_whose_current_key_it_does_not_hold_is_refused(folder: Path) -> None:
    path = folder / "sealing-keys.json"
    path.write_text(path.read_text("utf-8").replace('"current": "intake-', '"current": "intakes-'), "utf-8")
    with pytest.raises(KeyFolderError, match="restore it"):
        SealingKeys.from_folder(folder)


def test_a_public_document_that_others_may_write_is_refused(folder: Path) -> None:
    """Whoever may write it could have every bundle sealed to a key of theirs."""
    (folder / "sealing-keys.json").chmod(0o664)
    with pytest.raises(KeyFolderError, match="chmod 644"):
        SealingKeys.from_folder(folder)
    (folder / "webhook-key.json").chmod(0o664)
    with pytest.raises(KeyFolderError, match="chmod 644"):
        HpkeEndpointSealer.from_folder(folder)
    (folder / "sealing-keys.json").chmod(0o444)
    assert SealingKeys.from_folder(folder).current.version == 1


def test_the_folder_is_private_and_holds_one_key_of_each_kind(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")} == {0o600}
    assert [(file.kind, file.version) for file in key_files(folder)] == [
        (KeyKind.FINGERPRINT, 1),
        (KeyKind.INTAKE, 1),
        (KeyKind.WEBHOOK, 1),
        (KeyKind.WRAPPING, 1),
    ]
    assert len({read_key(file) for file in key_files(folder)}) == 4


def test_the_public_document_names_the_private_key_that_is_there(folder: Path) -> None:
    keys = SealingKeys.from_folder(folder)
    (file,) = private_files(folder, KeyKind.INTAKE)
    assert keys.current.kid == file.kid == keys.document.current
    assert read_key(file).hex() not in (folder / "sealing-keys.json").read_text("utf-8")


def test_older_versions_are_loaded_and_the_newest_is_current(folder: Path) -> None:
    (first,) = private_files(folder, KeyKind.WRAPPING)
    for version in (2, 10):
        path = folder / f"{first.key_id}.v{version}.key"
        path.write_bytes(os.urandom(32))
        path.chmod(0o600)
    assert [file.version for file in private_files(folder, KeyKind.WRAPPING)] == [10, 2, 1]


async def test_a_local_provider_makes_keys_under_the_newest_version_and_opens_all(folder: Path) -> None:
    (first,) = private_files(folder, KeyKind.WRAPPING)
    old = await LocalKeyProvider.from_folder(folder).generate(b"context")
    path = folder / f"{first.key_id}.v2.key"
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    provider = LocalKeyProvider.from_folder(folder)
    new = await provider.generate(b"context")
    assert [(key.key_id, key.key_version) for key in (old, new)] == [(first.key_id, 1), (first.key_id, 2)]
    for key in (old, new):
        again = await provider.unwrap(key.wrapped, key_id=key.key_id, key_version=key.key_version, context=b"context")
        assert again == key.plaintext


def test_files_that_are_no_keys_are_not_taken_for_some(folder: Path) -> None:
    known = key_files(folder)
    for name in ("intake-XYZ.v1.key", "intake-00000000.v0.key", ".intake-00000000.v1.key", "wrapping-00000000.v1.key~"):
        (folder / name).write_bytes(b"x")
    init_keys(folder)
    assert key_files(folder) == known


def test_a_provider_that_nobody_wrote_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(KeyFolderError, match="local"):
        open_provider("vault", tmp_path)
