"""Every role in one process, with embedded defaults: what `make up` runs. Not for production."""

import signal

if __name__ == "__main__":
    # A Ctrl-C while the rest is being loaded ends it without a traceback; `up` takes the signal over.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from certpipe.development.up import up
from certpipe.starting import run
from workers import encrypt, forward, ingress, notify, persist, sweeper, validate

if __name__ == "__main__":
    others = [validate.role, encrypt.role, persist.role, forward.role, notify.role, sweeper.role]
    run("all", up(ingress.role, others))
