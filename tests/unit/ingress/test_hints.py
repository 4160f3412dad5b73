"""Whoever sent something wrong is told what would be right, and never what was sent."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from certpipe.core.problems import Problem
from certpipe.ingress.form import Form
from certpipe.ingress.jsonbody import faults
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.submission import UPLOAD_FIELDS, submission
from schemas.directory import OrganizationBody, PartyBody, ProducerBody

PARTY = {"organization_id": "0198f4a2-0000-7000-8000-000000000001", "kind": "entry", "rfc": "EKU9003173C9", "name": "n"}


def _faults(model: type[BaseModel], content: dict[str, Any]) -> dict[str | None, Problem]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(content)
    return {problem.field: problem for problem in faults(caught.value)}


@pytest.mark.parametrize(
    ("model", "content", "field", "hint"),
    [
        (PartyBody, {**PARTY, "kind": "silo"}, "kind", "'entry', 'branch' or 'organization'"),
        (PartyBody, {**PARTY, "organization_id": "mine"}, "organization_id", "UUID"),
        (PartyBody, {**PARTY, "colour": "red"}, "colour", "Leave it out"),
        (OrganizationBody, {"rfc": "EKU9003173C9", "name": ""}, "name", "At least 1 character"),
        (OrganizationBody, {"rfc": "EKU9003173C9" * 2, "name": "n"}, "rfc", "At most 13 character"),
        (OrganizationBody, {"rfc": "EKU9003173C9", "name": "\t"}, "name", "printable"),
        (OrganizationBody, {"rfc": "EKU9003173C9", "name": 5}, "name", "text"),
        (OrganizationBody, {"rfc": "EKU9003173C9"}, "name", "needed"),
        (ProducerBody, {"may_send_clear": "perhaps"}, "may_send_clear", "true or false"),
    ],
)
def test_a_fault_of_a_resource_says_what_it_should_be(
    model: type[BaseModel], content: dict[str, Any], field: str, hint: str
) -> None:
    assert hint in str(_faults(model, content)[field].hint)


def test_a_fault_of_an_upload_says_what_it_should_be() -> None:
    form = Form(UPLOAD_FIELDS)
    form.expects("colour")
    for name, text in (("party_id", "mine"), ("kind", "sello"), ("password", "secret")):
        assert form.expects(name)
        form.put_text(name, text)
    with pytest.raises(RefusedError) as caught:
        submission(form)
    hints = {problem.field: str(problem.hint) for problem in caught.value.problems}
    assert "UUID" in hints["party_id"]
    assert "fiel, csd" in hints["kind"]
    assert "party_id" in hints["colour"]
    assert "secret" not in repr(caught.value.problems)
