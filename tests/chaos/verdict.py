"""What the checker found in one run of one scenario."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """Counts; all but the numbers of duplicates at a destination without a look-up have to be 0.

    Attributes:
        lost: accepted, and nowhere.
        stuck: had not ended when nothing ended any more.
        ended_twice: have more than one end among their events, or another than their row says.
        repeated: took a step twice.
        gaps: events whose numbers are not without a gap.
        missing: events that the receiver of webhooks never got.
        duplicates: certificates that a destination was sent again, of those where a look-up exists at the CSD vault.
        duplicates_other: the same at the other destination.
        pac_wrong: what the PAC holds is not what ended as forwarded, or not a party's newest.
        dead_wrong: dead letters that were no poison, and poison that is no dead letter.
        left: messages that wait in queues at the end.
        commit: of the sources that ran.
        refused: clients' uploads that were turned away for good.
    """

    scenario: str
    broker: str
    seed: int
    uploads: int
    accepted: int = 0
    lost: int = 0
    stuck: int = 0
    ended_twice: int = 0
    repeated: int = 0
    gaps: int = 0
    missing: int = 0
    duplicates: int = 0
    duplicates_other: int = 0
    pac_wrong: int = 0
    dead_wrong: int = 0
    left: int = 0
    refused: int = 0
    deaths: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    rate_before: float = 0.0
    recovery_seconds: float | None = None
    recovery_rate: float | None = None
    seconds: float = 0.0
    commit: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, int]:
        """What ought to be 0 and is not."""
        names = (
            *("lost", "stuck", "ended_twice", "repeated", "gaps", "missing", "duplicates", "pac_wrong"),
            *("dead_wrong", "left", "refused"),
        )
        return {name: value for name in names if (value := getattr(self, name))}

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return self.accepted > 0 and not self.faults
