"""The faults of custody as their readers see them. None tells which check failed, and none echoes its input."""

from certpipe.core.problems import Problem
from schemas.status import Actor

BOX_UNOPENABLE = Problem(
    "box_unopenable",
    "El paquete sellado no se pudo abrir: está dañado o se selló para otro envío u otra organización",
    "The sealed bundle cannot be opened: it is damaged, or was sealed for another upload or organization",
    hint="Seal again as GET /v1/sealing-keys describes, bound to this upload id and organization id",
)

UNKNOWN_SEALING_KEY = Problem(
    "unknown_sealing_key",
    "El paquete se selló con una clave desconocida o retirada",
    "The bundle was sealed to an unknown or retired key",
    field="kid",
    hint="Fetch the current key from GET /v1/sealing-keys and seal again",
)

BUNDLE_UNSEALABLE = Problem(
    "bundle_unsealable",
    "Un archivo o la contraseña es demasiado grande o contiene caracteres no válidos",
    "A file or the password is too large, or holds characters that are no text",
    hint="A .cer or .key of SAT is smaller than 64 KiB, and a password shorter than 1000 characters",
)

PART_DAMAGED = Problem(
    "part_damaged",
    "El certificado guardado está dañado o incompleto",
    "The stored certificate is damaged or incomplete",
    hint="Compare the record with a backup; it was changed outside certpipe, or bound to something else",
    actor=Actor.OPERATOR,
    status=500,
)

WRAPPING_KEY_MISSING = Problem(
    "part_damaged",
    "Falta la clave con la que se guardó el certificado",
    "The key under which the certificate is stored is missing",
    hint="Restore the key folder that holds the record's key id and version (certpipe keys list shows what is there)",
    actor=Actor.OPERATOR,
    status=500,
)

ENDPOINT_UNOPENABLE = Problem(
    "endpoint_unopenable",
    "Los secretos guardados del webhook no se pueden abrir",
    "The stored secrets of the webhook endpoint cannot be opened",
    hint="Compare the record with a backup, or rotate the endpoint's secret and set its headers again",
    actor=Actor.OPERATOR,
    status=500,
)

WEBHOOK_KEY_MISSING = Problem(
    "webhook_key_missing",
    "Falta la clave con la que se guardaron los secretos del webhook",
    "The key to which the webhook endpoint's secrets were sealed is missing",
    hint="Restore the webhook key file of the record's key id (certpipe keys list shows what is there)",
    actor=Actor.OPERATOR,
    status=500,
)
