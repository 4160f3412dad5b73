"""An installation that takes the certificates of an authority of the test's."""

import json
from datetime import UTC, datetime
from pathlib import Path

from certpipe.development.demo import Demo
from certpipe.development.files import write_private
from certpipe.development.folder import VERSION
from certpipe.simulators.authority import Authority
from tests.installation import Installation


def trusting(folder: Path, authority: Authority, **environment: str) -> Installation:
    """Not started yet. It trusts its own demo's authority too, so that its first upload goes through."""
    folder.mkdir()
    write_private(folder / "VERSION", VERSION)
    demo = Demo.open(folder / "demo", at=datetime.now(UTC))
    anchors = folder / "anchors.json"
    known = json.loads(demo.anchors.read_text(encoding="utf-8"))["anchors"]
    anchors.write_text(json.dumps([*known, authority.anchor()]), encoding="utf-8")
    return Installation(folder, CERTPIPE_EXTRA_ANCHORS=str(anchors), **environment)
