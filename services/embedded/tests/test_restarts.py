from embedded.restarts import Restarts


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_server_is_started_again_three_times_and_then_given_up() -> None:
    restarts = Restarts(Clock())

    assert [restarts.note("s3", "ended") for _ in range(4)] == [True, True, True, False]
    assert restarts.given_up == {"s3"}
    assert restarts.note("postgres", "ended")


def test_one_that_dies_seldom_is_started_again_each_time() -> None:
    clock = Clock()
    restarts = Restarts(clock)

    for _ in range(10):
        assert restarts.note("s3", "ended")
        clock.now += 250


def test_whoever_asks_for_all_servers_gets_those_that_were_given_up() -> None:
    restarts = Restarts(Clock())
    for _ in range(4):
        restarts.note("s3", "ended")

    restarts.begin_anew()

    assert restarts.given_up == set()
    assert restarts.note("s3", "ended")


def test_the_last_reports_are_kept_each_with_a_number_of_its_own() -> None:
    restarts = Restarts(Clock())
    for number in range(1, 31):
        restarts.note("s3", f"end {number}")

    assert [(end["number"], end["report"]) for end in restarts.ends] == [
        (number, f"end {number}") for number in range(11, 31)
    ]
