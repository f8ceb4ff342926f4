"""What is wrong with a sequence is told, and the rest is read."""

import re

import numpy as np
import pytest
from media import gray, write_turned_jpeg

from glrender.errors import InputError
from glrender.io.images import FrameError, write_color, write_depth
from glrender.io.sequence_folder import open_sequence


def test_no_folder_a_file_and_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"none: no such folder; expected one with rgb\.txt and/or depth\.txt"):
        open_sequence(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: is no folder; expected one with"):
        open_sequence(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"neither rgb\.txt nor depth\.txt"):
        open_sequence(tmp_path / "empty")


def test_no_camera_file(small_sequence):
    (small_sequence / "camera.yaml").unlink()
    with pytest.raises(InputError, match=r"camera\.yaml: no such file"):
        open_sequence(small_sequence)


def test_missing_images_are_skipped_counted_and_named(small_sequence):
    (small_sequence / "depth" / "100.100000.png").unlink()
    (small_sequence / "rgb" / "100.400000.png").unlink()
    sequence = open_sequence(small_sequence)
    assert sequence.line_count == 6
    assert [(p.index, p.name, p.reason) for p in sequence.problems] == [
        (1, "depth/100.100000.png", "no such file"),
        (4, "rgb/100.400000.png", "no such file"),
    ]
    assert [entry.index for entry in sequence.frames] == [0, 2, 3, 4, 5]
    assert [entry.index for entry in sequence.frames if entry.color_path is None] == [4]


def test_a_line_that_is_there_twice_counts_once(small_sequence):
    path = small_sequence / "depth.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1], lines[-2]]))
    sequence = open_sequence(small_sequence)
    assert [entry.index for entry in sequence.frames] == [0, 1, 2, 3, 4, 5]
    assert [(p.index, p.reason) for p in sequence.problems] == [(k, "listed on an earlier line") for k in (6, 7)]


def test_a_photograph_that_is_listed_twice_is_not_missing(small_sequence):
    path = small_sequence / "rgb.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1]]))
    (small_sequence / lines[-2].split()[1]).unlink()
    sequence = open_sequence(small_sequence)
    assert [(each.index, each.reason) for each in sequence.missing_photographs] == [(4, "no such file")]


def test_columns_may_be_parted_by_tabs_and_names_have_spaces(small_sequence):
    (small_sequence / "depth").rename(small_sequence / "depth images")
    path = small_sequence / "depth.txt"
    path.write_text(path.read_text().replace(" depth/", "\t depth images/"))
    assert len(open_sequence(small_sequence).frames) == 6


@pytest.mark.parametrize("kind", ["rgb", "depth"])
def test_a_list_of_which_no_image_is_there(small_sequence, kind):
    (small_sequence / kind).rename(small_sequence / "elsewhere")
    with pytest.raises(InputError, match=rf"none of the 6 images that {kind}\.txt names is there"):
        open_sequence(small_sequence)


@pytest.mark.parametrize("kind", ["rgb", "depth"])
@pytest.mark.parametrize("k", [0, 3])
def test_a_truncated_image_fails_when_it_is_read_and_only_then(small_sequence, kind, k):
    path = small_sequence / kind / f"100.{k}00000.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sequence = open_sequence(small_sequence)
    assert len(sequence.frames) == 6
    with pytest.raises(FrameError, match=re.escape(f"{path}: truncated PNG")):
        sequence.read(sequence.frames[k])
    sequence.read(sequence.frames[k + 1])


@pytest.mark.parametrize("kind", ["rgb", "depth"])
def test_images_of_another_size_than_the_camera(small_sequence, kind):
    for path in (small_sequence / kind).iterdir():
        _write_blank(path, kind, (3, 4))
    with pytest.raises(InputError, match=r"4 x 3 pixels, but camera\.yaml says 8 x 6"):
        open_sequence(small_sequence)


def test_a_camera_of_photographs_as_viewers_turn_them(small_sequence):
    for path in (small_sequence / "rgb").iterdir():
        write_turned_jpeg(path, gray(30, (6, 8)))
    with pytest.raises(InputError, match=r"6 x 8 pixels, but camera\.yaml says 8 x 6: its orientation tag"):
        open_sequence(small_sequence, only="rgb")


def _recount(path, per_second, begins):
    """The list at `path` in another unit, and from 0 unless it shall begin where it did."""
    lines = [line.split(maxsplit=1) for line in path.read_text().splitlines() if not line.startswith("#")]
    zero = 0 if begins else float(lines[0][0])
    path.write_text("".join(f"{per_second * (float(time) - zero):.4f} {rest}\n" for time, rest in lines))


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize(("per_second", "unit"), [(1e3, "milli"), (1e6, "micro"), (1e9, "nano")])
@pytest.mark.parametrize("name", ["groundtruth.txt", "rgb.txt", "depth.txt"])
def test_times_of_another_unit_are_told(small_sequence, name, per_second, unit, begins):
    for path in small_sequence.glob("*.txt"):
        _recount(path, per_second if path.name == name else 1, begins)
    with pytest.raises(InputError, match=rf"{name}: its times, .* look like {unit}seconds beside those of "):
        open_sequence(small_sequence)
    if name == "groundtruth.txt":
        with pytest.raises(InputError, match=rf"look like {unit}seconds beside those of .*rgb\.txt"):
            open_sequence(small_sequence, only="rgb")


@pytest.mark.parametrize("digits", [3, 6, 9])
def test_unix_times_may_be_whole_numbers_of_a_smaller_unit(small_sequence, digits):
    """As robots log them; what is no Unix time is told above."""
    expected = open_sequence(small_sequence)
    for path in small_sequence.glob("*.txt"):
        lines = [line.split(maxsplit=1) for line in path.read_text().splitlines() if not line.startswith("#")]
        recounted = (f"{round((1.7e9 + float(time)) * 1e3) * 10 ** (digits - 3)} {rest}\n" for time, rest in lines)
        path.write_text("".join(recounted))
    sequence = open_sequence(small_sequence)
    times, others = ([[e.time, e.color_time] for e in each.frames] for each in (sequence, expected))
    np.testing.assert_allclose(times, np.add(others, 1.7e9), atol=1e-3)
    np.testing.assert_allclose(sequence.trajectory.times, expected.trajectory.times + 1.7e9, atol=1e-3)


def test_a_line_of_depth_and_colour_names_no_file(small_sequence):
    """A list of associations, as benchmarks come with, in the place of depth.txt."""
    path = small_sequence / "depth.txt"
    path.write_text("".join(f"{line} 100.0 rgb/100.0.png\n" for line in path.read_text().splitlines()))
    with pytest.raises(InputError, match=r"none of the \d+ images .* the first is .*\.png 100\.0 rgb/100\.0\.png$"):
        open_sequence(small_sequence)


@pytest.mark.parametrize("kind", ["rgb", "depth"])
def test_one_image_of_another_size_is_one_bad_frame(small_sequence, kind):
    _write_blank(small_sequence / kind / "100.200000.png", kind, (6, 4))
    sequence = open_sequence(small_sequence)
    with pytest.raises(FrameError, match="4 x 6 pixels"):
        sequence.read(sequence.frames[2])


def test_timestamps_of_colour_and_depth_that_match_nothing(small_sequence):
    lines = (small_sequence / "rgb.txt").read_text()
    (small_sequence / "rgb.txt").write_text(re.sub(r"^100", "900", lines, flags=re.MULTILINE))
    with pytest.raises(InputError, match=r"no image of rgb\.txt lies within 20 ms .*rgb from 900.*depth from 100"):
        open_sequence(small_sequence)


def test_a_trajectory_that_covers_no_frame(small_sequence, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("5 0 0 0 0 0 0 1\n6 0 0 0 0 0 0 1\n")
    sequence = open_sequence(small_sequence, other)
    with pytest.raises(InputError, match=r"covers 5\.0+ to 6\.0+ s; the frames 100\.0+ to 100\.50+ s"):
        sequence.with_poses(sequence.frames)
    assert len(sequence.with_poses(sequence.frames, time_offset=-94.7)[0]) == 6


def test_a_given_trajectory_that_is_not_there(small_sequence, tmp_path):
    with pytest.raises(InputError, match=r"mine\.txt: no such file"):
        open_sequence(small_sequence, tmp_path / "mine.txt")


@pytest.mark.parametrize("line", ["rgb/100.png", "100.0", "nan rgb/100.png", "1e999 rgb/100.png"])
def test_a_malformed_line_of_a_list(small_sequence, line):
    with open(small_sequence / "rgb.txt", "a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=r"rgb\.txt:9: received .*expected: timestamp file"):
        open_sequence(small_sequence)


def test_a_list_without_lines(small_sequence):
    (small_sequence / "depth.txt").write_text("# timestamp filename\n")
    with pytest.raises(InputError, match=r"depth\.txt: names no image"):
        open_sequence(small_sequence)


def _write_blank(path, kind, shape):
    if kind == "rgb":
        write_color(path, np.zeros((*shape, 3)))
    else:
        write_depth(path, np.zeros(shape, np.uint16))
