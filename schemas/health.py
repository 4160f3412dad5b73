"""What a probe is told."""

from schemas.base import Contract


class ProbeView(Contract):
    """One thing that the process needs, or merely uses."""

    name: str
    ok: bool
    required: bool


class Health(Contract):
    """`checks` is there where it was asked for."""

    status: str
    checks: tuple[ProbeView, ...] | None = None
