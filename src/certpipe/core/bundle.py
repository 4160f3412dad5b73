"""The one place where a private key and its password exist in clear, for as short as can be."""

from typing import NoReturn, final


@final
class Bundle:
    """A certificate, its private key and its password, as submitted. It cannot print or pickle itself.

    Attributes:
        certificate: the bytes of the `.cer` as submitted (DER, PEM or base64).
        private_key: the bytes of the `.key` as submitted.
        password: the password as text; its bytes for SAT are tried by `certpipe.sat`.
    """

    __slots__ = ("certificate", "password", "private_key")

    def __init__(self, *, certificate: bytes, private_key: bytes, password: str) -> None:
        self.certificate = certificate
        self.private_key = private_key
        self.password = password

    def __repr__(self) -> str:
        return "<bundle>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a bundle is never serialized")

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "<bundle>"
