"""Comparing what SW says of a certificate with what the certificate says of itself."""

from typing import Any

from schemas.status import CertificateFacts


def number_of(facts: CertificateFacts) -> str:
    """The certificate number. A certificate that was proved good has one; without it there is nothing to look for."""
    if facts.number is None:
        raise ValueError("a certificate without a number cannot be handed to SW")
    return facts.number


def same_number(told: Any, number: str) -> bool:
    """Whether a serial number is this one: as its 20 digits, or as the hex of their bytes, as .NET writes serials."""
    if not isinstance(told, str):
        return False
    text = told.strip().replace(" ", "")
    return text == number or text == number.encode().hex()


def same_rfc(told: Any, rfc: str | None) -> bool:
    """Whether an RFC is this one, whatever its case. Nothing is compared where the certificate's could not be read."""
    return rfc is None or (isinstance(told, str) and told.strip().upper() == rfc.upper())
