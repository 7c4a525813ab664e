import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.check_configs import check_configs


def test_what_json_says_again_is_exported():
    check_configs({"cfg": {"a": [1, 2.5, None, True, "x", {"b": {}}], "big": 2**70}, "none": None})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"pair": (1, 2)}, r"cfg\.pair is a tuple"),
        ({"a": [{"b": (1,)}]}, r"cfg\.a\[0\]\.b is a tuple"),
        ({"a": {1: 2}}, r"cfg\.a\[1\] is below a key of type int"),
        ({"a": {1, 2}}, r"cfg\.a is a set"),
    ],
)
def test_what_json_would_change_is_refused_by_its_place(value, words):
    with pytest.raises(BridgeError, match=words):
        check_configs({"cfg": value})
