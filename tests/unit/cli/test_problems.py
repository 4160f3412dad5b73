"""A server's problem document, told to a person."""

from certpipe.cli.failure import ExitCode
from certpipe.cli.problems import clean, refusal

FAULT = {
    "code": "wrong_password",
    "field": "password",
    "message_es": "La contraseña no abre la llave",
    "message_en": "The password does not open the key",
    "hint": "Es la de la llave privada",
    "provider_code": "307",
    "provider_message": "no\x1b[2Jhay",
}


def test_every_fault_is_told_in_both_languages_with_code_field_hint_and_the_providers_words() -> None:
    told = refusal(422, {"detail": "No.", "code": "rejected", "errors": [FAULT, "nonsense"]}, None).message
    for word in ("La contraseña no", "The password does not", "wrong_password, password", "→ Es la", "PAC: 307 no"):
        assert word in told


def test_no_control_character_of_others_reaches_the_terminal() -> None:
    assert "\x1b" not in refusal(422, {"title": "\x1b]0;x\x07", "errors": [FAULT]}, None).message
    assert clean("a\nb\u202ec") == "a b c"
    assert len(clean("x" * 5_000)) == 1_000


def test_a_server_in_trouble_is_unreachable_and_a_refusal_is_wrong_use() -> None:
    assert refusal(503, {}, "7").exit_code is ExitCode.UNREACHABLE
    assert "7 seconds" in str(refusal(503, {}, "7").hint)
    assert refusal(429, {}, None).exit_code is ExitCode.UNREACHABLE
    for status in (400, 401, 403, 404, 409, 413, 415, 422):
        assert refusal(status, {}, None).exit_code is ExitCode.WRONG_USE


def test_what_is_missing_or_of_another_type_in_a_document_breaks_nothing() -> None:
    assert refusal(400, {"errors": {"a": 1}, "detail": 3, "code": None}, "soon").message == "3 (HTTP 400)"


def test_a_programs_answer_is_the_servers_own_document() -> None:
    assert refusal(404, {"code": "not_found"}, None).document == {"code": "not_found"}
