import os
from pathlib import Path

from embedded.rotation import trim


def test_of_a_long_log_the_end_stays_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "scheduler.log"
    (tmp_path / "s3.log").write_text("short\n")
    writer = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in range(100):
        os.write(writer, f"line {number}\n".encode())

    assert trim(tmp_path, most=500, keep=30) == [log]
    os.write(writer, b"one more\n")
    os.close(writer)

    assert log.read_text().splitlines() == ["line 97", "line 98", "line 99", "one more"]
    assert (tmp_path / "s3.log").read_text() == "short\n"
    assert trim(tmp_path, most=500, keep=30) == []
