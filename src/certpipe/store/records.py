"""Rows of the store as the types of the chain."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from certpipe.core.uploads import Box, Part, WrappedPart
from certpipe.store.database import Record
from schemas.messages import UploadRef
from schemas.upload import SealFormat


def ref_of(row: Record) -> UploadRef:
    """The upload at its epoch."""
    return UploadRef(id=row["id"], epoch=row["epoch"])


def box_of(row: Record) -> Box:
    """The sealed bundle."""
    return Box(SealFormat(row["format"]), row["kid"], row["ciphertext"])


def part_of(row: Record) -> WrappedPart:
    """One wrapped part."""
    return WrappedPart(
        part=Part(row["part"]),
        version=row["version"],
        ciphertext=row["ciphertext"],
        nonce=row["nonce"],
        commitment=row["commitment"],
        wrapped_key=row["wrapped_key"],
        key_id=row["key_id"],
        key_version=row["key_version"],
    )


def with_parts(rows: Sequence[Record]) -> Iterator[tuple[Record, tuple[WrappedPart, ...]]]:
    """Each upload's first row and all its parts; the rows come one per part, those of an upload together."""
    for _, group in groupby(rows, key=lambda row: row["id"]):
        first, *others = group
        yield first, tuple(part_of(row) for row in (first, *others))
