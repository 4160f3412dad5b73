"""Parameters and refusals that several routes have."""

from collections.abc import Mapping
from typing import Any

from certpipe.ingress import uploads
from certpipe.ingress.call import MOST_NUMBER
from certpipe.ingress.route import Parameter

UUID_SCHEMA: Mapping[str, Any] = {"type": "string", "format": "uuid"}
LIMIT = Parameter(
    "limit",
    f"Items on a page; more than {uploads.MOST_ITEMS} count as that",
    {"type": "integer", "minimum": 1, "maximum": MOST_NUMBER, "default": uploads.ITEMS},
)
ORGANIZATION = Parameter("organization_id", "Only those of this organization", UUID_SCHEMA)
BODY = (400, 408, 413, 415)
"""How a body may be refused before anybody looks at what it means."""
