"""Values arrive as they were given, or are refused by the parameter's name before a run begins."""

from __future__ import annotations

import secrets

import pytest
from metaflow_airflow.airflow_api.run_conf import checked_values, read_changes, run_conf
from metaflow_airflow.deployer.values import as_given
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.record import Parameter, Record
from metaflow_airflow.plan.step import Deployment

PARAMETERS = (
    Parameter("n", "integer", 1),
    Parameter("f", "number", 1.5),
    Parameter("yes", "boolean", False),
    Parameter("word", "string", "x"),
    Parameter("my-data", "json", {}),
    Parameter("table", "file", "{}"),
)


def record(*parameters, **words):
    return Record(
        dag_id="Flow",
        flow="Flow",
        format=2,
        deployment=Deployment(script="f.py"),
        parameters=parameters or PARAMETERS,
        **words,
    )


@pytest.mark.parametrize(
    "value", ["42", "hello", "null", "", 0, [], {}, [1, None, "2"], False, 1.5, "🚕 é"]
)
def test_a_json_value_stays_what_it_is(value):
    assert run_conf(record(), {"my-data": value}) == {"my-data": value}
    assert as_given(record(), {"my_data": value}) == {"my-data": value}


def test_a_text_that_is_a_json_object_or_list_counts_as_one_in_python():
    assert as_given(record(), {"my_data": '[1, {"a": null}]'}) == {"my-data": [1, {"a": None}]}


def test_what_is_not_given_is_left_to_the_deployed_default():
    assert run_conf(record(), {"n": None, "word": "y"}) == {"word": "y"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("n", "three", "'three' is of the wrong type; integer was deployed"),
        ("n", 2.5, "2.5 is of the wrong type"),
        ("n", True, "True is of the wrong type"),
        ("yes", 1, "1 is of the wrong type; boolean"),
        ("word", 5, "5 is of the wrong type; text"),
        ("n", 2**64, "18446744073709551616 cannot be sent .* 64 bits"),
        ("n", -(2**63) - 1, "64 bits"),
        ("f", 1e22, r"1e\+22 cannot be sent .* 64 bits"),
        ("f", -0.0, r"-0\.0 cannot be sent .* no sign of a zero"),
        ("f", float("inf"), "inf cannot be sent .* finite numbers"),
        ("f", float("nan"), "finite"),
        ("my-data", {"a": [1, {"b": 1e300}]}, r"1e\+300"),
        ("my-data", [1e16], r"1e\+16 cannot be sent .* as an integer"),
        ("my-data", {"a": {1, 2}}, "JSON has no set"),
        ("word", "a\0b", "NUL"),
        ("word", "\ud83d", "surrogate"),
        ("table", "./rows.csv", "'./rows.csv' is a path"),
        ("m", 1, r"deployed without a parameter \*m\* \(it has: n, f"),
    ],
)
def test_what_no_step_would_get_is_refused_by_name(name, value, words):
    with pytest.raises(BridgeError, match=words):
        run_conf(record(), {name: value})


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 0])
def test_whole_numbers_of_64_bits_are_sent(value):
    assert run_conf(record(), {"n": value}) == {"n": value}


@pytest.mark.parametrize("value", [1e-300, 0.1, 1e15, 1e16, 1e19, 2, -1.5])
def test_other_numbers_are_sent(value):
    assert run_conf(record(), {"f": value}) == {"f": value}


def test_a_required_value_is_asked_for_by_what_is_deployed():
    deployed = record(Parameter("who", required=True), Parameter("n", "integer", 1))
    with pytest.raises(BridgeError, match="Flow needs a value for who"):
        run_conf(deployed, {"n": 3})
    assert run_conf(deployed, {"who": "ann"}) == {"who": "ann"}


def test_a_megabyte_is_sent_to_a_process_and_refused_with_its_size_to_a_pod():
    values = {"word": secrets.token_hex(500_000), "n": 2}
    assert run_conf(record(), values) == values
    deployed = record(steps=("start", "end"), start_in_pod=True)
    with pytest.raises(BridgeError, match=r"take 1,000,0\d\d bytes .* most of them \*word\*"):
        run_conf(deployed, values)
    assert run_conf(deployed, {"word": "x" * 1_000_000}), "it packs well"


def test_changes_of_a_resumed_run_are_read_by_their_types():
    changes = ["n=3", "f=2", "yes=No", "word=a=b", 'my-data="42"']
    values = {"n": 3, "f": 2.0, "yes": False, "word": "a=b", "my-data": "42"}
    assert read_changes(record(), changes) == values
    assert checked_values(record(), values) == values


@pytest.mark.parametrize(
    ("change", "words"),
    [("n=x", "'x' is of the wrong type"), ("n", "NAME=VALUE"), ("m=1", "without a parameter")],
)
def test_a_change_that_cannot_be_made_is_named(change, words):
    with pytest.raises(BridgeError, match=words):
        read_changes(record(), [change])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BridgeError, match=r"\*table\*: the file .*no.csv cannot be read"):
        as_given(record(), {"table": tmp_path / "no.csv"})
