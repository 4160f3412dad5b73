"""The boundary of a body and the names of its parts."""

import pytest

from certpipe.ingress.disposition import boundary_of, names_of


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=b0", "b0"),
        ('multipart/form-data; boundary="b 0"', "b 0"),
        ("Multipart/Form-Data;BOUNDARY = b0 ; charset=utf-8", "b0"),
        ("multipart/form-data; charset=utf-8; boundary===0==", "==0=="),
        ("multipart/form-data; boundary=" + "b" * 70, "b" * 70),
        ("multipart/form-data; boundary=" + "b" * 71, None),
        ("multipart/form-data; boundary=", None),
        ('multipart/form-data; boundary=""', None),
        ('multipart/form-data; boundary="', None),
        ('multipart/form-data; boundary="b', None),
        ('multipart/form-data; boundary="b "', None),
        ('multipart/form-data; boundary="b\\"c"', None),
        ("multipart/form-data; boundary=b\tc", None),
        ("multipart/form-data; boundary=bñ", None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; xboundary=a", None),
        ("multipart/form-data", None),
    ],
)
def test_a_boundary_is_taken_only_where_there_is_exactly_one(content_type: str, boundary: str | None) -> None:
    assert boundary_of([content_type]) == boundary


def test_two_content_types_give_no_boundary() -> None:
    assert boundary_of(["multipart/form-data; boundary=a", "multipart/form-data; boundary=b"]) is None


@pytest.mark.parametrize(
    ("disposition", "names"),
    [
        ('form-data; name="cerFile"', ("cerFile", None)),
        ('form-data; name="cerFile"; filename="a b;ñ.cer"', ("cerFile", "a b;ñ.cer")),
        ("form-data; name=cerFile; filename=a.cer", ("cerFile", "a.cer")),
        ('form-data; filename="a.cer"; name="cerFile"', ("cerFile", "a.cer")),
        ('form-data; name="a\\"b"', ('a"b', None)),
        ("form-data; name=\"c\"; filename*=utf-8''%C3%B1.cer", ("c", "ñ.cer")),
        ('form-data; name="c"; filename="n.cer"; filename*=utf-8\'\'%C3%B1.cer', ("c", "ñ.cer")),
        ("form-data; name=\"c\"; filename*=utf-8''a%00b", ("c", "a\0b")),
        ('form-data; filename="a.cer"', ("", "a.cer")),
        ("form-data", ("", None)),
        ('form-data; name="a"; name="b"', None),
        ('form-data; name="a"; filename="b"; filename="c"', None),
        ('form-data; name="a', None),
        ('form-data; name="a"; filename*=x\'y', None),
        ("form-data; name=\"a\"; filename*=no-such-charset''%41", None),
        ("form-data; name=\"a\"; filename*=utf-8''%ff", None),
        ('form-data; name="a";', None),
    ],
)
def test_the_names_of_a_part_are_read_or_the_header_is_broken(
    disposition: str, names: tuple[str, str | None] | None
) -> None:
    assert names_of(disposition) == names
