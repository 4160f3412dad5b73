"""The table of what HTTP offers on dead letters."""

from typing import Final

from certpipe.ingress import dead
from certpipe.ingress.parameters import BODY, LIMIT
from certpipe.ingress.route import Answer, Parameter, Route
from schemas.dead import (
    CODE_PATTERN,
    DeadLetterPage,
    DeadLetterView,
    DeadReplayBody,
    DeadReplayView,
    LetterState,
)
from schemas.status import Stage
from schemas.webhooks import MOST_PLACE

STAGE = Parameter("stage", "Only what this stage gave up", {"type": "string", "enum": [*Stage]})
CODE = Parameter("code", "Only what died of this", {"type": "string", "pattern": f"^{CODE_PATTERN}$"})
SINCE = Parameter("since", "Only what died since then", {"type": "string", "format": "date-time"})
STATE = Parameter("state", "Only letters in this state", {"type": "string", "enum": [*LetterState]})
CURSOR = Parameter("cursor", "`next` of the page before", {"type": "integer", "minimum": 1, "maximum": MOST_PLACE})
OPERATORS: Final = (403, 404)

DEAD_ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/dead",
        dead.index,
        "List dead letters, newest first (operators)",
        answers=(Answer(200, "One page", DeadLetterPage),),
        refusals=(400, 403),
        parameters=(STAGE, CODE, SINCE, STATE, CURSOR, LIMIT),
    ),
    Route(
        "POST",
        "/v1/dead/replay",
        dead.replay_many,
        "Let a slice of the uploads that fit go on from the stages that failed (operators)",
        answers=(Answer(202, "They go on, but for those that cannot", DeadReplayView),),
        refusals=(*BODY, 403),
        body=DeadReplayBody,
    ),
    Route(
        "GET",
        "/v1/dead/{letter}",
        dead.show,
        "Show a dead letter (operators)",
        answers=(Answer(200, "The letter, without secrets", DeadLetterView),),
        refusals=OPERATORS,
    ),
    Route(
        "POST",
        "/v1/dead/{letter}/replay",
        dead.replay,
        "Let an upload go on from the stage that failed (operators)",
        answers=(Answer(202, "It goes on", DeadLetterView),),
        refusals=(*OPERATORS, 409),
    ),
    Route(
        "DELETE",
        "/v1/dead/{letter}",
        dead.drop,
        "Give a dead letter up: what is left of its bundle is deleted (operators)",
        answers=(Answer(200, "Dropped; the letter and its history stay", DeadLetterView),),
        refusals=(*OPERATORS, 409),
    ),
)
