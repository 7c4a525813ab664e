"""What compat/botocore.py takes from botocore is still there."""

from __future__ import annotations

import inspect

from botocore import session
from metaflow_airflow.compat.botocore import share_service_models


def test_share_service_models(monkeypatch):
    # A session asks for its loader by this name, in this module, with the search path alone.
    assert "create_loader(" in inspect.getsource(session.Session)
    monkeypatch.setattr(session, "create_loader", session.create_loader)
    share_service_models()
    share_service_models()
    one, other = (session.Session().get_component("data_loader") for _ in range(2))
    assert one is other
