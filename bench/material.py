"""What is uploaded: a few pairs of a simulated authority, as files that both contenders read."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path

from certpipe.core.bundle import Bundle
from certpipe.simulators.authority import Authority, Subject
from schemas.base import Kind

PAIRS = 12


def make(folder: Path) -> None:
    """`pairs.json` (each with its three parts in base64), the authority as `anchors.json` and as `authority.cer`."""
    authority = Authority.create(at=datetime.now(UTC))
    pairs = [authority.issue(Kind.CSD, Subject()).bundle for _ in range(PAIRS)]
    written = [
        {
            "certificate": b64encode(pair.certificate).decode(),
            "private_key": b64encode(pair.private_key).decode(),
            "password": pair.password,
        }
        for pair in pairs
    ]
    (folder / "pairs.json").write_text(json.dumps(written), encoding="utf-8")
    (folder / "anchors.json").write_text(authority.anchors_json(), encoding="utf-8")
    (folder / "authority.cer").write_bytes(authority.certificate())


def bundles(folder: Path) -> list[Bundle]:
    """The pairs again."""
    return [
        Bundle(
            certificate=b64decode(pair["certificate"]),
            private_key=b64decode(pair["private_key"]),
            password=pair["password"],
        )
        for pair in json.loads((folder / "pairs.json").read_text(encoding="utf-8"))
    ]
