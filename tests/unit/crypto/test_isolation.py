"""The public half cannot open: not by its imports, and not by the files that it reads. Each in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

PUBLIC_MODULES = ["sealing", "endpoint_sealing", "plaintext", "scheme", "keyfiles", "keymaking", "problems"]

WATCH = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from pathlib import Path
{body}
print("opened:", *(path for path in opened if path.endswith(".key")), sep="\\n")
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def opened(folder: Path, body: str) -> list[str]:
    paths = run(WATCH.format(body=body), str(folder)).partition("opened:")[2].split()
    return [Path(path).name.partition("-")[0] for path in paths]


def test_public_modules_import_nothing_that_opens() -> None:
    imports = ";".join(f"import certpipe.crypto.{module}" for module in PUBLIC_MODULES)
    private = {"opening", "endpoint_opening", "envelope", "jwe", "keys.local"}
    loaded = run(f"import sys; {imports}; import certpipe.cli.keys; print(*sys.modules)").split()
    assert {f"certpipe.crypto.{module}" for module in private} & set(loaded) == set()
    assert "certpipe.crypto.sealing" in loaded


@pytest.mark.parametrize(
    ("kinds", "body"),
    [
        ([], "from certpipe.crypto.sealing import HpkeSealer; HpkeSealer.from_folder(Path(sys.argv[1]))"),
        ([], "from certpipe.crypto.sealing import SealingKeys; SealingKeys.from_folder(Path(sys.argv[1])).current"),
        ([], "from certpipe.crypto.keyfiles import key_files; key_files(Path(sys.argv[1]))"),
        ([], "from certpipe.cli.keys import list_keys; list_keys(Path(sys.argv[1]), as_json=False)"),
        (["fingerprint"], "from certpipe.crypto.keyfiles import load_fingerprint_key as f; f(Path(sys.argv[1]))"),
        (["intake"], "from certpipe.crypto.opening import BoxOpener; BoxOpener.from_folder(Path(sys.argv[1]))"),
        ([], "from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer as S; S.from_folder(Path(sys.argv[1]))"),
        (
            ["webhook"],
            "from certpipe.crypto.endpoint_opening import HpkeEndpointOpener as O; O.from_folder(Path(sys.argv[1]))",
        ),
        (["wrapping"], "from certpipe.crypto.keys import PROVIDERS; PROVIDERS['local'](Path(sys.argv[1]))"),
    ],
    ids=[
        "sealer",
        "sealing-keys",
        "names",
        "list",
        "fingerprint",
        "opener",
        "endpoint-sealer",
        "endpoint-opener",
        "provider",
    ],
)
def test_each_role_opens_the_private_files_of_its_own_kind_only(folder: Path, kinds: list[str], body: str) -> None:
    assert opened(folder, body) == kinds
