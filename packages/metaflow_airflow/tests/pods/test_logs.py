"""A container's log out of several readings that overlap."""

import random

import pytest
from metaflow_airflow.pods.log_lines import LogLines


def written(count, *, per_second, back=None):
    """Lines as Kubernetes gives them; several may have the very same time.

    Args:
        back: the line at which the node's clock steps back by 12 s.
    """
    seconds = [100 + n // per_second for n in range(count)]
    if back is not None:
        seconds = [s - 12 if n >= back else s for n, s in enumerate(seconds)]
    return [
        f"2026-11-23T10:{s // 60:02d}:{s % 60:02d}.{n % per_second // 2 * 100:09d}Z line {n}"
        for n, s in enumerate(seconds)
    ]


def read_from(lines, since):
    """What Kubernetes answers to sinceTime: it knows whole seconds only."""
    return [line for line in lines if since is None or line[:19] >= since[:19]]


def taken_of(lines, merged):
    return [line for line in lines if merged.take(line.partition(" ")[0])]


@pytest.mark.parametrize("stamp", ["failed", "", "2026-11-23", "2026-11-23T10:00:00"])
def test_what_has_no_time_is_no_line_of_the_log(stamp):
    with pytest.raises(ValueError):  # noqa: PT011 - it is the text itself
        LogLines().take(stamp)


@pytest.mark.parametrize("is_back", [False, True])
def test_readings_that_break_off_anywhere_give_each_line_once_and_in_order(is_back):
    for seed in range(100):
        rng = random.Random(seed)  # noqa: S311
        back = rng.randrange(1, 60) if is_back else None
        lines = written(60, per_second=rng.choice([2, 7, 30]), back=back)
        merged, so_far = LogLines(), 0
        taken: list[str] = []
        while len(taken) < len(lines):
            so_far = min(len(lines), so_far + rng.randrange(12))  # written until this reading
            merged.restart()
            answer = read_from(lines[:so_far], merged.since)
            taken += taken_of(answer[: rng.randrange(len(answer) + 1)], merged)
            assert not merged.has_gap
        assert taken == lines, f"seed {seed}"


def test_a_log_that_was_rotated_meanwhile_loses_no_line_that_is_there():
    lines = written(60, per_second=7)
    merged = LogLines()
    assert taken_of(lines[:30], merged) == lines[:30]

    merged.restart()

    assert taken_of(lines[26:], merged) == lines[30:]
    assert not merged.has_gap


def test_lines_that_were_rotated_away_before_they_were_read_are_noticed():
    lines = written(60, per_second=7)
    merged = LogLines()
    taken_of(lines[:30], merged)

    merged.restart()

    assert merged.take(lines[31].partition(" ")[0])
    assert merged.has_gap


def test_a_time_with_fewer_digits_is_the_same_time():
    merged = LogLines()
    assert merged.take("2026-11-23T10:00:00.20Z")

    merged.restart()

    assert not merged.take("2026-11-23T10:00:00.2Z")
    assert merged.take("2026-11-23T10:00:00.2Z")


def test_a_node_may_write_the_time_of_its_own_zone():
    merged = LogLines()
    assert merged.take("2026-11-23T12:00:00.5+02:00")

    merged.restart()

    assert merged.since == "2026-11-23T09:59:30Z"
    assert not merged.take("2026-11-23T12:00:00.5+02:00")
