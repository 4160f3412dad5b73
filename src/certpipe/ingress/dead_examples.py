"""Examples of dead letters: values of the contracts' own types."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from pydantic import BaseModel

from certpipe.core.problems import INTERNAL
from schemas.dead import (
    DeadLetterPage,
    DeadLetterView,
    DeadReplayBody,
    DeadReplayView,
    DeathReason,
    LetterState,
)
from schemas.status import Stage

_LETTER = DeadLetterView(
    id=17,
    state=LetterState.OPEN,
    reason=DeathReason.FAILED,
    died_at=datetime(2026, 1, 15, 16, 20, tzinfo=UTC),
    upload_id=UUID("0199b0c2-5a00-7000-8000-000000000003"),
    organization_id=UUID("0199b0c2-5a00-7000-8000-000000000001"),
    epoch=8,
    stage=Stage.ENCRYPT,
    code=INTERNAL.code,
    problems=(INTERNAL.view(),),
)

DEAD_EXAMPLES: Mapping[type[BaseModel], BaseModel] = MappingProxyType(
    {
        DeadLetterView: _LETTER,
        DeadLetterPage: DeadLetterPage(items=(_LETTER,)),
        DeadReplayBody: DeadReplayBody(stage=Stage.ENCRYPT, code=INTERNAL.code),
        DeadReplayView: DeadReplayView(replayed=41, refused=1, next=17),
    }
)
