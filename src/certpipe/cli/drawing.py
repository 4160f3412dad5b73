"""Draws `docs/states.md` from the transition table and the pipeline, for `make schemas`."""

from certpipe.core.states import ENDS, TRANSITIONS, WAITS_FOR, State

MEANING = {
    State.RECEIVED: "Accepted: committed, sealed, waiting to be proved.",
    State.VALIDATED: "Proved good; a dry run (`POST /v1/checks`) ends here and is deleted.",
    State.ENCRYPTED: "Each part is wrapped under a data key of its own.",
    State.STORED: "A version of the party's certificate, and its active one; the sealed box is deleted.",
    State.FORWARDED: "Every destination has it and confirmed it.",
    State.REJECTED: "The bundle, or the PAC, says no. The submitter must act; `problems` say what to do.",
    State.FAILED: "Parked after every retry. The operator acts (`certpipe dead`); nothing is lost.",
    State.SUPERSEDED: "A newer upload for the same party and kind won, or its certificate was removed first.",
}
SIDE_ENDS = {State.REJECTED, State.FAILED, State.SUPERSEDED}


def states_page() -> str:
    """The page, whole."""
    rows = [
        f"| `{state}` | {f'waits for **{WAITS_FOR[state]}**' if state in WAITS_FOR else 'end'} | {MEANING[state]} |"
        for state in State
    ]
    forward = [
        f"    {state} --> {following}: {WAITS_FOR[state]}"
        for state, all_following in TRANSITIONS.items()
        for following in sorted(all_following - SIDE_ENDS)
        if state in WAITS_FOR
    ]
    aside = [
        f"    {state} --> {following}"
        for state, all_following in TRANSITIONS.items()
        for following in sorted(all_following & SIDE_ENDS)
    ]
    again = [f"    {State.FAILED} --> {following}: replay" for following in sorted(TRANSITIONS[State.FAILED])]
    ends = [f"    {state} --> [*]" for state in sorted(ENDS)]
    return "\n".join(
        [
            "# The states of an upload",
            "",
            "Drawn from `certpipe.core.states` by `make schemas`; a test fails when this page is stale.",
            "",
            "| state | | what it means |",
            "| --- | --- | --- |",
            *rows,
            "",
            "```mermaid",
            "stateDiagram-v2",
            "    [*] --> received",
            *forward,
            *aside,
            *again,
            *ends,
            "```",
            "",
            "A retry stays in its state: it raises the epoch and the attempt, and waits until `due_at`.",
            "A replay goes back to the stage that failed: it raises the epoch, and begins the attempts anew.",
            "",
            "Every change has its event, numbered by the epoch that it makes. What else is told with it comes before",
            "it, each raising the epoch by one too: the certificate that it replaces, each destination that took or",
            "refused it, a destination that has become unavailable or answers again. So the events of an upload are",
            "numbered from 0 without a gap, and the number of the last is the upload's epoch.",
            "",
        ]
    )
