"""Examples of the services of PACs: values of the contracts' own types."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from pydantic import BaseModel

from schemas.services import ServiceList, ServiceState, ServiceView

_VAULT = ServiceView(
    name="sw-vault",
    state=ServiceState.OPEN,
    since=datetime(2026, 1, 15, 16, 20, tzinfo=UTC),
    until=datetime(2026, 1, 15, 16, 25, tzinfo=UTC),
    code="pac_auth",
    message_es="El PAC no aceptó las credenciales configuradas; avise al operador",
    message_en="The PAC did not accept the configured credentials; tell the operator",
    hint="Revise CERTPIPE_SW_USER y su contraseña / check CERTPIPE_SW_USER and its password",
    openings=1,
    waiting=212,
)
_EFISCO = ServiceView(name="efisco", state=ServiceState.CLOSED, since=datetime(2026, 1, 2, 8, 0, tzinfo=UTC))

SERVICE_EXAMPLES: Mapping[type[BaseModel], BaseModel] = MappingProxyType(
    {
        ServiceList: ServiceList(items=(_EFISCO, _VAULT)),
        ServiceView: _VAULT.model_copy(
            update={"state": ServiceState.CLOSED, "until": None, "openings": 0, "waiting": 212}
        ),
    }
)
