"""SW Sapien: the CSD vault and Efisco's FIEL vault, behind one account and one token."""

from certpipe.connectors.sw.efisco import Efisco
from certpipe.connectors.sw.session import SwSession
from certpipe.connectors.sw.tokens import Credentials
from certpipe.connectors.sw.vault import SwVault

__all__ = ["Credentials", "Efisco", "SwSession", "SwVault"]
