"""Which pictures of a recording are taken."""

import itertools

import numpy as np
import pytest

from glrender.io.recordings.recording import Picture
from glrender.io.recordings.thinning import PictureSelection, selected


def picture(kind, time):
    return Picture(0, kind, time, f"{kind} {time}", lambda: b"")


def taken(pictures, **selection):
    """(kind, time) of what is selected."""
    photographs = any(p.kind == "rgb" for p in pictures)
    return [(p.kind, p.time) for p in selected(pictures, PictureSelection(**selection), photographs)]


PHOTOGRAPHS = [picture("rgb", 100 + 0.1 * k) for k in range(10)]


def test_all_are_taken_unless_said():
    assert taken(PHOTOGRAPHS) == [("rgb", pytest.approx(100 + 0.1 * k)) for k in range(10)]


def test_seconds_count_from_the_first_picture_and_the_offset_comes_after():
    times = [time for _, time in taken(PHOTOGRAPHS, start=0.25, end=0.65, time_offset=-100)]
    assert times == [0.3, 0.4, 0.5, 0.6]


def test_a_recording_is_not_read_to_its_end_for_its_beginning():
    read = []
    endless = (read.append(k) or picture("rgb", 0.1 * k) for k in itertools.count())
    assert len(list(selected(endless, PictureSelection(end=0.5), True))) == 6
    assert len(read) < 20


def test_every_third_counts_photographs_and_takes_the_depth_images_near_them():
    rng = np.random.default_rng(0)
    depth = [picture("depth", 100 + 0.1 * k + 0.015) for k in range(10) if k not in (1, 6)]
    late = [picture("depth", 100.31), picture("depth", 100.35)]
    for _ in range(5):
        # Topics reach a bag one after another, so depth images may be early or late by some of them.
        mixed = sorted([*PHOTOGRAPHS, *depth, *late], key=lambda p: p.time + rng.uniform(0, 0.3) * (p.kind == "depth"))
        got = taken(mixed, every=3)
        assert sorted(time for kind, time in got if kind == "rgb") == pytest.approx([100, 100.3, 100.6, 100.9])
        assert sorted(t for kind, t in got if kind == "depth") == pytest.approx([100.015, 100.31, 100.315, 100.915])


def test_depth_images_alone_are_counted_themselves():
    assert taken([picture("depth", float(k)) for k in range(7)], every=3) == [("depth", 0), ("depth", 3), ("depth", 6)]


def test_times_are_whole_microseconds():
    assert taken([picture("rgb", 1.00000049)], time_offset=0.0000001) == [("rgb", 1.000001)]
