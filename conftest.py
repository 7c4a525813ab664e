"""Fixtures for the whole workspace; a member that is tested alone may lack the embedded stack."""

from importlib.util import find_spec

pytest_plugins = ["s3_server", *(["embedded.testing"] if find_spec("embedded") else [])]
