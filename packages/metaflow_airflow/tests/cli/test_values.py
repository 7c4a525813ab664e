"""From the command line, from Python and by default: what a run is configured with."""

from __future__ import annotations

import json

import pytest

FLOW = """
cfg = Parameter("cfg", type=JSONType, default='{"a": 1}')
n = Parameter("n", default=1)
big = Parameter("big", type=float, default=1e22)
table = IncludeFile("table", default="rows.csv")
"""


@pytest.fixture
def deployed(command):
    """A deployment whose flow has parameters of all kinds."""
    command.write(FLOW)
    (command.folder / "rows.csv").write_text("a,b\n1,2\n")
    command.good("create")
    return command


def test_values_stay_what_they_are_from_the_command_line(deployed):
    defaults = {each.name: each.default for each in deployed.record().parameters}
    assert (defaults["cfg"], defaults["n"], defaults["big"]) == ({"a": 1}, 1, None)
    for text in ('"42"', '"hello"', "[]", "0", "null", '{"a": null}'):
        deployed.good("trigger", "--cfg", text)
        assert deployed.conf() == {"cfg": json.loads(text)}

    source = deployed.folder / "flow.py"
    source.write_text(source.read_text().replace("default=1)", "default=2)"))
    deployed.good("trigger")
    assert deployed.conf() == {}, "what is not given is as deployed"

    values = {"cfg": ["zone"] * 50_000, "n": 5}
    (deployed.folder / "values.json").write_text(json.dumps(values))
    deployed.good("trigger", "--parameters-file", "values.json", "--n", "6")
    assert deployed.conf() == {**values, "n": 6}

    (deployed.folder / "mine.csv").write_text("only\n")
    deployed.good("trigger", "--table", "mine.csv")
    sent = json.loads(deployed.conf()["table"])
    assert (sent["size"], sent["is_text"]) == (5, True)

    assert "64 bits" in deployed.refused("trigger", "--big", "1e22")


def test_values_stay_what_they_are_from_python(deployed):
    (deployed.dags / "rows.csv").write_text("only,one,line\n")
    program = """
        import json
        from metaflow import DeployedFlow
        found = DeployedFlow.from_deployment("Flow", impl="airflow")
        for value in ("42", "hello", ["zone"] * 30_000, {"a": None}, 0, None):
            found.trigger(cfg=value)
        found.trigger(table="./rows.csv", n=7)
        for words in ({"n": "x"}, {"table": "./none.csv"}, {"m": 1}):
            try:
                found.trigger(**words)
            except RuntimeError as error:
                print(error)
    """
    refused = deployed.python(program).splitlines()

    given = [run["conf"] for run in deployed.airflow.runs]
    assert [conf["cfg"] for conf in given[:6]] == [
        "42",
        "hello",
        ["zone"] * 30_000,
        {"a": None},
        0,
        None,
    ]
    assert given[6]["n"] == 7
    assert json.loads(given[6]["table"])["size"] == 14
    assert "'x' is of the wrong type; integer was deployed" in refused[0]
    assert "the file none.csv cannot be read: No such file" in refused[1]
    assert "without a parameter *m*" in refused[2]
    assert len(given) == 7


def test_a_deployer_asks_the_airflow_that_its_own_env_names(deployed):
    """As `create` and `delete`, which are processes with that environment."""
    program = """
        import os
        from metaflow import Deployer
        names = ("URL", "USERNAME", "PASSWORD")
        env = {f"METAFLOW_AIRFLOW_REST_API_{name}": "" for name in names}
        env = {name: os.environ.pop(name) for name in env}
        os.chdir("../work")
        deployed = Deployer("flow.py", pylint=False, env=env).airflow().create()
        print(deployed.trigger(n=8).pathspec)
    """
    assert deployed.python(program).splitlines()[-1].startswith("Flow/airflow-")
    assert deployed.conf() == {"n": 8}


def test_a_help_text_of_any_signs_is_read_back(command):
    words = "C:\\users\\ann \"\"\" ''' {braces} %s ends in \\"
    command.write(f'n = Parameter("n", default=1, help={words!r})')
    command.good("create")

    program = """
        from metaflow import DeployedFlow
        print([each.name for each in DeployedFlow.list_deployed_flows(impl="airflow")])
        found = DeployedFlow.from_deployment("Flow", impl="airflow")
        print(found.trigger(n=3).pathspec, found.suspend())
    """
    output = command.python(program).splitlines()
    assert output[0] == "['Flow']"
    assert [line for line in output if line.startswith("Flow/airflow-")]
    assert command.record().parameters[0].description == words
