import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kubeconfig():
    """The path of $KUBECONFIG, where a cluster answers; skips elsewhere."""
    path = os.environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        pytest.skip("no Kubernetes cluster: set KUBECONFIG to the file of a test cluster")
    return path
