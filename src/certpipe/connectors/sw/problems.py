"""What can go wrong at SW, in both languages. Only `pac_rejected` is the submitter's to act on."""

from certpipe.core.problems import Problem
from schemas.status import Actor

REJECTED = Problem(
    "pac_rejected",
    "El PAC rechazó el certificado",
    "The PAC refused the certificate",
    hint="Lea las palabras del PAC / read the PAC's own words: provider_message",
    status=422,
)
CREDENTIALS = Problem(
    "pac_auth",
    "El PAC no aceptó las credenciales configuradas; avise al operador",
    "The PAC did not accept the configured credentials; tell the operator",
    hint="Revise CERTPIPE_SW_USER y su contraseña / check CERTPIPE_SW_USER and its password",
    actor=Actor.OPERATOR,
    status=503,
)
FORBIDDEN = Problem(
    "pac_forbidden",
    "La cuenta del PAC no tiene permiso para esta operación; avise al operador",
    "The PAC's account may not do this; tell the operator",
    actor=Actor.OPERATOR,
    status=503,
)
ADDRESS = Problem(
    "pac_address",
    "La dirección configurada del PAC no ofrece este servicio; avise al operador",
    "The configured address of the PAC does not offer this service; tell the operator",
    hint="Revise CERTPIPE_SW_SERVICES_URL y CERTPIPE_SW_API_URL / check both addresses",
    actor=Actor.OPERATOR,
    status=503,
)
BUSY = Problem(
    "pac_rate_limited",
    "El PAC pide esperar; se intentará de nuevo",
    "The PAC asks to wait; it will be tried again",
    actor=Actor.PROVIDER,
    status=503,
)
AWAY = Problem(
    "pac_unavailable",
    "El PAC no está disponible; se intentará de nuevo",
    "The PAC is not available; it will be tried again",
    actor=Actor.PROVIDER,
    status=503,
)
UNREADABLE = Problem(
    "pac_unreadable",
    "No se entiende la respuesta del PAC; se intentará de nuevo",
    "The PAC's answer makes no sense; it will be tried again",
    actor=Actor.PROVIDER,
    status=503,
)
LOST = Problem(
    "pac_uncertain",
    "Se perdió la respuesta del PAC; se consultará antes de intentar de nuevo",
    "The PAC's answer was lost; it will be looked up before it is tried again",
    actor=Actor.PROVIDER,
    status=503,
)
TOO_MANY = Problem(
    "pac_lookup_limit",
    "La bóveda del PAC tiene más páginas de las que se consultan; avise al operador",
    "The PAC's vault has more pages than are looked through; tell the operator",
    actor=Actor.OPERATOR,
    status=503,
)
