"""Taking an upload in, whatever door it came through: authorize, admit, seal, commit, dispatch."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.custody import Sealer
from certpipe.core.ports.directory import Directory, Party, Producer
from certpipe.core.ports.doors import Accepted, Follower, IdempotencyClaim, Intake, NewUpload
from certpipe.core.ports.runtime import Backlog, Dispatcher
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.core.uploads import Box, BoxBinding
from certpipe.ingress.problems import BUSY, ORGANIZATION_BUSY
from certpipe.ingress.submission import CheckRequest, Submission
from schemas.base import Kind
from schemas.status import Stage

RETRY_AFTER: Final = 5.0
PROMPT: Final = 5000
"""An organization with more than these on their way is not published past the sweeper, which shares out."""


@dataclass(frozen=True, slots=True)
class IntakeService:
    """The one way in.

    Attributes:
        intake: commits.
        directory: knows parties and members.
        sealer: the public half; nothing here can open what it seals.
        dispatcher: publishes what was committed; losing that loses nothing.
        backlog: tells how much is waiting.
        fingerprint_key: keys the HMACs of idempotency, so that the table is no oracle for guessing passwords.
        limit: uploads that may wait before new ones are refused for a while.
        organization_limit: those that may wait of one organization, so that none takes the others' room.
    """

    intake: Intake
    directory: Directory
    sealer: Sealer
    dispatcher: Dispatcher
    backlog: Backlog
    fingerprint_key: bytes = field(repr=False)
    limit: int
    organization_limit: int

    async def submit(
        self, submission: Submission, *, subject: str, door: str, key: str | None, awaited: bool = False
    ) -> Accepted:
        """Take an upload of a member in; when it must be `awaited`, only while its entry waits for a certificate.

        Raises `Rejected` (`target_not_found`), `Unavailable`, `IdempotencyConflictError`, `IdempotencyInFlightError`.
        """
        party = await self._party_of_member(submission.party_id, subject)
        upload_id = uuid7()
        return await self._accept(
            NewUpload(
                id=upload_id,
                organization_id=party.organization_id,
                party_id=party.id,
                kind=submission.kind,
                rfc=submission.rfc or party.rfc,
                door=door,
                submitted_by=subject,
                box=self.sealer.seal(submission.bundle, BoxBinding(upload_id, party.organization_id)),
                awaited=awaited,
                idempotency=self._claim(door, key, party, submission.kind, submission.bundle),
            )
        )

    async def check(self, request: CheckRequest, *, subject: str, door: str) -> Accepted:
        """Start a dry run for a member, in the party's organization or in any of its own. Raises as `submit` does."""
        party = None if request.party_id is None else await self._party_of_member(request.party_id, subject)
        roles = await self.directory.roles(subject)
        organization_id = party.organization_id if party else min(roles, default=None)
        if organization_id is None:
            raise Rejected(TARGET_NOT_FOUND)
        upload_id = uuid7()
        return await self._accept(
            NewUpload(
                id=upload_id,
                organization_id=organization_id,
                party_id=request.party_id,
                kind=request.kind,
                rfc=request.rfc or (party.rfc if party else None),
                door=door,
                submitted_by=subject,
                box=self.sealer.seal(request.bundle, BoxBinding(upload_id, organization_id)),
                check=True,
            )
        )

    async def take(
        self,
        upload_id: UUID,
        content: Box | Bundle,
        *,
        producer: Producer,
        party_id: UUID,
        kind: Kind,
        door: str,
        follower: Follower | None = None,
    ) -> Accepted:
        """Take a producer's upload in under the producer's own id: a box as it is, a bundle sealed here.

        The same id with the same content is the same upload, and is followed as its first message asked. Raises as
        `submit` does.
        """
        party = await self.directory.party(party_id)
        if party is None or party.organization_id != producer.organization_id:
            raise Rejected(TARGET_NOT_FOUND.about("party_id"))
        binding = BoxBinding(upload_id, party.organization_id)
        return await self._accept(
            NewUpload(
                id=upload_id,
                organization_id=party.organization_id,
                party_id=party.id,
                kind=kind,
                rfc=party.rfc,
                door=door,
                submitted_by=producer.user,
                box=content if isinstance(content, Box) else self.sealer.seal(content, binding),
                idempotency=self._claim(door, str(upload_id), party, kind, content),
                follower=follower,
            )
        )

    async def _party_of_member(self, party_id: UUID, subject: str) -> Party:
        """Another organization's party is as unknown as a random id."""
        party = await self.directory.party(party_id)
        if party is None or party.organization_id not in await self.directory.roles(subject):
            raise Rejected(TARGET_NOT_FOUND.about("party_id"))
        return party

    async def _accept(self, upload: NewUpload) -> Accepted:
        if await self.backlog.depth() >= self.limit:
            raise Unavailable(BUSY, retry_after=RETRY_AFTER)
        ahead = await self.backlog.depth_of(upload.organization_id)
        if ahead >= self.organization_limit:
            raise Unavailable(ORGANIZATION_BUSY, retry_after=RETRY_AFTER)
        accepted = await self.intake.accept(upload)
        if not accepted.replayed and ahead < PROMPT:
            self.dispatcher.dispatch(Stage.VALIDATE, [accepted.ref])
        return accepted

    def _claim(
        self, door: str, key: str | None, party: Party, kind: Kind, content: Box | Bundle
    ) -> IdempotencyClaim | None:
        if key is None:
            return None
        if isinstance(content, Box):
            parts = [content.format.encode(), content.kid.encode(), content.ciphertext]
        else:
            parts = [content.certificate, content.private_key, content.password.encode()]
        digests = [self._mac(b"part", part) for part in parts]
        return IdempotencyClaim(
            key_hash=self._mac(b"key", party.organization_id.bytes, door.encode(), key.encode()),
            fingerprint=self._mac(b"content", party.id.bytes, kind.encode(), *digests),
        )

    def _mac(self, *members: bytes) -> bytes:
        """HMAC-SHA256 over the members, each behind its length so that none can run into the next."""
        mac = hmac.new(self.fingerprint_key, b"certpipe/idempotency/v1", hashlib.sha256)
        for member in members:
            mac.update(len(member).to_bytes(8))
            mac.update(member)
        return mac.digest()
