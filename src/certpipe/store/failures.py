"""Which of a driver's errors mean that the database is away, and not that a row is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from certpipe.core.errors import Unavailable
from certpipe.store.problems import DATABASE_UNAVAILABLE

AWAY: tuple[type[Exception], ...] = (
    OSError,  # refused, reset, no such host; TimeoutError is one too
    asyncpg.PostgresConnectionError,  # 08: the connection is gone
    asyncpg.InsufficientResourcesError,  # 53: too many connections, disk full
    asyncpg.OperatorInterventionError,  # 57: shut down, starting up, cancelled
    asyncpg.TransactionRollbackError,  # 40: serialization, deadlock
    asyncpg.PostgresSystemError,  # 58: the server cannot read or write its files
    asyncpg.InvalidAuthorizationSpecificationError,  # 28, 3D: the operator changed something; no upload is to blame
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.LockNotAvailableError,  # 55P03: waited too long
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a stand-by, or a failover that is not over
    asyncpg.InterfaceError,  # "connection is closed", "pool is closing"
    asyncpg.InternalClientError,  # the protocol broke off in the middle
)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn every error that says nothing about the data into `Unavailable`. A data error passes as it is."""
    try:
        yield
    except asyncpg.DataError:  # an InterfaceError by inheritance, a wrong value by meaning
        raise
    except AWAY as error:
        raise Unavailable(DATABASE_UNAVAILABLE) from error
