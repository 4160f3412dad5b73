import os
import threading
from pathlib import Path

import pytest

from certpipe.core.ids import uuid7
from certpipe.crypto import keymaking
from certpipe.crypto.endpoint_opening import HpkeEndpointOpener
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.crypto.keyfiles import KeyFolderError, KeyKind, key_files, load_fingerprint_key
from certpipe.crypto.keymaking import init_keys
from certpipe.crypto.opening import BoxOpener
from certpipe.crypto.sealing import SealingKeys


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_doing_it_again_changes_nothing(folder: Path) -> None:
    before = contents(folder)
    assert init_keys(folder) == ()
    assert contents(folder) == before


def test_only_what_is_missing_is_made(folder: Path) -> None:
    before = contents(folder)
    (fingerprint,) = folder.glob("fingerprint-*")
    fingerprint.unlink()
    (made,) = init_keys(folder)
    assert made.name.startswith("fingerprint-")
    assert len(load_fingerprint_key(folder)) == 32
    after = contents(folder)
    assert {name: after[name] for name in after if name != made.name} == {
        name: before[name] for name in before if name != fingerprint.name
    }


documents = pytest.mark.parametrize(
    ("kind", "document"),
    [(KeyKind.INTAKE, "sealing-keys.json"), (KeyKind.WEBHOOK, "webhook-key.json")],
    ids=["intake", "webhook"],
)


@documents
def test_a_lost_public_document_is_made_again_from_the_private_key(folder: Path, kind: KeyKind, document: str) -> None:
    assert key_files(folder, kind)
    path = folder / document
    before = path.read_bytes()
    path.unlink()
    assert init_keys(folder) == (path,)
    assert path.read_bytes() == before


@documents
def test_where_the_private_half_lives_elsewhere_no_other_is_made(folder: Path, kind: KeyKind, document: str) -> None:
    for file in key_files(folder, kind):
        file.path.unlink()
    assert init_keys(folder) == ()
    assert key_files(folder, kind) == ()
    assert (folder / document).exists()


def test_a_folder_from_before_webhooks_is_given_their_key_and_keeps_all_else(folder: Path) -> None:
    for path in folder.glob("webhook-*"):
        path.unlink()
    before = contents(folder)
    made = init_keys(folder)
    assert [path.name.partition("-")[0] for path in made] == ["webhook", "webhook"]
    assert {name: content for name, content in contents(folder).items() if name in before} == before
    endpoint = uuid7()
    keys = HpkeEndpointSealer.from_folder(folder).new_keys(endpoint)
    assert len(HpkeEndpointOpener.from_folder(folder).keys(endpoint, keys.sealed).hmac) == 32


def test_secrets_of_endpoints_are_sealed_to_the_newest_webhook_key(folder: Path) -> None:
    (first,) = key_files(folder, KeyKind.WEBHOOK)
    second = first.path.with_name(f"{first.key_id}.v2.key")
    second.write_bytes(os.urandom(32))
    second.chmod(0o600)
    (folder / "webhook-key.json").unlink()
    init_keys(folder)
    endpoint = uuid7()
    sealed = HpkeEndpointSealer.from_folder(folder).seal_headers(endpoint, {})
    assert sealed.kid == f"{first.key_id}.v2"
    assert HpkeEndpointOpener.from_folder(folder).headers(endpoint, sealed) == {}


def test_many_at_once_make_one_set_of_keys(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    start = threading.Barrier(8)
    made: list[Path] = []

    def make() -> None:
        start.wait()
        made.extend(init_keys(folder))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == sorted(folder.iterdir())
    assert len(made) == 6
    BoxOpener.from_folder(folder)


def test_dying_between_any_two_files_is_repaired_by_doing_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link
    for survived in range(6):
        folder = tmp_path / str(survived)
        links: list[Path] = []

        def dying(source: Path, target: Path, *, links: list[Path] = links, survived: int = survived) -> None:
            if len(links) == survived:
                raise KeyboardInterrupt
            real(source, target)
            links.append(target)

        monkeypatch.setattr(os, "link", dying)
        with pytest.raises(KeyboardInterrupt):
            init_keys(folder)
        monkeypatch.setattr(os, "link", real)
        assert len(init_keys(folder)) == 6 - survived
        assert SealingKeys.from_folder(folder).current.kid == key_files(folder, KeyKind.INTAKE)[0].kid
        assert len(list(folder.iterdir())) == 6


def test_a_file_that_appears_meanwhile_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "there.key"
    path.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        keymaking._create(path, b"ours", mode=0o600)
    assert contents(tmp_path) == {"there.key": b"theirs"}


@pytest.mark.parametrize("obstacle", ["file", "below-a-file"])
def test_a_folder_that_cannot_be_is_refused_with_the_remedy(tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" if obstacle == "file" else tmp_path / "file" / "keys"
    with pytest.raises(KeyFolderError, match="--keys-dir"):
        init_keys(folder)
