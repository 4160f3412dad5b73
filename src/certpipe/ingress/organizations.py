"""`/v1/organizations`: tenants and their producers. Operators make them; members see them."""

import re
from dataclasses import replace

from aiohttp import web

from certpipe.core.ports.directory import Organization, Producer, Role
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import BODIES, DIRECTORY
from certpipe.ingress.problems import INVALID_FIELD, INVALID_RFC
from certpipe.ingress.refusal import RefusedError
from certpipe.sat.rfc import is_rfc
from schemas.directory import (
    OrganizationBody,
    OrganizationList,
    OrganizationView,
    ProducerBody,
    ProducerView,
)

USER_PATTERN = r"[A-Za-z0-9_.@+-]{1,128}"
_USER = re.compile(USER_PATTERN)


async def put(call: Call) -> web.StreamResponse:
    """Create it, with the sender as owner, or change it."""
    call.needs_operator()
    organization_id = call.path_id()
    body = await call.of(BODIES).read_model(call.request, OrganizationBody)
    if not is_rfc(body.rfc):
        raise RefusedError(INVALID_RFC)
    organization = Organization(organization_id, body.rfc, body.name)
    created = await call.of(DIRECTORY).put_organization(organization, owner=call.principal.subject)
    role = (await call.roles()).get(organization_id)
    return answer(_view(organization, role), status=201 if created else 200)


async def show(call: Call) -> web.StreamResponse:
    """One of the sender's."""
    organization_id = call.path_id()
    role = (await call.roles()).get(organization_id)
    organization = await call.of(DIRECTORY).organization(organization_id) if role else None
    if organization is None:
        raise RefusedError(TARGET_NOT_FOUND)
    return answer(_view(organization, role))


async def index(call: Call) -> web.StreamResponse:
    """All of the sender's."""
    roles = await call.roles()
    organizations = await call.of(DIRECTORY).organizations(call.principal.subject)
    return answer(OrganizationList(items=tuple(_view(each, roles.get(each.id)) for each in organizations)))


async def put_producer(call: Call) -> web.StreamResponse:
    """Let a broker user publish uploads for the organization."""
    call.needs_operator()
    organization_id, user = call.path_id(), call.request.match_info["user"]
    if not _USER.fullmatch(user):
        raise RefusedError(replace(INVALID_FIELD, field="user", hint="Letters, digits and _ . @ + -, at most 128"))
    body = await call.of(BODIES).read_model(call.request, ProducerBody)
    if await call.of(DIRECTORY).organization(organization_id) is None:
        raise RefusedError(TARGET_NOT_FOUND)
    producer = Producer(user, organization_id, may_send_clear=body.may_send_clear)
    await call.of(DIRECTORY).put_producer(producer)
    return answer(ProducerView(user=user, organization_id=organization_id, may_send_clear=body.may_send_clear))


def _view(organization: Organization, role: Role | None) -> OrganizationView:
    return OrganizationView(id=organization.id, rfc=organization.rfc, name=organization.name, role=role)
