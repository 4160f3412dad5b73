"""The key providers. A new one is one file here and one line in the table."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from certpipe.core.ports.custody import KeyProvider
from certpipe.crypto.keys.local import LocalKeyProvider

PROVIDERS: Mapping[str, Callable[[Path], KeyProvider]] = MappingProxyType({"local": LocalKeyProvider.from_folder})
"""By name; each is made from the key folder."""
