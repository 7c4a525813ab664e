from dataclasses import replace

from metaflow_airflow.attempt.inputs import Reference, Upstream, flatten, item, taken


def ref(step, *path, **more):
    task = "-".join(["t", *map(str, path)])
    return Reference(f"run/{step}/{task}", path, **more)


def paths(found):
    return [reference.pathspec for reference in found]


def test_a_linear_step_takes_the_task_of_its_own_item():
    source = (Upstream("a", depth=1), [ref("a", 0), ref("a", 1)])

    assert paths(taken("b", (1,), [source])) == ["run/a/t-1"]


def test_the_first_step_of_a_body_takes_the_task_that_made_its_item():
    source = (Upstream("split", depth=1), [ref("split", 0), ref("split", 1)])

    assert paths(taken("part", (1, 4), [source])) == ["run/split/t-1"]


def test_a_foreach_join_takes_all_items_below_its_own_in_their_order():
    work = [ref("work", 1, 10), ref("work", 1, 2), ref("work", 0, 0), ref("work", 1, 0)]

    found = taken("join", (1,), [(Upstream("work", depth=2), work)])

    assert paths(found) == ["run/work/t-1-0", "run/work/t-1-2", "run/work/t-1-10"]


def test_items_keep_their_order_whichever_branch_each_took():
    sources = [
        (Upstream("closed", depth=1), [ref("closed", 0), ref("closed", 2)]),
        (Upstream("sell", depth=1), [ref("sell", 1)]),
    ]

    found = taken("join", (), sources)

    assert paths(found) == ["run/closed/t-0", "run/sell/t-1", "run/closed/t-2"]


def test_a_switch_leads_only_to_the_step_that_it_chose():
    switch = [(Upstream("check", depth=0, switch=True), [ref("check", choice="big")])]

    assert paths(taken("big", (), switch)) == ["run/check/t"]
    assert taken("small", (), switch) == []


def test_a_step_after_branches_takes_the_one_that_ran():
    sources = [
        (Upstream("check", depth=0, switch=True), [ref("check", choice="big")]),
        (Upstream("big", depth=0), [ref("big")]),
    ]

    assert paths(taken("merge", (), sources)) == ["run/big/t"]


def test_flat_items_know_the_map_index_of_what_made_them():
    references = [
        ref("split", 1, map_index=1, cardinality=1),
        ref("split", 0, map_index=0, cardinality=2),
    ]

    assert flatten(references) == [
        {"path": [0, 0], "parent": 0, "label": "0/0"},
        {"path": [0, 1], "parent": 0, "label": "0/1"},
        {"path": [1, 0], "parent": 1, "label": "1/0"},
    ]
    assert item(ref("start"), 3) == {"path": [3], "parent": -1, "label": "3"}


def test_an_item_is_called_by_its_value_behind_that_of_the_item_around_it():
    regions = ref("regions", cardinality=2, values=("north", "a\nb  c"))
    shops = ref("shops", 1, map_index=1, cardinality=1, label="item=north", values=("x" * 30,))

    assert [item(regions, index)["label"] for index in range(3)] == [
        "item=north",
        "item=a b c",
        "2",
    ]
    assert flatten([shops])[0]["label"] == "item=north/" + "x" * 30
    deep = item(replace(shops, label="item=" + "y" * 95), 0)["label"]
    assert (len(deep), deep[0], deep[-1]) == (100, "…", "x")


def test_a_reference_survives_xcom():
    reference = ref("a", 1, 2, map_index=5, choice="b", code={"url": "s3://x"}, values=("v",))

    assert Reference.from_xcom(reference.to_xcom()) == reference
