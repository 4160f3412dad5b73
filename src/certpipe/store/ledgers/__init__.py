"""What each stage reads and writes, batchwise: one query to load, one durable transaction to settle."""

from certpipe.store.ledgers.encrypt import EncryptLedger
from certpipe.store.ledgers.forward import ForwardLedger
from certpipe.store.ledgers.persist import PersistLedger
from certpipe.store.ledgers.validate import ValidateLedger

__all__ = ["EncryptLedger", "ForwardLedger", "PersistLedger", "ValidateLedger"]
