"""The envelope of every SW answer, and its texts. Those that no public source shows are marked invented."""

import json
from typing import Any

from aiohttp import web

# Documented.
SAVED = "CSD Guardados Correctamente."
CERTIFICATES = "Certificados"
FILES_MISSING = "Te hacen falta archivos o el password esta vacio"
BAD_CREDENTIALS = "AU2000 - El usuario y/o contraseña son inválidos, no se puede autenticar el servicio."

# Documented for another endpoint (the signing of the manifest), borrowed here.
CERTIFICATE_NOT_BASE64 = "El certificado publico no es base64"

# Invented: no source shows what SW says.
KEY_NOT_BASE64 = "[inventado] La llave privada no es base64"
NOT_A_CERTIFICATE = "[inventado] El certificado no se pudo leer"
FIEL_AT_CSD_VAULT = "[inventado] El certificado es una FIEL; se requiere un CSD"
CSD_AT_FIEL_VAULT = "[inventado] El certificado es un CSD; se requiere una FIEL"
NOT_JSON = "[inventado] El cuerpo no es JSON"
NOT_AUTHORIZED = "[inventado] El token no existe o ya expiró"
NOT_FOUND = "[inventado] No se encontró el certificado"
BAD_PAGE = "[inventado] page y per_page deben ser números positivos"
DELETED = "[inventado] Certificado eliminado"
FAULT = "[inventado] Falla simulada"
FIEL = "FIEL"


def success(data: Any) -> web.Response:
    """200 with `data`, as the vault writes it."""
    return _json(200, {"data": data, "status": "success"})


def created(data: Any) -> web.Response:
    """200 with `data`, as Efisco writes it."""
    return _json(200, {"status": "success", "message": None, "messageDetail": None, "data": data})


def error(status: int, message: str, detail: str | None = None, **headers: str) -> web.Response:
    """The documented error envelope: a vague title, and the reason in `messageDetail`."""
    body = {"message": message, "messageDetail": detail, "data": None, "status": "error"}
    return _json(status, body, **headers)


def _json(status: int, body: Any, **headers: str) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False).encode(),
        content_type="application/json",
        charset="utf-8",
        headers=headers or None,
    )
