"""SAT's test certificates, where they lie beside the checkout; nothing of them is in the project."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "shared" / "sat-samples"


@dataclass(frozen=True, slots=True)
class Pair:
    """A genuine pair of SAT's test authority, with its password."""

    kind: str
    rfc: str
    number: str
    certificate: bytes
    private_key: bytes
    password: str

    def __repr__(self) -> str:
        return f"<{self.kind} {self.number}>"


def pair(number: str) -> Pair:
    """The genuine pair with this certificate number; skips the test where the samples are missing."""
    manifest = SAMPLES / "manifest.csv"
    if not manifest.exists():
        pytest.skip("SAT's samples are not beside this checkout")
    with manifest.open(encoding="utf-8", newline="") as stream:
        row = next(
            row for row in csv.DictReader(stream) if row["certificate_number"] == number and row["case"] == "pair"
        )
    return Pair(
        kind=row["kind"],
        rfc=row["rfc"],
        number=number,
        certificate=(SAMPLES / row["certificate"]).read_bytes(),
        private_key=(SAMPLES / row["private_key"]).read_bytes(),
        password=row["password"],
    )


CSD_NUMBER = "30001000000500003416"
FIEL_NUMBER = "30001000000500003415"
"""The pairs of EKU9003173C9, valid until May 2027."""
