import copy
import pickle

import pytest

from certpipe.core.bundle import Bundle

SECRET = "a-very-secret-word"


@pytest.fixture
def bundle() -> Bundle:
    return Bundle(certificate=b"cer", private_key=SECRET.encode(), password=SECRET)


def test_no_way_of_printing_shows_anything(bundle: Bundle) -> None:
    shown = [repr(bundle), str(bundle), f"{bundle}", f"{bundle:>40}", f"{bundle!r}", "%s" % bundle, repr([bundle])]  # noqa: UP031 - that way too
    assert not any(SECRET in text for text in shown)


@pytest.mark.parametrize("serialize", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_never_serialized(bundle: Bundle, serialize: object) -> None:
    assert callable(serialize)
    with pytest.raises(TypeError):
        serialize(bundle)
