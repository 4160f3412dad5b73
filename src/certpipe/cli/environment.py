"""The servers that the environment names."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from certpipe.cli.failure import CommandError
from certpipe.settings import Settings


def database_url() -> str:
    """The database's URL."""
    return _needed(Settings().database_url, "CERTPIPE_DATABASE_URL", ("postgresql", "postgres"))


def amqp_url() -> str:
    """The broker's URL."""
    return _needed(Settings().amqp_url, "CERTPIPE_AMQP_URL", ("amqp", "amqps"))


def _needed(value: SecretStr | None, name: str, schemes: tuple[str, ...]) -> str:
    url, example = value.get_secret_value() if value else "", f"{schemes[0]}://user:password@host/name"
    if not url:
        raise CommandError(f"{name} is not set.", hint=f"like {name}={example}")
    try:
        parts = urlsplit(url)
        fine = parts.scheme in schemes and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine:
        raise CommandError(f"{name} is not a URL of that kind.", hint=f"like {name}={example}")
    return url
