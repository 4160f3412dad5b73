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

TARGET_NOT_FOUND = Problem(
    "target_not_found",
    "El registro indicado no existe o no espera un certificado",
    "Entry not found or not waiting for a certificate",
    status=404,
)
