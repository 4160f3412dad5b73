"""The proof that a private key belongs to a certificate, by arithmetic (RFC 8017, section 3.2).

For the genuine modulus of a certificate the factorisation is unique, so no primality test is needed: whoever knows p
and q with p·q = n holds the key. Numbers that a stranger chose never reach a cryptographic library.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from certpipe.sat.certificate import LARGEST_MODULUS_BITS, PublicKey
from certpipe.sat.der import SEQUENCE, DerError, Reader


@dataclass(frozen=True, slots=True)
class Numbers:
    """The integers of an RSAPrivateKey. It prints none of them."""

    n: int = field(repr=False)
    e: int = field(repr=False)
    d: int = field(repr=False)
    p: int = field(repr=False)
    q: int = field(repr=False)
    dp: int = field(repr=False)
    dq: int = field(repr=False)
    qinv: int = field(repr=False)

    @property
    def sound(self) -> bool:
        """Whether they are one RSA key. Costs microseconds; takes part in no library."""
        n, e, d, p, q = self.n, self.e, self.d, self.p, self.q
        if not (1 < p < n and 1 < q < n and p * q == n and p != q and p & q & 1):
            return False
        product = d * e - 1
        return (
            e > 1
            and d > 1
            and product % (p - 1) == 0
            and product % (q - 1) == 0
            and self.dp == d % (p - 1)
            and self.dq == d % (q - 1)
            and 0 < self.qinv < p
            and self.qinv * q % p == 1
        )

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return PublicKey(self.n, self.e)


def read(der: bytes) -> Numbers:
    """An RSAPrivateKey (RFC 8017, A.1.2) of two primes and of a size that we compute with. Raises `DerError`."""
    outer = Reader(der)
    fields = outer.enter(SEQUENCE)
    outer.finish()
    if fields.integer(most_bytes=1) != 0:
        raise DerError("not a key of two primes")
    most = LARGEST_MODULUS_BITS // 8 + 1
    n, e, d, p, q, dp, dq, qinv = (fields.integer(most_bytes=most) for _ in range(8))
    fields.finish()
    return Numbers(n, e, d, p, q, dp, dq, qinv)


def signs(numbers: Numbers) -> bool:
    """Whether a signature made with these numbers verifies. Only for sound numbers whose modulus SAT signed!

    That is why the library's own validation (a primality test of some 35 ms) may be skipped here, and only here.
    """
    public = rsa.RSAPublicNumbers(numbers.e, numbers.n)
    message = b"certpipe self-test"
    small = numbers.d % ((numbers.p - 1) * (numbers.q - 1))  # a larger d is the same key, which the library cannot hold
    try:
        key = rsa.RSAPrivateNumbers(
            numbers.p, numbers.q, small, numbers.dp, numbers.dq, numbers.qinv, public
        ).private_key(unsafe_skip_rsa_key_validation=True)
        signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        public.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True
