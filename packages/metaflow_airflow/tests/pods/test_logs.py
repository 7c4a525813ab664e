"""A container's log out of several readings that overlap."""

import random

from metaflow_airflow.pods.logs import LogLines


def written(count, *, per_second):
    """Lines as Kubernetes gives them; several may have the very same time."""
    return [
        f"2026-11-23T10:00:{n // per_second:02d}.{n % per_second // 2 * 100:09d}Z line {n}"
        for n in range(count)
    ]


def read_from(lines, since):
    """What Kubernetes answers to sinceTime: it knows whole seconds only."""
    return [line for line in lines if since is None or line[:19] >= since[:19]]


def test_a_reading_gives_all_lines_with_their_times():
    found = [LogLines().take("2026-11-23T10:00:00.5Z hello  world ")]

    assert found == [("2026-11-23T10:00:00.5Z", "hello  world ")]


def test_an_empty_line_is_a_line():
    assert LogLines().take("2026-11-23T10:00:00.5Z ") == ("2026-11-23T10:00:00.5Z", "")


def test_what_is_no_line_of_the_log_is_left_out():
    assert LogLines().take("failed to watch file: no such file") is None


def test_readings_that_break_off_anywhere_give_each_line_once_and_in_order():
    for seed in range(200):
        rng = random.Random(seed)  # noqa: S311
        lines = written(60, per_second=rng.choice([2, 7, 30]))
        merged, so_far = LogLines(), 0
        taken: list[str] = []
        while len(taken) < len(lines):
            so_far = min(len(lines), so_far + rng.randrange(12))  # written until this reading
            merged.restart()
            answer = read_from(lines[:so_far], merged.since)
            for line in answer[: rng.randrange(len(answer) + 1)]:
                new = merged.take(line)
                if new:
                    taken.append(" ".join(new))
        assert taken == lines, f"seed {seed}"


def test_a_time_with_fewer_digits_is_not_taken_for_an_earlier_one():
    merged = LogLines()

    merged.take("2026-11-23T10:00:00.19Z a")

    assert merged.take("2026-11-23T10:00:00.2Z b") == ("2026-11-23T10:00:00.2Z", "b")
    assert merged.take("2026-11-23T10:00:00.19Z a") is None
