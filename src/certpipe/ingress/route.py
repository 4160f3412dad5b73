"""A route as data: the router, the guards and the OpenAPI document are made of the same table."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from certpipe.ingress.call import Call
from certpipe.ingress.fields import Fields

TICKET = "ticket"
Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter or request header. `schema` is JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(hash=False)
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer; `headers` are those that a client may rely on."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    streamed: bool = False
    """It is a stream of events, whose data are such models."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    Attributes:
        method: in capitals.
        path: with `{names}`.
        handler: does it.
        summary: one line.
        answers: the good ends.
        refusals: the statuses of problems, besides those that every route has.
        parameters: everything that may stand in the query, and the headers that mean something.
        body: the model of a JSON body.
        body_optional: no body is as good as `{}`.
        form: the fields of an upload, as multipart or as JSON with base64.
        public: nobody has to say who he is.
        ticketed: a ticket in the query will do, where there is no `Authorization` header.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: tuple[Answer, ...]
    refusals: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: type[BaseModel] | None = None
    body_optional: bool = False
    form: Fields | None = None
    public: bool = False
    ticketed: bool = False

    @property
    def pattern(self) -> str:
        """The path for the router. A letter's number is digits, so that a word in its place is another address."""
        return self.path.replace("{letter}", "{letter:[0-9]+}")

    @property
    def queries(self) -> frozenset[str]:
        """The names that may stand in the query."""
        named = frozenset(parameter.name for parameter in self.parameters if parameter.where == "query")
        return named | {TICKET} if self.ticketed else named
