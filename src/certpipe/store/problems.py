"""The faults that the store tells of."""

from certpipe.core.problems import Problem
from schemas.status import Actor

DATABASE_UNAVAILABLE = Problem(
    "database_unavailable",
    "La base de datos no está disponible; intente de nuevo en unos segundos",
    "The database is away; try again in a few seconds",
    actor=Actor.OPERATOR,
    status=503,
)
