"""The feeder of the chain: insert, commit, publish the chain, for as many uploads as each line asks for."""

import json
import os
import sys
from base64 import b64decode
from itertools import cycle
from pathlib import Path
from uuid import uuid4

import psycopg
from celery import chain

from bench.chain.tasks import encrypt, forward, persist, validate


def main(folder: Path) -> None:
    """Serve until standard input ends."""
    pairs = cycle(
        (b64decode(pair["certificate"]), b64decode(pair["private_key"]), pair["password"])
        for pair in json.loads((folder / "pairs.json").read_text(encoding="utf-8"))
    )
    with psycopg.connect(os.environ["CHAIN_DATABASE_URL"], autocommit=True) as database:
        for line in sys.stdin:
            for _ in range(int(line)):
                upload_id = uuid4()
                with database.transaction():
                    database.execute(
                        "INSERT INTO uploads (id, party_id, kind) VALUES (%s, %s, 'csd')", (upload_id, uuid4())
                    )
                    database.execute("INSERT INTO payloads VALUES (%s, %s, %s, %s)", (upload_id, *next(pairs)))
                name = str(upload_id)
                chain(validate.si(name), encrypt.si(name), persist.si(name), forward.si(name)).apply_async()
            sys.stdout.write(line)
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
