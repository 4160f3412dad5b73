"""The table of everything that HTTP offers. The router, the guards and the OpenAPI document are made of it."""

from certpipe.core.telling import KEY_SCHEMA
from certpipe.ingress import certificates, checks, organizations, parties, public, uploads
from certpipe.ingress.call import MOST_NUMBER
from certpipe.ingress.dead_routes import DEAD_ROUTES
from certpipe.ingress.event_routes import EVENT_ROUTES
from certpipe.ingress.parameters import BODY, LIMIT, ORGANIZATION, UUID_SCHEMA
from certpipe.ingress.prefer import MOST_SECONDS
from certpipe.ingress.route import Answer, Parameter, Route
from certpipe.ingress.service_routes import SERVICE_ROUTES
from certpipe.ingress.submission import CHECK_FIELDS, UPLOAD_FIELDS
from certpipe.ingress.webhook_routes import WEBHOOK_ROUTES
from schemas.directory import (
    OrganizationBody,
    OrganizationList,
    OrganizationView,
    PartyBody,
    PartyList,
    PartyView,
    ProducerBody,
    ProducerView,
)
from schemas.health import Health
from schemas.sealing import SealingKeysDocument
from schemas.status import CertificatePage, CheckReport, State, StoredCertificate, UploadPage, UploadStatus

PARTY = Parameter("party_id", "Only what belongs to this party", UUID_SCHEMA)
CURSOR = Parameter("cursor", "`next` of the page before", UUID_SCHEMA)
STATE = Parameter("state", "Only uploads in this state", {"type": "string", "enum": [*State]})
WAIT = Parameter(
    "wait",
    f"Seconds to wait for a change from the tag in `If-None-Match`, or for the end; at most {MOST_SECONDS} count",
    {"type": "integer", "minimum": 0, "maximum": MOST_NUMBER},
)
PREFER = Parameter(
    "Prefer",
    f"`wait=N` answers with the end if it comes within N seconds (at most {MOST_SECONDS}); else, 202 at once",
    {"type": "string", "examples": ["wait=20"]},
    where="header",
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "Kept for at least 7 days: the same body gives the same upload, another body 422, a request in flight 409",
    KEY_SCHEMA,
    where="header",
)
IF_NONE_MATCH = Parameter("If-None-Match", "Entity tags that the client has", {"type": "string"}, where="header")
VERBOSE = Parameter("verbose", "Tell of each check", {"type": "string"})

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/uploads",
        uploads.submit,
        "Submit a certificate with its key and password",
        answers=(
            Answer(
                202,
                "Committed; it goes on by itself",
                UploadStatus,
                ("Location", "Retry-After", "ETag", "Idempotent-Replayed"),
            ),
            Answer(200, "The end, for who waited for it", UploadStatus, ("Location", "ETag", "Preference-Applied")),
        ),
        refusals=(*BODY, 404, 409, 422),
        parameters=(PREFER, IDEMPOTENCY_KEY),
        form=UPLOAD_FIELDS,
    ),
    Route(
        "GET",
        "/v1/uploads",
        uploads.index,
        "List uploads, newest first",
        answers=(Answer(200, "One page", UploadPage),),
        refusals=(400, 404),
        parameters=(PARTY, STATE, CURSOR, LIMIT),
    ),
    Route(
        "GET",
        "/v1/uploads/{id}",
        uploads.show,
        "Show how an upload goes",
        answers=(
            Answer(200, "The upload", UploadStatus, ("ETag", "Retry-After")),
            Answer(304, "Nothing new", None, ("ETag",)),
        ),
        refusals=(400, 404),
        parameters=(WAIT, IF_NONE_MATCH),
    ),
    Route(
        "GET",
        "/v1/certificates",
        certificates.index,
        "List stored certificates, newest first",
        answers=(Answer(200, "One page", CertificatePage),),
        refusals=(400, 404),
        parameters=(PARTY, CURSOR, LIMIT),
    ),
    Route(
        "GET",
        "/v1/certificates/{id}",
        certificates.show,
        "Show a stored certificate",
        answers=(Answer(200, "The certificate, without its key", StoredCertificate),),
        refusals=(404,),
    ),
    Route(
        "POST",
        "/v1/checks",
        checks.check,
        "Prove a bundle, and keep nothing",
        answers=(Answer(200, "The verdict, `valid` or `rejected`", CheckReport),),
        refusals=(*BODY, 404),
        form=CHECK_FIELDS,
    ),
    Route(
        "GET",
        "/v1/organizations",
        organizations.index,
        "List the sender's organizations",
        answers=(Answer(200, "All of them", OrganizationList),),
    ),
    Route(
        "GET",
        "/v1/organizations/{id}",
        organizations.show,
        "Show an organization",
        answers=(Answer(200, "The organization", OrganizationView),),
        refusals=(404,),
    ),
    Route(
        "PUT",
        "/v1/organizations/{id}",
        organizations.put,
        "Create an organization, or change it (operators)",
        answers=(
            Answer(200, "Changed", OrganizationView),
            Answer(201, "Created; the sender owns it", OrganizationView),
        ),
        refusals=(*BODY, 403, 404),
        body=OrganizationBody,
    ),
    Route(
        "PUT",
        "/v1/organizations/{id}/producers/{user}",
        organizations.put_producer,
        "Let a broker user publish uploads for an organization (operators)",
        answers=(Answer(200, "The producer", ProducerView),),
        refusals=(*BODY, 403, 404),
        body=ProducerBody,
    ),
    Route(
        "GET",
        "/v1/parties",
        parties.index,
        "List the parties of the sender's organizations",
        answers=(Answer(200, "All of them", PartyList),),
        refusals=(400, 404),
        parameters=(ORGANIZATION,),
    ),
    Route(
        "GET",
        "/v1/parties/{id}",
        parties.show,
        "Show a party",
        answers=(Answer(200, "The party", PartyView),),
        refusals=(404,),
    ),
    Route(
        "PUT",
        "/v1/parties/{id}",
        parties.put,
        "Create a party, or change it (owners and admins)",
        answers=(Answer(200, "Changed", PartyView), Answer(201, "Created", PartyView)),
        refusals=(*BODY, 403, 404),
        body=PartyBody,
    ),
    Route(
        "POST",
        "/v1/parties/{id}/void",
        parties.void,
        "Let an entry wait for no certificate any more (owners and admins)",
        answers=(Answer(200, "The entry is void", PartyView),),
        refusals=(403, 404, 409),
    ),
    *WEBHOOK_ROUTES,
    *EVENT_ROUTES,
    *DEAD_ROUTES,
    *SERVICE_ROUTES,
    Route(
        "GET",
        "/v1/sealing-keys",
        public.sealing_keys,
        "Show the public keys to seal to",
        answers=(Answer(200, "A JWK set and the ways to seal", SealingKeysDocument),),
        public=True,
    ),
    Route(
        "GET",
        "/livez",
        public.live,
        "Tell that the process answers",
        answers=(Answer(200, "It does", Health),),
        public=True,
    ),
    Route(
        "GET",
        "/readyz",
        public.ready,
        "Tell whether all that is required is there",
        answers=(Answer(200, "It is", Health), Answer(503, "Something required is away", Health)),
        parameters=(VERBOSE,),
        public=True,
    ),
    Route(
        "GET",
        "/openapi.json",
        public.openapi,
        "Show this document",
        answers=(Answer(200, "OpenAPI 3.1"),),
        public=True,
    ),
)
