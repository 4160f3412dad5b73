"""Everything but the notify worker, in one process: what is told, another process tells."""

from certpipe.development.up import up
from certpipe.starting import run
from workers import encrypt, forward, ingress, persist, sweeper, validate

if __name__ == "__main__":
    run("all", up(ingress.role, [validate.role, encrypt.role, persist.role, forward.role, sweeper.role]))
