"""A bundle has no equality, so that nothing compares secrets by accident; tests compare members."""

from certpipe.core.bundle import Bundle


def members(bundle: Bundle) -> tuple[bytes, bytes, str]:
    return bundle.certificate, bundle.private_key, bundle.password
