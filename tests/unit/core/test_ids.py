from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122

from certpipe.core.ids import uuid7


def test_ids_grow_strictly_even_within_one_millisecond() -> None:
    ids = [uuid7() for _ in range(20_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_ids_are_version_7_of_the_rfc_variant() -> None:
    new = uuid7()
    assert (new.version, new.variant) == (7, RFC_4122)


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(4) as pool:
        ids = [each for batch in pool.map(lambda _: [uuid7() for _ in range(2_000)], range(4)) for each in batch]
    assert len(set(ids)) == 8_000
