"""The key providers. A new one is one file here and one line in the table."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from certpipe.core.ports.custody import KeyProvider
from certpipe.crypto.keyfiles import KeyFolderError
from certpipe.crypto.keys.local import LocalKeyProvider

PROVIDERS: Mapping[str, Callable[[Path], KeyProvider]] = MappingProxyType({"local": LocalKeyProvider.from_folder})
"""By name; each is made from the key folder."""


def open_provider(name: str, folder: Path) -> KeyProvider:
    """The provider of that name. Raises `KeyFolderError` when there is none, or when it cannot be used."""
    if name not in PROVIDERS:
        raise KeyFolderError(f"CERTPIPE_KEY_PROVIDER names no key provider: set it to one of {', '.join(PROVIDERS)}")
    return PROVIDERS[name](folder)
