"""The faults that only a door can find: the shape of a request, its sender, its timing."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from certpipe.core.problems import TARGET_NOT_FOUND, Problem
from schemas.status import Actor

UNAUTHORIZED = Problem(
    "unauthorized",
    "Se requiere un token de acceso válido",
    "A valid access token is needed",
    hint="Send one header `Authorization: Bearer <JWT>` with a token that has not expired",
    status=401,
)
FORBIDDEN = Problem(
    "forbidden",
    "Su cuenta no tiene permiso para esta operación",
    "Your account may not do this",
    hint="Ask an owner of the organization, or the operator",
    status=403,
)
NOT_FOUND = Problem(
    "not_found",
    "El recurso no existe",
    "There is nothing at this address",
    hint="/openapi.json tells what there is",
    status=404,
)
NO_ORGANIZATION = replace(
    TARGET_NOT_FOUND,
    field="organization_id",
    hint="None of your organizations has this id; GET /v1/organizations lists them",
)
METHOD_NOT_ALLOWED = Problem(
    "method_not_allowed",
    "El método HTTP no está permitido aquí",
    "This HTTP method is not allowed here",
    hint="The `Allow` header lists the methods that are",
    status=405,
)
TIMED_OUT = Problem(
    "body_timeout",
    "El cuerpo de la petición tardó demasiado en llegar",
    "The body of the request took too long to arrive",
    status=408,
)
BODY_TOO_LARGE = Problem(
    "body_too_large",
    "El cuerpo de la petición excede el tamaño permitido",
    "The body of the request is too large",
    status=413,
)
UNSUPPORTED_MEDIA_TYPE = Problem(
    "unsupported_media_type",
    "El tipo de contenido no está soportado",
    "This content type is not supported",
    hint="Send `multipart/form-data`, or `application/json` with the files in base64",
    status=415,
)
MULTIPART_NEEDED = Problem(
    "unsupported_media_type",
    "El tipo de contenido no está soportado",
    "This content type is not supported",
    hint="Send `multipart/form-data`",
    status=415,
)
JSON_NEEDED = Problem(
    "unsupported_media_type",
    "El tipo de contenido no está soportado",
    "This content type is not supported",
    hint="Send `application/json`",
    status=415,
)
ENCODED_BODY = Problem(
    "unsupported_content_encoding",
    "No se aceptan cuerpos comprimidos",
    "Compressed bodies are not taken",
    hint="Leave out `Content-Encoding` and `Content-Transfer-Encoding`, and send the bytes as they are",
    status=415,
)
MALFORMED_JSON = Problem(
    "malformed_json",
    "El cuerpo no es un objeto JSON válido",
    "The body is not a valid JSON object",
    hint="Send one JSON object in UTF-8 without a byte order mark",
)
DUPLICATE_MEMBER = Problem(
    "malformed_json",
    "El cuerpo JSON repite un miembro",
    "The JSON body has a member twice",
    hint="Send each member once",
)
MALFORMED_MULTIPART = Problem(
    "malformed_multipart",
    "El cuerpo multipart está dañado o incompleto",
    "The multipart body is damaged or incomplete",
    hint="Let your HTTP library write the `Content-Type` header with its boundary, and end the body with it",
)
TOO_MANY_PARTS = Problem(
    "too_many_parts",
    "La petición tiene demasiadas partes",
    "The request has too many parts",
)
UNKNOWN_FIELD = Problem("unknown_field", "El campo no se conoce", "This field is not known")
DUPLICATE_FIELD = Problem(
    "duplicate_field", "El campo está repetido", "This field was sent twice", hint="Send each field once"
)
INVALID_FIELD = Problem("invalid_field", "El valor del campo no es válido", "The value of this field is not valid")
FILE_NAME = Problem(
    "invalid_file_name",
    "El nombre del archivo no es válido",
    "The file name is not valid",
    hint="Send a plain file name without folders or control characters, or none",
)
WRONG_FILE_TYPE = Problem(
    "wrong_file_type", "El archivo no tiene la extensión esperada", "The file does not have the expected extension"
)
UNKNOWN_PARAMETER = Problem(
    "unknown_parameter", "El parámetro de consulta no se conoce", "This query parameter is not known"
)
INVALID_PARAMETER = Problem(
    "invalid_parameter", "El valor del parámetro no es válido", "The value of this parameter is not valid"
)
INVALID_HEADER = Problem(
    "invalid_header", "El valor del encabezado no es válido", "The value of this header is not valid"
)
IDEMPOTENCY_CONFLICT = Problem(
    "idempotency_conflict",
    "Esta llave de idempotencia ya se usó con otro contenido",
    "This idempotency key was used with another content",
    hint="Use a new key for a new upload",
    status=422,
)
IDEMPOTENCY_IN_FLIGHT = Problem(
    "idempotency_in_flight",
    "La primera petición con esta llave todavía no termina",
    "The first request with this key has not finished",
    hint="Try again in a second with the same key",
    status=409,
)
BUSY = Problem(
    "overloaded",
    "Hay demasiado trabajo en espera; intente más tarde",
    "Too much work is waiting; try again later",
    actor=Actor.OPERATOR,
    status=503,
)
ORGANIZATION_BUSY = Problem(
    "organization_overloaded",
    "Su organización tiene demasiadas cargas en espera; intente más tarde",
    "Too many uploads of your organization are waiting; try again later",
    hint="Send fewer at a time; GET /v1/uploads shows what each one waits for",
    status=503,
)
NO_ANSWER = Problem(
    "no_worker_answered",
    "La validación no respondió a tiempo; intente más tarde",
    "No validation worker answered in time; try again later",
    actor=Actor.OPERATOR,
    status=503,
)
INVALID_RFC = Problem(
    "invalid_field",
    "El RFC no tiene el formato del SAT",
    "The RFC does not have SAT's form",
    field="rfc",
    hint="12 characters for a company, 13 for a person, in capitals, without spaces or hyphens",
)
SUPERSEDED = Problem(
    "superseded",
    "Otro certificado, enviado después, tomó el lugar de este",
    "Another certificate, which was sent later, took the place of this one",
    status=409,
)
NO_ENTRY = Problem(
    "not_an_entry",
    "Solo una entrada espera un certificado",
    "Only an entry waits for a certificate",
    hint="Parties of other kinds have no state",
    status=409,
)
NOT_IN_CLEAR = Problem(
    "clear_not_allowed",
    "Este productor debe enviar el certificado sellado",
    "This producer must send the bundle sealed",
    field="clear",
    hint="Seal it to a key of GET /v1/sealing-keys, or ask the operator to allow clear bundles",
    status=403,
)
UNKNOWN_PRODUCER = Problem(
    "unknown_producer",
    "El usuario del broker no está registrado como productor",
    "The broker user is not registered as a producer",
    field="user_id",
    hint="Set the `user_id` property to your broker user, and have the operator register it",
    status=403,
)
MALFORMED_MESSAGE = Problem(
    "malformed_message",
    "El mensaje no cumple el esquema de certpipe.uploads",
    "The message does not follow the schema of certpipe.uploads",
    hint="The schema is UploadMessage.json, and the exchange is described in asyncapi.json, of schemas/published",
)
NOWHERE_TO_FOLLOW = Problem(
    "nowhere_to_follow",
    "Para seguir una carga, el mensaje debe indicar en reply_to una cola a la que certpipe pueda escribir",
    "To follow an upload, the message must name in reply_to a queue that certpipe may write to",
    field="follow",
    hint="Set the `reply_to` property to a queue of yours, whose name does not begin with `certpipe.`",
)

# What aiohttp itself says no with.
OF_AIOHTTP: Mapping[int, Problem] = MappingProxyType(
    {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: BODY_TOO_LARGE, 415: UNSUPPORTED_MEDIA_TYPE}
)
