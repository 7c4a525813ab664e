from importlib.metadata import version

import pod_image


def test_the_module_says_the_version_that_the_package_has():
    assert pod_image.__version__ == version("pod-image")
