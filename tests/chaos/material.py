"""SAT-like pairs by the thousand, each a pure function of its number, kept in a cache folder from run to run."""

import base64
import fcntl
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from certpipe.sat.rfc import has_right_check_digit
from certpipe.simulators.authority import PASSWORD, Authority, Subject, new_key
from certpipe.simulators.authority import encrypted as encrypt_key
from schemas.base import Kind
from tests.chaos.mischief import POISON
from tests.installation import ROOT

CACHE: Final = ROOT / ".cache" / "chaos"
CONTENDED: Final = 10
"""So many parties get every fifth upload, ten on end each; each other upload has a party of its own."""

_BLOCK = 250
_WRAPPINGS = 61
"""So many passwords, and ciphertexts of the one key: neighbours have different ones, so that a mix-up shows."""
_SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FIRST_DAY = date(1980, 1, 1)
_FIRST_PARTY = UUID("0197c000-0000-7000-8000-000000000000").int
_LAST_DIGIT = 11


@dataclass(frozen=True, slots=True)
class Pair:
    """What one upload carries. `number`: of the certificate, unlike that of any other pair."""

    index: int
    party_id: UUID
    rfc: str
    kind: Kind
    number: str
    certificate: str
    private_key: str
    password: str

    @property
    def body(self) -> dict[str, str]:
        """The upload as it is posted."""
        return {
            "certificate": self.certificate,
            "private_key": self.private_key,
            "password": self.password,
            "kind": self.kind.value,
            "party_id": str(self.party_id),
        }


class Material:
    """An authority, one key, and the certificates that the authority issues for that key."""

    def __init__(self, folder: Path = CACHE) -> None:
        self._folder = folder / f"pairs-{datetime.now(UTC):%Y-%m}"
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._open_authority()

    def pairs(self, count: int) -> Sequence[Pair]:
        """The first `count` pairs. Making one takes 5 ms, once."""
        blocks = [self._block(number) for number in range(-(-count // _BLOCK))]
        return [pair for block in blocks for pair in block][:count]

    def poison(self, count: int) -> Sequence[Pair]:
        """Pairs whose uploads a process up to mischief does not survive."""
        return [self._issue(index, 90_000_000 + index, POISON) for index in range(count)]

    def _open_authority(self) -> None:
        file = self._folder / "authority.json"
        if not file.exists():
            made = {"at": datetime.now(UTC).isoformat(), "authority": _key_text(), "holder": _key_text()}
            draft = file.with_suffix(".new")
            draft.write_text(json.dumps(made), encoding="utf-8")
            draft.replace(file)
        known = json.loads(file.read_text(encoding="utf-8"))
        at = datetime.fromisoformat(known["at"])
        self.authority = Authority.create(at=at, key=_key(known["authority"]))
        self._holder = _key(known["holder"])
        self._wrapped = [self._wrap(f"{PASSWORD}{number}") for number in range(_WRAPPINGS)]

    def _wrap(self, password: str) -> tuple[str, str]:
        """The private key under that password, and the password."""
        return base64.b64encode(encrypt_key(self._holder, password.encode())).decode(), password

    def _block(self, block: int) -> Sequence[Pair]:
        file = self._folder / f"block-{block:04d}.json"
        numbers = range(block * _BLOCK, (block + 1) * _BLOCK)
        if file.exists():
            certificates = json.loads(file.read_text(encoding="utf-8"))
            return [self._pair(*both) for both in zip(numbers, certificates, strict=True)]
        pairs = [self._issue(number, _party_of(number)) for number in numbers]
        draft = file.with_suffix(f".{secrets.token_hex(4)}")
        draft.write_text(json.dumps([pair.certificate for pair in pairs]), encoding="utf-8")
        draft.replace(file)
        return pairs

    def _issue(self, index: int, party: int, prefix: str = "CHA") -> Pair:
        subject = Subject(rfc=rfc_of(party, prefix), legal_name=f"CAOS {party}")
        issued = self.authority.issue(_kind_of(party), subject, key=self._holder, number=_number(index, prefix))
        return self._pair(index, base64.b64encode(issued.bundle.certificate).decode(), party, prefix)

    def _pair(self, index: int, certificate: str, party: int | None = None, prefix: str = "CHA") -> Pair:
        party = _party_of(index) if party is None else party
        rfc, number = rfc_of(party, prefix), _number(index, prefix)
        wrapped = self._wrapped[index % _WRAPPINGS]
        return Pair(index, UUID(int=_FIRST_PARTY + party), rfc, _kind_of(party), number, certificate, *wrapped)


def rfc_of(party: int, prefix: str) -> str:
    """A company's RFC with the right check digit, for that party alone."""
    day, rest = divmod(party % 90_000_000, len(_SYMBOLS) ** 2)
    first, second = divmod(rest, len(_SYMBOLS))
    body = f"{prefix}{_FIRST_DAY + timedelta(days=day):%y%m%d}{_SYMBOLS[first]}{_SYMBOLS[second]}"
    return next(rfc for digit in _SYMBOLS[:_LAST_DIGIT] if has_right_check_digit(rfc := body + digit))


def _party_of(index: int) -> int:
    return index // 50 % CONTENDED if index % 5 == 4 else CONTENDED + index


def _kind_of(party: int) -> Kind:
    return Kind.FIEL if party % 3 == 0 else Kind.CSD


def _number(index: int, prefix: str) -> str:
    return f"{'30001000009' if prefix == POISON else '30001000005'}{index:09d}"


def _key_text() -> str:
    plain = new_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(plain).decode()


def _key(text: str) -> rsa.RSAPrivateKey:
    key = load_der_private_key(base64.b64decode(text), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key
