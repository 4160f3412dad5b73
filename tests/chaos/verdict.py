"""What the checker found in one run of one scenario."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """Counts; all but the duplicates at the destination that can only be asked for a list have to be 0.

    Attributes:
        broke: the harness could not run it to its end.
        unsent: pairs that were neither accepted nor refused.
        hollow: parts of the fault that did not happen; the notes say which.
        lost: accepted, and nowhere.
        extra: uploads that no client was promised.
        unexpected: ended otherwise than they ought to, poison apart: as rejected, or as failed.
        stuck: had not ended when nothing ended any more.
        ended_twice: have more than one end among their events, or another than their row says.
        repeated: took a step twice.
        skipped: ended as forwarded without one of the steps to it, or took a step after the end.
        gaps: events whose numbers are not without a gap.
        missing: events that the receiver of webhooks never got.
        untrue: events that it got and that nobody committed.
        duplicates: certificates that the CSD vault, which can be asked for each, was sent again.
        duplicates_other: the same at the other destination.
        pac_wrong: what the PAC holds is not what ended as forwarded, or not a party's newest, or not what was sent.
        store_wrong: parties whose active certificate is not that of the newest upload.
        dead_wrong: dead letters that were no poison, and poison that is no dead letter.
        left: messages that wait in queues at the end.
        commit: of the sources that ran.
        refused: clients' uploads that were turned away for good.
        bad_exits: processes that did not stop by themselves, and well, when they were asked to at the end.
        slow: the rate was not back in time after the fault; counted where there are enough uploads to tell.
        control: a fault that has to be found: what runs is made to have it.
        recovery_rate: None where nothing was left to have a rate.
    """

    scenario: str
    broker: str
    seed: int
    uploads: int
    accepted: int = 0
    broke: int = 0
    unsent: int = 0
    hollow: int = 0
    extra: int = 0
    unexpected: int = 0
    skipped: int = 0
    untrue: int = 0
    store_wrong: int = 0
    bad_exits: int = 0
    slow: int = 0
    control: str = ""
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
            *(
                "broke",
                "unsent",
                "hollow",
                "lost",
                "extra",
                "unexpected",
                "stuck",
                "ended_twice",
                "repeated",
                "skipped",
            ),
            *("gaps", "missing", "untrue", "duplicates", "pac_wrong", "store_wrong", "dead_wrong", "left", "refused"),
            *("bad_exits", "slow"),
        )
        return {name: value for name in names if (value := getattr(self, name))}

    @property
    def good(self) -> bool:
        """Whether every promise was kept; of a control, whether it was found that one was not."""
        return bool(self.control in self.faults if self.control else self.accepted and not self.faults)
