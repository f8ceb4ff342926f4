"""Videos: frames with their times, and what is said of those that are damaged."""

import sys

import numpy as np
import pytest
from av.video.stream import VideoStream
from media import SIZE, gray, write_video

from glrender.errors import InputError
from glrender.io.recordings.opening import RecordingOptions, open_recording
from glrender.io.recordings.video import open_video

TIMES = [0, 100, 250, 300, 420, 500, 600, 700, 830, 900, 1000, 1100]
"""Milliseconds, not quite regular."""


def read(path, rate=None):
    recording = open_video(path, rate)
    return recording, [(picture.time, picture.pixels()) for picture in recording.pictures()]


def test_frames_have_the_times_of_the_file_and_their_colours(tmp_path):
    recording, frames = read(write_video(tmp_path / "a.mkv", TIMES))
    assert recording.problems == []
    assert [time for time, _ in frames] == pytest.approx([t / 1000 for t in TIMES], abs=1e-9)
    for k, (_, pixels) in enumerate(frames):
        assert pixels.shape == (SIZE[1], SIZE[0], 3)
        np.testing.assert_allclose(pixels[2, 2], 255, atol=3)  # row 0 is on top
        np.testing.assert_allclose(pixels[15, 20], gray(10 * k)[15, 20], atol=3)


def test_red_comes_first(tmp_path):
    import av

    with av.open(str(tmp_path / "red.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "bgr0"
        frame = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), (255, 100, 0), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    _, frames = read(tmp_path / "red.mkv")
    np.testing.assert_allclose(frames[0][1][5, 5], [255, 100, 0], atol=2)


def test_mp4_counts_its_frames(tmp_path):
    recording, frames = read(write_video(tmp_path / "a.mp4", TIMES, "mpeg4"))
    assert recording.count == len(frames) == len(TIMES)
    assert recording.problems == []


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_of_a_file_that_is_cut_short_there_is_what_there_is(tmp_path, name):
    if name == "a.mp4":
        path = write_video(tmp_path / name, TIMES, "mpeg4", movflags="faststart")
    else:
        path = write_video(tmp_path / name, TIMES)
    data = path.read_bytes()
    start = max(data.find(b"mdat"), 0)  # an MP4 begins with its index
    path.write_bytes(data[: start + int(0.7 * (len(data) - start))])
    recording, frames = read(path)
    assert 3 <= len(frames) < len(TIMES)
    assert [time for time, _ in frames] == pytest.approx([t / 1000 for t in TIMES[: len(frames)]])
    assert any("the video is cut short" in problem for problem in recording.problems)


def test_damage_in_the_middle_costs_some_frames_only(tmp_path):
    path = write_video(tmp_path / "a.mp4", TIMES, "mpeg4", movflags="faststart")
    data = bytearray(path.read_bytes())
    middle = (data.find(b"mdat") + len(data)) // 2
    data[middle : middle + 40] = bytes(byte ^ 0x55 for byte in data[middle : middle + 40])
    path.write_bytes(data)
    recording, frames = read(path)
    assert len(TIMES) - 4 <= len(frames) < len(TIMES)
    assert {round(1000 * time) for time, _ in frames} < set(TIMES)
    assert any("damaged" in problem for problem in recording.problems)


def test_an_mp4_whose_index_is_lost_says_so(tmp_path):
    path = write_video(tmp_path / "a.mp4", TIMES, "mpeg4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.mp4: .*one that was cut short has lost its index"):
        open_video(path)


def test_files_that_are_no_video(tmp_path):
    (tmp_path / "a.mkv").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.mkv: the file is empty"):
        open_recording(tmp_path / "a.mkv")
    (tmp_path / "a.xyz").write_text("words " * 100)
    with pytest.raises(InputError, match=r"a\.xyz: cannot be opened as a video"):
        open_recording(tmp_path / "a.xyz", "video")


@pytest.mark.skipif(not hasattr(VideoStream, "set_display_rotation"), reason="this PyAV cannot write such a flag")
def test_a_flag_that_asks_players_to_turn_it_is_told_and_not_followed(tmp_path):
    recording, frames = read(write_video(tmp_path / "a.mp4", TIMES[:2], "mpeg4", turn=90))
    assert frames[0][1].shape == (SIZE[1], SIZE[0], 3)
    assert any("asks players to turn it by 90 degrees" in problem for problem in recording.problems)


def test_a_stream_without_times_wants_a_rate(tmp_path):
    path = write_video(tmp_path / "a.h264", TIMES, "libx264")
    recording = open_recording(path)
    with pytest.raises(InputError, match="frame 0 has no time; give a rate"):
        list(recording.pictures())
    recording = open_recording(path, options=RecordingOptions(rate=20))
    assert [picture.time for picture in recording.pictures()] == pytest.approx(np.arange(len(TIMES)) / 20)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", TIMES[:2])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"needs av, .*pip install 'glrender\[video\]'"):
        open_video(path)
