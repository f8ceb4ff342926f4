"""Which photographs are given a depth."""

import pytest

from glrender.io.sequence import FrameEntry
from glrender.pipeline.keyframes import with_ends


@pytest.mark.parametrize(
    ("keyframes", "expected"),
    [
        ((2, 8, 20, 24), (2, 5, 8, 20, 22, 24, 29)),
        ((0, 1, 28, 29), (0, 1, 28, 29)),
        ((0, 29), (0, 14, 29)),
        ((7,), (7,)),
        ((), ()),
    ],
)
def test_borders_at_both_ends_are_seen_twice(keyframes: tuple[int, ...], expected: tuple[int, ...]) -> None:
    # As after a selection of every third frame: what is counted is photographs, not their indices.
    entries = [FrameEntry(3 * k, k / 30, k / 30, None, None) for k in range(30)]
    chosen = with_ends([entries[k] for k in keyframes], entries)
    assert tuple(entry.index // 3 for entry in chosen) == expected
