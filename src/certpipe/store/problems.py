"""The faults that the store tells of."""

from certpipe.core.problems import Problem
from schemas.status import Actor
from schemas.webhooks import MOST_ENDPOINTS

DATABASE_UNAVAILABLE = Problem(
    "database_unavailable",
    "La base de datos no está disponible; intente de nuevo en unos segundos",
    "The database is away; try again in a few seconds",
    actor=Actor.OPERATOR,
    status=503,
)

TOO_MANY_ENDPOINTS = Problem(
    "too_many_endpoints",
    f"La organización ya tiene {MOST_ENDPOINTS} webhooks; elimine alguno",
    f"The organization has {MOST_ENDPOINTS} webhooks already; remove one",
    status=409,
)

ROTATION_IN_PROGRESS = Problem(
    "rotation_in_progress",
    "El secreto anterior aún está vigente; espere a que venza o revóquelo",
    "The secret before is still in use; wait until that ends, or revoke it",
    status=409,
)
