"""What the environment may set. Only `workers/` and the command line read this; they pass leaf values on."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from certpipe.core.patience import ANSWER
from certpipe.sat.trust import Environment as SatEnvironment

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SCHEMES: Final[Mapping[str, Sequence[str]]] = {
    "database_url": ("postgresql", "postgres"),
    "amqp_url": ("amqp", "amqps"),
}
DEVELOPMENT_ISSUER: Final = "https://certpipe.invalid/development"


class Environment(StrEnum):
    """Where certpipe runs. Development defaults refuse to start in production."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """Every setting, `CERTPIPE_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="CERTPIPE_", hide_input_in_errors=True)

    environment: Environment = Environment.DEVELOPMENT
    data_dir: Path = Path(".certpipe")
    log_level: str = "INFO"

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8480, ge=0, le=65535)
    bytes_in_flight: int = Field(default=128 * 1024 * 1024, ge=32 * 1024 * 1024)
    backlog_limit: int = Field(default=100_000, ge=1)
    backlog_per_organization: int | None = Field(default=None, ge=1)

    dialects: str | None = None
    dialect_until: str = ""
    dialect_wait: float = Field(default=25.0, ge=0, le=300)

    database_url: SecretStr | None = None
    amqp_url: SecretStr | None = None
    rabbitmq: Literal["", "local"] = ""

    keys_dir: Path | None = None
    key_provider: str = "local"
    sat_environment: SatEnvironment = SatEnvironment.UAT
    extra_anchors: Path | None = None

    jwks: str | None = None
    jwt_issuer: str = DEVELOPMENT_ISSUER
    jwt_audience: str = "certpipe"
    jwt_most_hours: int = Field(default=1, ge=1)

    webhook_networks: str = ""
    webhook_timeout: float = Field(default=15.0, gt=0, le=60)
    webhook_at_once: int = Field(default=16, ge=1, le=256)

    sw_services_url: str = "https://services.sw.com.mx"
    sw_api_url: str = "https://api.sw.com.mx"
    sw_user: str | None = None
    sw_password_file: Path | None = None
    sw_token_file: Path | None = None
    pac_at_once: int = Field(default=32, ge=1, le=1024)
    pac_per_second: float = Field(default=1000.0, gt=0, le=100_000)
    pac_limits: str = ""
    pac_timeout_seconds: float = Field(default=ANSWER, ge=1)
    simulator_url: str | None = None

    @property
    def keys(self) -> Path:
        """Where the key files are."""
        return self.keys_dir or self.data_dir / "keys"

    @property
    def organization_limit(self) -> int:
        """Uploads that may wait of one organization: half of all, unless it is set."""
        return self.backlog_per_organization or max(self.backlog_limit // 2, 1)

    def variables(self) -> Mapping[str, str]:
        """These settings as an environment, secrets too, for a process that is to have the same."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"CERTPIPE_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }

    def faults(self) -> Iterator[str]:
        """What no process can start with, each with its remedy. Never what a setting holds: it may be a password."""
        if self.log_level.upper() not in LOG_LEVELS:
            yield f"CERTPIPE_LOG_LEVEL is no level: set it to one of {', '.join(LOG_LEVELS)}"
        for name, schemes in SCHEMES.items():
            secret: SecretStr | None = getattr(self, name)
            if secret is not None and not is_url(secret.get_secret_value(), schemes):
                yield f"CERTPIPE_{name.upper()} is not an address: set it like {schemes[0]}://user:password@host/name"

    def left_of_development(self) -> Iterator[str]:
        """What a process in production must not go on with, each with its remedy; nothing elsewhere."""
        if self.environment is not Environment.PRODUCTION:
            return
        if self.sat_environment is SatEnvironment.UAT:
            yield "certificates of SAT's test authority would pass: set CERTPIPE_SAT_ENVIRONMENT=production"
        if self.extra_anchors is not None:
            yield "an authority that is not SAT's would be trusted: unset CERTPIPE_EXTRA_ANCHORS"
        if self.jwks is not None and self.jwt_issuer == DEVELOPMENT_ISSUER:
            yield "the development issuer of tokens would be trusted: set CERTPIPE_JWT_ISSUER to yours"


def is_url(text: str, schemes: Sequence[str]) -> bool:
    """Whether it is the address of a server of one of these schemes."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and port != 0
