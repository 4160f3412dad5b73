"""The whole check of a bundle: every fault at once, in the order of the catalogue."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.core.problems import Problem
from certpipe.sat import certificate as certificates
from certpipe.sat import private_key, rsa_proof, rules
from certpipe.sat.certificate import Certificate
from certpipe.sat.der import DerError
from certpipe.sat.files import Files, sort
from certpipe.sat.forms import Form
from certpipe.sat.passwords import Candidate
from certpipe.sat.problems import PASSWORD, in_order, problem
from certpipe.sat.trust import Anchors, Environment
from schemas.base import Kind
from schemas.status import CertificateFacts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bundle.

    Attributes:
        problems: every fault; empty when it is good.
        warnings: what should be known all the same.
        facts: what could be read of the certificate, good or not.
        canonical: the bundle as DER and with the password text that opened it; only when it is good.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    facts: CertificateFacts
    canonical: Bundle | None

    @property
    def valid(self) -> bool:
        """Whether it is good."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Proof:
    """What the key gave: `numbers` only when they are sound, `candidate` only when a password opened it."""

    problems: list[Problem] = field(default_factory=list)
    numbers: rsa_proof.Numbers | None = None
    candidate: Candidate | None = None


def check(
    bundle: Bundle,
    *,
    anchors: Anchors,
    environment: str,
    at: datetime,
    kind: Kind | None = None,
    rfc: str | None = None,
    self_test: bool = True,
) -> Verdict:
    """Prove a bundle. Never raises, whatever it holds, and costs at most 250 ms of CPU.

    `environment` (`production` or `uat`) says whose certificates are taken, `at` the instant at which it must be valid
    (UTC where it does not say), `kind` and `rfc` what is wanted, or None when any will do. `self_test` signs and
    verifies once more what the arithmetic proved, which cannot fail for two primes that make up what SAT signed.
    """
    instant = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    files = sort(bundle)
    problems = list(files.problems)
    warnings: list[Problem] = []
    found, facts, issuer = _certificate(files, problems), CertificateFacts(), None
    if found is not None:
        issuer = anchors.issuer_of(found)
        facts = rules.facts(found, issuer)
        problems += rules.strength(found)
        problems += rules.origin(found, issuer, Environment(environment))
        problems += rules.usage(found, kind)
        problems += rules.owner(facts, rfc)
        problems += rules.time(found, instant)
        warnings += rules.warnings(found, facts, instant)
    proof = _key(files, bundle.password)
    problems += proof.problems
    if found is not None and proof.numbers is not None:
        problems += _match(found, proof.numbers, self_test=self_test and issuer is not None)
    if proof.candidate is not None and proof.candidate.variant_en:
        warnings.append(_other_reading(proof.candidate))
    canonical = None
    if not problems and proof.candidate is not None:
        canonical = Bundle(certificate=files.certificate.der, private_key=files.key.der, password=proof.candidate.text)
    return Verdict(in_order(problems), in_order(warnings), facts, canonical)


def _certificate(files: Files, problems: list[Problem]) -> Certificate | None:
    if files.certificate.form is not Form.CERTIFICATE:
        return None
    try:
        return certificates.read(files.certificate.der)
    except DerError:
        problems.append(problem("cer_unreadable"))
        return None


def _key(files: Files, password: str) -> _Proof:
    """Open the key and see that its numbers are sound."""
    proof = _Proof()
    try:
        if files.key.form is Form.PLAIN_PKCS8:
            return replace(proof, numbers=private_key.numbers(files.key.der))
        if files.key.form is not Form.ENCRYPTED_KEY:
            return proof
        encrypted = private_key.read(files.key.der)
        if not password:
            return proof
        opened = private_key.unlock(encrypted, password)
        proof = replace(proof, candidate=opened.candidate)
        return replace(proof, numbers=private_key.numbers(opened.plain))
    except Rejected as rejected:
        return replace(proof, problems=list(rejected.problems))


def _match(certificate: Certificate, numbers: rsa_proof.Numbers, *, self_test: bool) -> list[Problem]:
    """The proof of the pair. The self-test is only for numbers whose modulus SAT's signature vouches for."""
    if certificate.public_key is None:
        return []
    if certificate.public_key != numbers.public:
        return [problem("key_mismatch")]
    if self_test and not rsa_proof.signs(numbers):
        return [problem("key_roundtrip")]
    return []


def _other_reading(candidate: Candidate) -> Problem:
    return Problem(
        code="wrong_password",
        message_es=f"La contraseña abrió la llave {candidate.variant_es}, no como se envió",
        message_en=f"The password opened the key {candidate.variant_en}, not as it was sent",
        field=PASSWORD,
        status=200,
    )
