"""What the environment may set. Only `workers/` and the command line read this; they pass leaf values on."""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from certpipe.sat.trust import Environment as SatEnvironment


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

    database_url: SecretStr | None = None
    amqp_url: SecretStr | None = None
    rabbitmq: Literal["", "local"] = ""

    keys_dir: Path | None = None
    sat_environment: SatEnvironment = SatEnvironment.UAT
    extra_anchors: Path | None = None

    jwks: str | None = None
    jwt_issuer: str = "https://certpipe.invalid/development"
    jwt_audience: str = "certpipe"
    jwt_most_hours: int = Field(default=1, ge=1)

    sw_services_url: str = "https://services.sw.com.mx"
    sw_api_url: str = "https://api.sw.com.mx"
    sw_user: str | None = None
    sw_password_file: Path | None = None
    sw_token_file: Path | None = None
    simulator_url: str | None = None

    @property
    def keys(self) -> Path:
        """Where the key files are."""
        return self.keys_dir or self.data_dir / "keys"
