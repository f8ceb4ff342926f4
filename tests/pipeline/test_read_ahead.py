"""Frames come in their order, damaged or not, read by another thread; and at the pace of the recording if wanted."""

import threading
import time

import pytest
from flights import fly, rough_ground

from glrender.gl.context import Context
from glrender.io.images import FrameError
from glrender.io.sequence import Frame, FrameEntry, Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline import read_ahead as module
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.read_ahead import Pace, read_ahead


@pytest.fixture(scope="module")
def sequence(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    return open_sequence(fly(context, rough_ground(), frames=8).write(tmp_path_factory.mktemp("flight")))


def test_frames_come_in_order_and_from_another_thread(sequence: Sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    read = Sequence.read

    def watched(self: Sequence, entry: FrameEntry) -> Frame:
        threads.append(threading.current_thread())
        return read(self, entry)

    monkeypatch.setattr(Sequence, "read", watched)
    found = list(read_ahead(sequence, sequence.frames))
    assert [frame.entry for frame in found] == list(sequence.frames)
    assert [frame.frame.index for frame in found] == [entry.index for entry in sequence.frames]
    assert len(set(threads)) == 1
    assert threading.current_thread() not in threads
    assert not threads[0].is_alive()


def test_no_more_than_a_few_wait(sequence: Sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    read = Sequence.read
    monkeypatch.setattr(Sequence, "read", lambda self, entry: (begun.append(entry), read(self, entry))[1])
    for done, _ in enumerate(read_ahead(sequence, sequence.frames), start=1):
        time.sleep(0.02)
        assert len(begun) <= done + module._AHEAD


def test_what_comes_too_late_is_not_even_read(sequence: Sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    read = Sequence.read
    monkeypatch.setattr(Sequence, "read", lambda self, entry: (begun.append(entry.index), read(self, entry))[1])
    monkeypatch.setattr(Pace, "wait_for", lambda self, entry: entry.index % 3 == 0)
    found = list(read_ahead(sequence, sequence.frames, Pace(sequence.frames)))
    assert begun == [0, 3, 6]
    assert [frame.late for frame in found] == [k % 3 > 0 for k in range(8)]
    assert [frame.entry for frame in found] == list(sequence.frames)


def test_a_damaged_frame_is_one_with_an_error(sequence: Sequence) -> None:
    (broken,) = (sequence.frames[k] for k in (3,))
    depth = broken.depth_path
    assert depth is not None
    whole = depth.read_bytes()
    try:
        depth.write_bytes(whole[: len(whole) // 2])
        found = list(read_ahead(sequence, sequence.frames))
    finally:
        depth.write_bytes(whole)
    assert [isinstance(frame.error, FrameError) for frame in found] == [k == 3 for k in range(8)]
    assert found[3].frame is None


def test_whoever_stops_looking_stops_the_reading(sequence: Sequence) -> None:
    before = threading.active_count()
    frames = read_ahead(sequence, sequence.frames)
    next(frames)
    frames.close()
    assert threading.active_count() == before


def entries(*times: float) -> tuple[FrameEntry, ...]:
    return tuple(FrameEntry(k, t, None, None, None) for k, t in enumerate(times))


def test_frames_wait_for_their_time_and_late_ones_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    frames = entries(5.0, 5.1, 5.2, 5.3, 5.4)
    pace = Pace(frames)
    assert pace.wait_for(frames[0])
    assert pace.wait_for(frames[1])
    assert now[0] == pytest.approx(100.1)
    now[0] += 0.25  # what fusing frame 1 took: 2 and 3 were recorded meanwhile, at 100.2 and 100.3
    assert not pace.wait_for(frames[2])
    assert pace.wait_for(frames[3])
    now[0] += 5
    assert pace.wait_for(frames[4])  # the last one is never too late


def test_gaps_are_no_longer_than_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    frames = entries(5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6, 5.7, 5.8)
    pace = Pace(frames, longest_gap=0.25)
    assert pace.wait_for(frames[0])
    now[0] += 0.65  # six frames were recorded meanwhile
    assert [pace.wait_for(frame) for frame in frames[1:6]] == [False, True, False, True, False]
    assert pace.behind == pytest.approx(0.25)
    assert pace.wait_for(frames[6])
    assert pace.behind == pytest.approx(0.05)
    assert pace.wait_for(frames[7])
    assert (pace.behind, now[0]) == (0.0, pytest.approx(100.7))


def test_realtime_drops_what_it_cannot_keep_up_with(
    context: Context, sequence: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = sequence.frames[-1].time - sequence.frames[0].time
    options = SequenceOptions(spacing=0.05, bounds=(-0.5, 0.5, -0.5, 0.5), time_offset=0.0)
    finished = fuse_sequence(context, sequence, options)
    assert finished.report["frames_used"] == 8

    def slow(self: Pace, entry: FrameEntry) -> bool:
        time.sleep(span / 3)
        return wait_for(self, entry)

    wait_for = Pace.wait_for
    monkeypatch.setattr(Pace, "wait_for", slow)
    live = fuse_sequence(context, sequence, SequenceOptions(**{**vars(options), "realtime": True}))
    dropped = [frame for frame in live.report["frames_skipped"] if "dropped to keep up" in frame.reason]
    assert live.report["frames_used"] + len(dropped) == 8
    assert dropped
    assert live.report["frames_used"] >= 2
    assert live.report["options"]["realtime"] is True


def test_what_is_little_too_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    frames = entries(*(5 + 0.01 * k for k in range(10)))
    pace = Pace(frames, patience=0.03)
    assert pace.wait_for(frames[0])
    now[0] += 0.045  # four frames were recorded meanwhile; the one after the first of them is 0.025 old
    assert pace.wait_for(frames[1])
    assert pace.behind == pytest.approx(0.035)
    now[0] += 0.02
    assert [pace.wait_for(frame) for frame in frames[2:5]] == [False, True, True]
