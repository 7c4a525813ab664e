from metaflow_airflow.pages import task_files


def test_attempts_have_their_logs_and_say_whether_they_ended():
    found = task_files.attempts(
        [
            "0.attempt.json", "0.DONE.lock", "0.data.json", "0.task_stdout.log",
            "0.task_stderr.log", "1.attempt.json", "1.task_stdout.log", "0.task_begin", "stray.txt",
        ]
    )  # fmt: skip

    assert [(each.number, each.ended) for each in found] == [(0, True), (1, False)]
    assert found[0].logs == ("0.task_stderr.log", "0.task_stdout.log")


def test_artifacts_are_the_flows_own():
    data = {
        "objects": {"_task_ok": "aa", "model": "bcd", "n": "ef"},
        "info": {"n": {"type": "<class 'int'>", "size": 5}, "model": {"type": "<class 'a.B'>"}},
    }

    model, n = task_files.artifacts(data)

    assert (model.name, model.type, model.size) == ("model", "a.B", None)
    assert (n.type, n.size, n.path("Flow")) == ("int", 5, "Flow/data/ef/ef")


def test_cards_are_told_apart_by_type_and_id():
    found = task_files.cards(["default-0a1b2.html", "report-errors-9f8e7.html", "x.data.json"])

    assert [(card.type, card.id, card.title) for card in found] == [
        ("default", None, "default"),
        ("report", "errors", "errors (report)"),
    ]


def test_a_log_is_shown_without_what_metaflow_writes_before_each_line():
    data = (
        b"[MFLOG|0|2026-11-27T10:00:00.000000Z|task|some-id]first\n"
        b"[![MFLOG|0|2026-11-27T10:00:00.000000Z|task|other]second [x]\n"
        b"bare\n"
    )

    assert task_files.log_text(data) == "first\nsecond [x]\nbare"
