"""The servers that the environment names."""

from certpipe.cli.failure import CommandError
from certpipe.settings import SCHEMES, Settings, is_url


def database_url() -> str:
    """The database's URL."""
    return _needed("database_url")


def amqp_url() -> str:
    """The broker's URL."""
    return _needed("amqp_url")


def _needed(setting: str) -> str:
    value, schemes, name = getattr(Settings(), setting), SCHEMES[setting], f"CERTPIPE_{setting.upper()}"
    url: str = value.get_secret_value() if value else ""
    hint = f"like {name}={schemes[0]}://user:password@host/name"
    if not url:
        raise CommandError(f"{name} is not set.", hint=hint)
    if not is_url(url, schemes):
        raise CommandError(f"{name} is not a URL of that kind.", hint=hint)
    return url
