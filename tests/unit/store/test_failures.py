"""Which errors say that the database is away, and which that a value is wrong."""

import asyncpg
import pytest

from certpipe.core.errors import Unavailable
from certpipe.store.failures import unavailable
from schemas.status import Actor

AWAY = [
    ConnectionRefusedError(),
    TimeoutError(),
    asyncpg.ConnectionDoesNotExistError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.CannotConnectNowError(),
    asyncpg.AdminShutdownError(),
    asyncpg.CrashShutdownError(),
    asyncpg.TooManyConnectionsError(),
    asyncpg.DiskFullError(),
    asyncpg.PostgresIOError(),
    asyncpg.InvalidPasswordError(),
    asyncpg.InvalidCatalogNameError(),
    asyncpg.InsufficientPrivilegeError(),
    asyncpg.SerializationError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.LockNotAvailableError(),
    asyncpg.QueryCanceledError(),
    asyncpg.ReadOnlySQLTransactionError(),
]
WRONG = [
    asyncpg.DataError("invalid input for query argument $1"),
    asyncpg.UniqueViolationError(),
    asyncpg.ForeignKeyViolationError(),
    asyncpg.CheckViolationError(),
    asyncpg.UndefinedTableError(),
    asyncpg.UntranslatableCharacterError(),
]


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_database_that_is_away_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable, match=r"^database_unavailable$") as caught, unavailable():
        raise error
    (problem,) = caught.value.problems
    assert (problem.status, problem.actor) == (503, Actor.OPERATOR)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", WRONG, ids=lambda error: type(error).__name__)
def test_a_wrong_value_is_raised_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, unavailable():
        raise error
    assert caught.value is error
