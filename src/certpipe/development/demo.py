"""What `make up` sets up once: an authority that looks like SAT's, two pairs, an organization with two parties."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Directory, Organization, Party, PartyKind
from certpipe.development.files import write_private
from certpipe.simulators.authority import LEGAL_NAME, PASSWORD, RFC, Authority, Subject
from schemas.base import Kind

SUBJECT: Final = "developer"
"""Whose token `make up` writes down: an operator, and the owner of the demo organization."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The files under `folder`, and the ids in `ids.json`; all of it is made once and kept."""

    folder: Path
    organization_id: UUID
    parties: dict[Kind, UUID]

    @classmethod
    def open(cls, folder: Path, *, at: datetime) -> "Demo":
        """What is there, or a new demo."""
        file = folder / "ids.json"
        if not file.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_pairs(folder, at)
            ids = {name: str(uuid7()) for name in ("organization", *Kind)}
            write_private(file, json.dumps(ids))
        ids = json.loads(file.read_text(encoding="utf-8"))
        return cls(folder, UUID(ids["organization"]), {kind: UUID(ids[kind]) for kind in Kind})

    @property
    def anchors(self) -> Path:
        """The authority's entry, in the shape of the packaged anchors."""
        return self.folder / "authority.json"

    def pair(self, kind: Kind) -> tuple[Path, Path, Path]:
        """The `.cer`, the `.key` and the file of the password."""
        return self.folder / f"{kind}.cer", self.folder / f"{kind}.key", self.folder / "password.txt"

    async def register(self, directory: Directory) -> None:
        """The organization, owned by the developer, and a party for each kind. Idempotent."""
        await directory.put_organization(Organization(self.organization_id, RFC, LEGAL_NAME), owner=SUBJECT)
        for kind, party_id in self.parties.items():
            await directory.put_party(
                Party(party_id, self.organization_id, PartyKind.ORGANIZATION, RFC, f"{LEGAL_NAME} ({kind})")
            )


def _make_pairs(folder: Path, at: datetime) -> None:
    authority = Authority.create(at=at)
    for kind in Kind:
        issued = authority.issue(kind, Subject())
        write_private(folder / f"{kind}.cer", issued.bundle.certificate)
        write_private(folder / f"{kind}.key", issued.bundle.private_key)
    write_private(folder / "password.txt", PASSWORD)
    write_private(folder / "authority.json", authority.anchors_json())
