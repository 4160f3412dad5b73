"""The vendors whose clients work unchanged. A new one is one pure file and one line here."""

from collections.abc import Mapping
from types import MappingProxyType

from certpipe.core.ports.dialect import Dialect
from certpipe.dialects.invopop import Invopop
from certpipe.dialects.lummy import Lummy
from certpipe.dialects.timbrix import Timbrix

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {dialect.name: dialect for dialect in (Invopop(), Lummy(), Timbrix())}
)
"""By name."""
