from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.core.ids import uuid7
from certpipe.core.uploads import BoxBinding
from schemas.upload import SealFormat
from tests.unit.crypto.comparing import members
from tests.unit.crypto.conftest import Intake
from tests.unit.crypto.independent import open_hpke, seal_hpke


def test_what_was_sealed_opens(intake: Intake, bundle: Bundle, binding: BoxBinding) -> None:
    box = intake.sealer.seal(bundle, binding)
    assert (box.format, box.kid) == (SealFormat.HPKE, intake.kid)
    assert members(intake.opener.open(box, binding)) == members(bundle)


def test_the_largest_bundle_that_sat_could_mean_opens(intake: Intake, binding: BoxBinding) -> None:
    bundle = Bundle(certificate=bytes(65_536), private_key=b"\xff" * 65_536, password="Ñ" * 1_000)
    assert members(intake.opener.open(intake.sealer.seal(bundle, binding), binding)) == members(bundle)


def test_two_boxes_of_one_bundle_have_nothing_in_common(intake: Intake, bundle: Bundle, binding: BoxBinding) -> None:
    first, second = (intake.sealer.seal(bundle, binding).ciphertext for _ in range(2))
    assert first[:32] != second[:32]
    assert first[32:] != second[32:]


@pytest.mark.parametrize(
    ("field", "faulty"),
    [
        ("certificate", Bundle(certificate=bytes(70_000), private_key=b"", password="")),
        ("private_key", Bundle(certificate=b"", private_key=bytes(70_000), password="")),
        ("password", Bundle(certificate=b"", private_key=b"", password="x" * 1_001)),
        ("password", Bundle(certificate=b"", private_key=b"", password="\ud800")),
    ],
)
def test_nothing_is_sealed_that_could_not_be_opened(
    intake: Intake, binding: BoxBinding, field: str, faulty: Bundle
) -> None:
    with pytest.raises(Rejected) as caught:
        intake.sealer.seal(faulty, binding)
    assert [(problem.code, problem.field) for problem in caught.value.problems] == [("bundle_unsealable", field)]


@pytest.mark.parametrize("changed", ["upload_id", "organization_id"])
def test_a_box_opens_for_its_upload_and_organization_only(
    intake: Intake, bundle: Bundle, binding: BoxBinding, changed: str
) -> None:
    box = intake.sealer.seal(bundle, binding)
    with pytest.raises(Rejected, match=r"^box_unopenable$"):
        intake.opener.open(box, replace(binding, **{changed: uuid7()}))


def test_swapping_the_two_ids_of_a_binding_is_another_binding(
    intake: Intake, bundle: Bundle, binding: BoxBinding
) -> None:
    box = intake.sealer.seal(bundle, binding)
    with pytest.raises(Rejected, match=r"^box_unopenable$"):
        intake.opener.open(box, BoxBinding(binding.organization_id, binding.upload_id))


def test_the_key_id_is_part_of_what_is_sealed(intake: Intake, bundle: Bundle, binding: BoxBinding) -> None:
    """Even where two ids name the very same key."""
    box = replace(intake.sealer.seal(bundle, binding), kid="intake-other.v1")
    twin = Intake("intake-other.v1", intake.private_key)
    with pytest.raises(Rejected, match=r"^box_unopenable$"):
        twin.opener.open(box, binding)


def test_our_boxes_open_by_the_letter_of_rfc_9180(intake: Intake, bundle: Bundle, binding: BoxBinding) -> None:
    box = intake.sealer.seal(bundle, binding)
    info = f"certpipe/seal/v1|{intake.kid}|{binding.upload_id}|{binding.organization_id}".encode()
    plaintext = open_hpke(box.ciphertext, intake.private_key, info)
    assert plaintext.startswith(b'{"certificate":"')


def test_boxes_made_by_the_letter_of_rfc_9180_open(intake: Intake, bundle: Bundle, binding: BoxBinding) -> None:
    info = f"certpipe/seal/v1|{intake.kid}|{binding.upload_id}|{binding.organization_id}".encode()
    plaintext = '{"password":"Ñ","private_key":"MIIC","certificate":"MIIB"}'.encode()
    sealed = seal_hpke(plaintext, intake.public_key, info, X25519PrivateKey.generate())
    box = replace(intake.sealer.seal(bundle, binding), ciphertext=sealed)
    assert members(intake.opener.open(box, binding)) == (b"0\x82\x01", b"0\x82\x02", "Ñ")
