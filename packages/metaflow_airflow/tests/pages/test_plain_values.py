import gzip
import pickle

import pytest
from metaflow_airflow.pages.plain_values import NotPlainError, plain_value
from metaflow_airflow.pages.preview import preview

SHARED = [1, 2]
CALLED: list[str] = []


class Evil:
    def __reduce__(self):
        return (CALLED.append, ("called",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1, 2**31, 2**70, -(2**70), 1.5, float("inf"), "", "Straße\n'\"", "x" * 300,
        [], [1, [2, []]], (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}, {"a": {"b": [None]}},
        [SHARED, SHARED], {1: "a", 2.5: "b", (1, 2): "c"}, list(range(3000)),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_plain_data_is_read_as_pickle_would(value, protocol):
    packed = gzip.compress(pickle.dumps(value, protocol))

    assert plain_value(packed) == value


@pytest.mark.parametrize("value", [b"", b"bytes", b"\x89PNG" * 100, bytearray(b"x"), {1, 2},
                                   frozenset({"a"})], ids=repr)  # fmt: skip
def test_bytes_and_sets_are_read_where_a_pickle_has_words_for_them(value):
    assert plain_value(gzip.compress(pickle.dumps(value, 5))) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_that_would_run_is_followed(protocol):
    packed = gzip.compress(pickle.dumps(["before", Evil()], protocol))

    with pytest.raises(NotPlainError, match="code would have to run"):
        plain_value(packed)

    assert CALLED == []


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (b"no gzip", "not compressed"),
        (gzip.compress(b""), "no pickle"),
        (gzip.compress(b"no pickle"), "no pickle"),
        (gzip.compress(b"."), "no pickle"),
        (gzip.compress(pickle.dumps([1, 2])[:-1]), "no pickle"),
        (gzip.compress(b"0" * (2 << 20)), "larger than"),
        (gzip.compress(b"\x80\x04h\x05."), "no pickle"),
    ],
    # Of their own: gzip puts the time into what it writes.
    ids=["no gzip", "empty", "text", "end alone", "cut", "zeros", "unknown memo"],
)
def test_what_is_no_value_is_refused_in_words(packed, says):
    with pytest.raises(NotPlainError, match=says):
        plain_value(packed)


def test_a_small_pickle_of_an_enormous_value_costs_nothing():
    value: list[object] = [0] * 10
    for _ in range(30):
        value = [value] * 10

    shown = preview(plain_value(gzip.compress(pickle.dumps(value, 5))))

    assert shown.text == "list, too large to be written out"


def test_a_value_that_contains_itself_is_shown_as_far_as_it_goes():
    value: list[object] = []
    value.append(value)

    shown = preview(plain_value(gzip.compress(pickle.dumps(value))))

    assert shown.text == "list, too large to be written out"


def test_a_pickle_of_marks_takes_no_longer_than_its_length():
    packed = gzip.compress(b"(" * 300_000 + b"]" + b"t" * 300_000 + b".")

    value = plain_value(packed)

    assert isinstance(value, tuple)


def test_a_very_long_integer_is_no_trap():
    assert preview(1 << 100_000).text == "int, too large to be written out"


def test_rows_of_the_same_keys_are_a_table():
    shown = preview([{"zone": "Queens", "rmse": 5.354321}] * 30)

    assert shown.columns == ("zone", "rmse")
    assert shown.rows[0] == ("Queens", "5.35432")
    assert (len(shown.rows), shown.cut) == (20, "and 10 more rows")


def test_a_picture_is_a_picture():
    assert preview(b"\x89PNG\r\n\x1a\nrest").picture.startswith("data:image/png;base64,")


def test_a_long_text_is_cut_and_says_so():
    shown = preview("x" * 5000)

    assert (len(shown.text), shown.cut) == (2000, "and 3,000 more characters")
