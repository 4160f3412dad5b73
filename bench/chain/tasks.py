"""The four tasks. Each reads its row, works, and commits its state once; the next one is published by the chain."""

import os
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import requests

from bench.chain.app import app
from bench.chain.envelope import Envelope, Wrapped
from bench.chain.pac import Pac
from bench.chain.proof import Prover

RETRY = {"autoretry_for": (psycopg.OperationalError, requests.RequestException), "retry_backoff": True}


@cache
def database() -> "psycopg.Connection[tuple[object, ...]]":
    """This process's connection."""
    return psycopg.connect(os.environ["CHAIN_DATABASE_URL"], autocommit=True)


@cache
def prover() -> Prover:
    """This process's prover."""
    return Prover(Path(os.environ["CHAIN_AUTHORITY"]), skip_key_check=os.environ["CHAIN_SKIP_KEY_CHECK"] == "1")


@cache
def envelope() -> Envelope:
    """This process's wrapping key."""
    return Envelope(bytes.fromhex(os.environ["CHAIN_WRAPPING_KEY"]))


@cache
def pac() -> Pac:
    """This process's session with the PAC."""
    return Pac(os.environ["CHAIN_PAC_URL"])


def _payload(upload_id: str) -> tuple[bytes, bytes, str]:
    row = database().execute(
        "SELECT certificate, private_key, password FROM payloads WHERE upload_id = %s", (upload_id,)
    )
    certificate, private_key, password = row.fetchone() or (b"", b"", "")
    return bytes(certificate), bytes(private_key), str(password)


@app.task(**RETRY)
def validate(upload_id: str) -> None:
    """Prove the bundle."""
    facts = prover().prove(*_payload(upload_id))
    database().execute(
        "UPDATE uploads SET state = 'validated', rfc = %s, number = %s, updated_at = now()"
        " WHERE id = %s AND state = 'received'",
        (facts.rfc, facts.number, upload_id),
    )


@app.task(**RETRY)
def encrypt(upload_id: str) -> None:
    """Wrap its parts."""
    certificate, private_key, password = _payload(upload_id)
    certificate_id = uuid4()
    contents = {"certificate": certificate, "private_key": private_key, "password": password.encode()}
    rows = []
    for part, content in contents.items():
        wrapped = envelope().wrap(content, _context(certificate_id, part))
        rows.append((certificate_id, part, wrapped.ciphertext, wrapped.nonce, wrapped.wrapped_key))
    with database().transaction(), database().cursor() as cursor:
        cursor.execute(
            "UPDATE uploads SET state = 'encrypted', certificate_id = %s, updated_at = now()"
            " WHERE id = %s AND state = 'validated'",
            (certificate_id, upload_id),
        )
        if cursor.rowcount:
            cursor.executemany(
                "INSERT INTO parts (certificate_id, part, ciphertext, nonce, wrapped_key) VALUES (%s, %s, %s, %s, %s)",
                rows,
            )


@app.task(**RETRY)
def persist(upload_id: str) -> None:
    """Make it the party's active certificate, and delete what was submitted."""
    with database().transaction(), database().cursor() as cursor:
        cursor.execute(
            "UPDATE uploads SET state = 'stored', updated_at = now() WHERE id = %s AND state = 'encrypted'"
            " RETURNING certificate_id, party_id, kind, number",
            (upload_id,),
        )
        row = cursor.fetchone()
        if row is None:
            return
        cursor.execute(
            "UPDATE certificates SET replaced_at = now() WHERE party_id = %s AND kind = %s AND replaced_at IS NULL",
            row[1:3],
        )
        cursor.execute("INSERT INTO certificates (id, party_id, kind, number) VALUES (%s, %s, %s, %s)", row)
        cursor.execute("DELETE FROM payloads WHERE upload_id = %s", (upload_id,))


@app.task(**RETRY)
def forward(upload_id: str) -> None:
    """Unwrap it and hand it to the PAC."""
    rows = database().execute(
        "SELECT u.certificate_id, u.number, p.part, p.ciphertext, p.nonce, p.wrapped_key"
        " FROM uploads u JOIN parts p ON p.certificate_id = u.certificate_id WHERE u.id = %s AND u.state = 'stored'",
        (upload_id,),
    )
    found: dict[str, bytes] = {}
    number = ""
    for certificate_id, number_of_row, part, *wrapped in rows.fetchall():
        number = str(number_of_row)
        found[str(part)] = envelope().unwrap(Wrapped(*wrapped), _context(certificate_id, str(part)))
    if not found:
        return
    pac().save(found["certificate"], found["private_key"], found["password"].decode(), number)
    database().execute(
        "UPDATE uploads SET state = 'forwarded', updated_at = now() WHERE id = %s AND state = 'stored'", (upload_id,)
    )


def _context(certificate_id: UUID | object, part: str) -> bytes:
    return f"{certificate_id}|{part}".encode()
