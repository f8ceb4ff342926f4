"""Which frames a selection names."""

import pytest

from glrender.errors import UsageError
from glrender.io.selection import selected_lines, spread


@pytest.mark.parametrize(
    ("selection", "lines"),
    [
        ("even", [0, 2, 4, 6]),
        ("odd", [1, 3, 5]),
        ("first", [0, 1, 2, 3]),
        ("second", [4, 5, 6]),
        ("1:6:2", [1, 3, 5]),
        ("2:4", [2, 3]),
        (":3", [0, 1, 2]),
        ("5:", [5, 6]),
        ("::3", [0, 3, 6]),
        ("-2:", [5, 6]),
        ("3:100", [3, 4, 5, 6]),
    ],
)
def test_selections_of_seven(selection, lines):
    assert list(selected_lines(selection, 7)) == lines


@pytest.mark.parametrize("selection", ["", "evens", "3", "a:b:c", "1:2:3:4", "1.5:3", "-:3", "1:5:0", "5:1:-1", "EVEN"])
def test_a_bad_selection_is_named_and_the_valid_ones_listed(selection):
    with pytest.raises(UsageError, match="expected even, odd, first, second or a:b:c") as caught:
        selected_lines(selection, 7)
    assert repr(selection) in str(caught.value)


def test_numbers_are_no_selection():
    with pytest.raises(UsageError, match=r"frames: received \[0, 1\], expected even, odd, first"):
        selected_lines([0, 1], 7)


@pytest.mark.parametrize(("selection", "count"), [("7:", 7), ("3:2", 7), ("odd", 1), ("second", 1)])
def test_a_selection_of_nothing_is_an_error(selection, count):
    with pytest.raises(UsageError, match=f"selects none of the {count} frames"):
        selected_lines(selection, count)


def test_a_few_frames_are_spread_from_the_first_to_the_last():
    assert list(spread(101, 5)) == [0, 25, 50, 75, 100]
    assert list(spread(3, 5)) == [0, 1, 2]
