"""Whom to trust in TLS: the usual authorities, and the one that a variable names."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from data_engineering.errors import BadInputError

VARIABLES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""The first that is set counts, for S3 and for downloads alike."""


def authority() -> tuple[str, Path] | None:
    """Return the variable that names certificates to trust, and their file, or None.

    Raises:
        BadInputError: the variable names no file of certificates.
    """
    for name in VARIABLES:
        if value := os.environ.get(name):
            path = Path(value)
            try:
                ssl.create_default_context().load_verify_locations(cafile=path)
            except (OSError, ssl.SSLError) as error:
                why = error.strerror if isinstance(error, OSError) and error.strerror else error
                raise BadInputError(
                    f"{name} is {value!r}, which is no file of certificates ({why}): "
                    "correct the variable or unset it"
                ) from error
            return name, path
    return None


def context() -> ssl.SSLContext:
    """Return what Python's clients are to trust; raises as `authority` does."""
    found = authority()
    # Without the variable: it would take the place of the usual authorities.
    trusted = ssl.create_default_context(cafile=_usual())
    if found:
        trusted.load_verify_locations(cafile=found[1])
    return trusted


def advice() -> str:
    """Return what to do about a certificate that nobody trusted."""
    found = authority()
    read = f"{found[0]} ({found[1]}) does not have it" if found else "none is set"
    return (
        f"its certificate is of no authority that we trust. Name a file with the authority's "
        f"certificate in {VARIABLES[0]}: {read}"
    )


def _usual() -> str:
    import certifi

    return certifi.where()
