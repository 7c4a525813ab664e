"""Parameters of a flow as Airflow's form has them: typed, with the defaults that `run` has."""

import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.read_parameters import read_parameters
from metaflow_airflow.plan.record import Parameter

STEP = "\n@step\ndef start(self):\n    pass\n"


@pytest.fixture
def read(write_flow):
    """Reads the one parameter that is declared."""
    from metaflow.parameters import set_parameter_context

    class Store:
        TYPE = "s3"

    set_parameter_context("Written", print, Store, {})

    def reader(declared, scheduled=False):
        lines = "\n".join(f"p{n} = {each}" for n, each in enumerate(declared.split("; ")))
        flow = write_flow(lines + STEP)
        for _, parameter in flow._get_parameters():
            parameter.init()
        return list(read_parameters(flow, scheduled=scheduled))

    return reader


@pytest.mark.parametrize(
    ("declared", "kind", "default"),
    [
        ("default=3", "integer", 3),
        ("default=lambda ctx: 2, type=int", "integer", 2),
        ("default=lambda ctx: 2.5, type=float", "number", 2.5),
        ("default=lambda ctx: False, type=bool", "boolean", False),
        ("default=lambda ctx: 'a ' + ctx.flow_name", "string", "a Written"),
        ("default=lambda ctx: '{\"a\": [8]}', type=JSONType", "json", {"a": [8]}),
        ("default=lambda ctx: [8], type=JSONType", "json", [8]),
        ("default='{\"a\": 1}', type=JSONType", "json", {"a": 1}),
        ("default='\"42\"', type=JSONType", "json", "42"),
        ("default={'a': 1}, type=JSONType", "json", {"a": 1}),
        ("default='5', type=int", "integer", 5),
        ("default='no', type=bool", "boolean", False),
        ("type=int", "integer", None),
        # What JSON or Airflow cannot say, the step takes from the flow itself.
        ("default=(1, 2), type=JSONType", "json", None),
        ("default={1: 2}, type=JSONType", "json", None),
        ("default=1e22", "number", None),
        ("default=2**64", "integer", None),
        ("default=float('nan')", "number", None),
        ("default={'a': 1}", "string", None),
        ("default=[1]", "string", None),
        ("default=5, type=str", "string", None),
    ],
)
def test_a_default_has_its_parameters_type(read, declared, kind, default):
    (found,) = read(f"Parameter('n', {declared})")

    assert found == Parameter("n", kind, default)
    assert type(found.default) is type(default)


def test_a_required_parameter_has_no_default(read):
    assert read("Parameter('n', type=int, required=True, help='many')") == [
        Parameter("n", "integer", required=True, description="many")
    ]


def test_a_file_says_how_its_text_is_encoded(read):
    text, content = read(
        "IncludeFile('a', required=True, encoding='latin-1'); IncludeFile('b', is_text=False)"
    )
    assert (text.kind, text.encoding, text.types) == ("file", "latin-1", ("string",))
    assert (content.kind, content.encoding, content.types) == ("file", None, ("null", "string"))


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("Parameter('n', default='x', type=int)", "default 'x' is not of its type"),
        ("Parameter('n', default='{', type=JSONType)", "not of its type"),
        ("Parameter('n'); Parameter('N')", "differ only in case"),
        ("Parameter('n', required=True)", "is scheduled"),
    ],
)
def test_what_no_run_could_have_is_refused(read, declared, words):
    with pytest.raises(BridgeError, match=words):
        read(declared, scheduled=True)
