"""The proof by arithmetic gives the verdict of the library's full check, which costs fifty times as much."""

import math
from dataclasses import astuple

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certpipe.core.errors import Rejected
from certpipe.sat import private_key, rsa_proof
from certpipe.sat.der import DerError
from certpipe.sat.rsa_proof import Numbers
from certpipe.simulators import der
from certpipe.simulators.authority import Issued
from tests.unit.sat.build import THOROUGH, numbers_of, private_key_info

EXAMPLES = 10_000 if THOROUGH else 200
BITS = 1024
pytestmark = pytest.mark.timeout(0 if THOROUGH else 120)

FIELDS = ("n", "e", "d", "p", "q", "dP", "dQ", "qInv")

mutations = st.tuples(
    st.integers(0, len(FIELDS) - 1),
    st.one_of(
        st.integers(-3, 3).map(lambda step: ("add", step)),
        st.integers(0, 2047).map(lambda bit: ("flip", bit)),
        st.integers(-2, 40).map(lambda times: ("period", times)),
        st.integers(0, len(FIELDS) - 1).map(lambda other: ("copy", other)),
        st.integers(-2, 2**2048).map(lambda value: ("set", value)),
    ),
)


def mutated(numbers: Numbers, place: int, how: str, amount: int) -> list[int]:
    """One integer changed: at random, or by what it is congruent modulo."""
    values = list(astuple(numbers))
    if how == "add":
        values[place] += amount
    elif how == "flip":
        values[place] ^= 1 << amount
    elif how == "copy":
        values[place], values[amount] = values[amount], values[place]
    elif how == "set":
        values[place] = amount
    else:
        period = (1, 1, math.lcm(numbers.p - 1, numbers.q - 1), 1, 1, numbers.p - 1, numbers.q - 1, numbers.p)[place]
        values[place] += amount * period
    return values


def library_takes(plain: bytes, certified: rsa.RSAPublicKey) -> bool:
    try:
        key = load_der_private_key(plain, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return key.public_key().public_numbers() == certified.public_numbers()  # type: ignore[union-attr] # it is RSA


def proof_takes(plain: bytes, certified: rsa.RSAPublicKey) -> bool:
    try:
        public = private_key.numbers(plain).public
    except Rejected:
        return False
    return (public.modulus, public.exponent) == (certified.public_numbers().n, certified.public_numbers().e)


@pytest.fixture(scope="module")
def tried() -> rsa.RSAPrivateKey:
    """The key that is mutated. The library takes six times as long for the size that SAT issues."""
    return rsa.generate_private_key(65537, BITS)


slow_is_fine = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@slow_is_fine
@given(changes=st.lists(mutations, max_size=2))
def test_mutated_integers_get_the_librarys_verdict(
    tried: rsa.RSAPrivateKey, changes: list[tuple[int, tuple[str, int]]]
) -> None:
    values = list(astuple(numbers_of(tried)))
    for place, (how, amount) in changes:
        values = mutated(Numbers(*values), place, how, amount)
    plain = private_key_info(values)
    assert proof_takes(plain, tried.public_key()) == library_takes(plain, tried.public_key())


@slow_is_fine
@given(place=st.integers(0, 1215), value=st.integers(1, 255))
def test_mutated_bytes_get_the_librarys_verdict(tried: rsa.RSAPrivateKey, place: int, value: int) -> None:
    plain = bytearray(private_key_info(astuple(numbers_of(tried))))
    plain[place % len(plain)] ^= value
    certified = tried.public_key()
    assert not proof_takes(bytes(plain), certified)
    assert not library_takes(bytes(plain), certified)


def test_the_proof_takes_what_the_library_takes(csd: Issued) -> None:
    numbers = numbers_of(csd.key)
    period = math.lcm(numbers.p - 1, numbers.q - 1)
    swapped = (numbers.q, numbers.p, numbers.dq, numbers.dp, pow(numbers.p, -1, numbers.q))
    for values in (
        astuple(numbers),
        (numbers.n, numbers.e, numbers.d % period, *astuple(numbers)[3:]),
        (numbers.n, numbers.e, numbers.d + period * 2**20, *astuple(numbers)[3:]),
        (numbers.n, numbers.e, numbers.d, *swapped),
    ):
        plain = private_key_info(values)
        assert library_takes(plain, csd.key.public_key())
        assert proof_takes(plain, csd.key.public_key())
        assert rsa_proof.signs(Numbers(*values))


@pytest.mark.parametrize("place", range(len(FIELDS)), ids=FIELDS)
@pytest.mark.parametrize("value", [-1, 0, 1, 2, 2**2048])
def test_degenerate_integers_are_unsound(csd: Issued, place: int, value: int) -> None:
    values = list(astuple(numbers_of(csd.key)))
    values[place] = value
    assert not Numbers(*values).sound


def test_a_trivial_factorisation_is_unsound(csd: Issued) -> None:
    numbers = numbers_of(csd.key)
    assert not Numbers(numbers.n, numbers.e, numbers.d, numbers.n, 1, numbers.dp, 0, 1).sound


def test_numbers_print_nothing(csd: Issued) -> None:
    numbers = numbers_of(csd.key)
    assert repr(numbers) == "Numbers()"


def test_numbers_that_do_not_fit_do_not_sign(csd: Issued, fiel: Issued) -> None:
    mine, other = numbers_of(csd.key), numbers_of(fiel.key)
    assert not rsa_proof.signs(Numbers(other.n, *astuple(mine)[1:]))


def test_an_exponent_that_fits_only_one_prime_is_unsound(csd: Issued) -> None:
    good = numbers_of(csd.key)
    for fitting, other in ((good.p, good.q), (good.q, good.p)):
        d = good.d + 2 * (fitting - 1)
        assert (d * good.e) % (fitting - 1) == 1
        assert (d * good.e) % (other - 1) != 1
        assert not Numbers(good.n, good.e, d, good.p, good.q, d % (good.p - 1), d % (good.q - 1), good.qinv).sound


def test_integers_over_8192_bits_are_not_even_read() -> None:
    with pytest.raises(DerError):
        rsa_proof.read(der.sequence(der.integer(0), *[der.integer(2**8200)] * 8))
