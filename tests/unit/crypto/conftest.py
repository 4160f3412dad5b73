"""Keys, bundles and bindings for the tests of custody."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from certpipe.core.bundle import Bundle
from certpipe.core.ids import uuid7
from certpipe.core.uploads import BoxBinding, PartBinding
from certpipe.crypto.keymaking import init_keys
from certpipe.crypto.opening import BoxOpener
from certpipe.crypto.sealing import HpkeSealer


@dataclass(frozen=True)
class Intake:
    """One intake key, both halves."""

    kid: str
    private_key: X25519PrivateKey

    @property
    def public_key(self) -> X25519PublicKey:
        return self.private_key.public_key()

    @property
    def sealer(self) -> HpkeSealer:
        return HpkeSealer(self.kid, self.public_key)

    @property
    def opener(self) -> BoxOpener:
        return BoxOpener({self.kid: self.private_key})


@pytest.fixture(scope="session")
def intake() -> Intake:
    return Intake("intake-0a0b0c0d.v1", X25519PrivateKey.generate())


@pytest.fixture
def bundle() -> Bundle:
    return Bundle(certificate=b"\x30\x82certificate", private_key=b"\x30\x82private key", password='Ñandú "{}" %s\\')


@pytest.fixture
def binding() -> BoxBinding:
    return BoxBinding(uuid7(), uuid7())


@pytest.fixture
def part_binding() -> PartBinding:
    return PartBinding(uuid7(), uuid7())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    init_keys(path)
    return path
