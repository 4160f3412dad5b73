"""The machine's RabbitMQ, as it was installed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Installation:
    """Where RabbitMQ's programs are. `root`: another system's tree, entered by chroot; folders must lie inside it.

    Debian's commands in `/usr/sbin` insist on the user `rabbitmq` and on its folders; the ones behind them do not.
    """

    root: Path | None = None

    @property
    def programs(self) -> Path:
        return Path("/usr/lib/rabbitmq/bin")

    @property
    def present(self) -> bool:
        """Whether there is a RabbitMQ at all."""
        return (self._outside(self.programs) / "rabbitmq-server").exists()

    def command(self, *words: str) -> list[str]:
        """The command, as it is run from here."""
        return [*(["chroot", str(self.root)] if self.root else []), *words]

    def inside(self, path: Path) -> str:
        """How the installation itself calls `path`."""
        return str(Path("/") / path.relative_to(self.root) if self.root else path)

    def _outside(self, path: Path) -> Path:
        return self.root / path.relative_to("/") if self.root else path
