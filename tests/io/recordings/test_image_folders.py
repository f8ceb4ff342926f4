"""Folders of photographs: their order, and where their times come from."""

import cv2
import numpy as np
import pytest

from glrender.errors import InputError, UsageError
from glrender.io.images import FrameError, write_depth
from glrender.io.recordings.image_folder import open_image_folder
from glrender.io.recordings.opening import RecordingOptions, open_recording, recording_format

RGB = np.array([200, 100, 50], np.uint8)
NOW = 1403636579763555584


def write(folder, *names, level=RGB):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.broadcast_to(level[::-1], (6, 8, 3)))
    return folder


def times(recording):
    return [picture.time for picture in recording.pictures()]


def test_names_are_sorted_by_their_numbers_and_a_rate_gives_times(tmp_path):
    write(tmp_path, "frame10.png", "frame9.jpg", "frame100.bmp")
    for name in ("notes.md", "._frame9.jpg"):
        (tmp_path / name).write_text("no image")
    recording = open_image_folder(tmp_path, rate=10)
    assert [picture.name for picture in recording.pictures()] == ["frame9.jpg", "frame10.png", "frame100.bmp"]
    assert times(recording) == [0, 0.1, 0.2]
    assert recording.count == 3


def test_png_and_jpeg_stay_as_they_are_and_the_rest_becomes_png(tmp_path):
    write(tmp_path, "0.png", "1.jpg", "2.bmp", "3.tif", "4.ppm")
    for picture in open_image_folder(tmp_path, rate=1).pictures():
        file = picture.as_file()
        source = (tmp_path / picture.name).read_bytes()
        assert file.size == (8, 6)
        assert (file.data == source) == picture.name.endswith(("png", "jpg"))
        assert file.suffix == (".jpg" if picture.name.endswith("jpg") else ".png")
        np.testing.assert_allclose(picture.pixels()[3, 4], RGB, atol=3 if file.suffix == ".jpg" else 0)


def test_unix_times_in_names(tmp_path):
    seconds = open_image_folder(write(tmp_path / "tum", "1305033527.670034.png", "1305033527.703401.png"))
    assert times(seconds) == [1305033527.670034, 1305033527.703401]
    nanoseconds = open_image_folder(write(tmp_path / "euroc", f"{NOW}.png", f"{NOW + 50_000_000}.png"))
    assert times(nanoseconds) == pytest.approx([1403636579.763556, 1403636579.813556], abs=1e-6)
    milliseconds = open_image_folder(write(tmp_path / "phone", "1403636579763.jpg", "1403636579813.jpg"))
    assert times(milliseconds) == pytest.approx([1403636579.763, 1403636579.813], abs=1e-6)


def test_a_list_of_times_beside_the_folder(tmp_path):
    folder = write(tmp_path / "image_2", "000000.png", "000001.png")
    (tmp_path / "times.txt").write_text("0.000000e+00\n1.036980e-01\n")
    assert times(open_image_folder(folder)) == [0, 0.103698]
    assert times(open_image_folder(folder, rate=2)) == [0, 0.5]


def test_a_list_of_times_and_files_as_in_euroc(tmp_path):
    write(tmp_path / "cam0" / "data", "b.png", "a.png", "left.png")
    (tmp_path / "cam0" / "data.csv").write_text(f"#timestamp [ns],filename\n{NOW},b.png\n{NOW + 10**9},a.png\n")
    for folder in (tmp_path / "cam0", tmp_path / "cam0" / "data"):
        recording = open_image_folder(folder)
        assert [picture.name for picture in recording.pictures()] == ["b.png", "a.png"]
        assert np.diff(times(recording)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n", r"list.txt: has 1 times, but .* has 2 images"),
        ("", "list.txt: holds no time"),
        ("1\nlater\n", "list.txt:2: received 'later', expected a time"),
        ("1 0.png\n2\n", "some lines name a file and some do not"),
        ("nan\n1\n", "no finite number"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, text, message):
    folder = write(tmp_path / "images", "0.png", "1.png")
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        open_image_folder(folder, times=tmp_path / "list.txt")


def test_nothing_that_tells_the_times(tmp_path):
    folder = write(tmp_path / "images", "0.png", "1.png")
    with pytest.raises(InputError, match=r"nothing says when the 2 images were taken.*give a rate"):
        open_image_folder(folder)
    assert times(open_image_folder(folder, default_rate=2)) == [0, 0.5]
    with pytest.raises(UsageError, match="give one"):
        open_image_folder(folder, tmp_path / "list.txt", 3)


def test_folders_without_images(tmp_path):
    write(tmp_path / "left", "0.png")
    with pytest.raises(InputError, match=r"no image; expected files that end in \.png.*its folders: left"):
        open_image_folder(tmp_path, rate=1)


def test_depth_images_are_left_aside_and_count_for_no_time(tmp_path):
    """Or the k-th pose of a list would be that of another photograph, and the rate another one."""
    write(tmp_path, "frame-0.color.png", "frame-1.color.jpg")
    for k in range(2):
        write_depth(tmp_path / f"frame-{k}.depth.png", np.full((6, 8), 1500, np.uint16))
    recording = open_image_folder(tmp_path, rate=1)
    assert [picture.name for picture in recording.pictures()] == ["frame-0.color.png", "frame-1.color.jpg"]
    assert times(recording) == [0, 1]
    assert recording.problems == [
        "left aside are 2 depth images; to have both, list them in depth.txt, and photographs in rgb.txt"
    ]
    for path in tmp_path.glob("*color*"):
        path.unlink()
    with pytest.raises(InputError, match="no photograph, but 2 depth images"):
        open_image_folder(tmp_path, rate=1)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "gone"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
def test_a_damaged_image_fails_alone_and_only_when_it_is_read(tmp_path, damage, suffix):
    write(tmp_path, f"0.{suffix}", f"1.{suffix}")
    path = tmp_path / f"1.{suffix}"
    recording = open_image_folder(tmp_path, rate=1)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[:30], "text": b"no picture" * 20, "gone": b""}[damage])
    if damage == "gone":
        path.unlink()
    first, second = recording.pictures()
    assert first.as_file().size == (8, 6)
    with pytest.raises(FrameError):
        second.as_file()


def test_what_a_source_is(tmp_path):
    with pytest.raises(InputError, match="no such file or folder; expected a recording: folder of images; folder with"):
        open_recording(tmp_path / "none")
    (tmp_path / "x.xyz").write_text("?")
    with pytest.raises(InputError, match=r"x\.xyz: its name does not tell what it is.*If it is one, say its format"):
        open_recording(tmp_path / "x.xyz")
    folder = write(tmp_path / "images", "0.png")
    assert recording_format(folder) == "images"
    (folder / "rgb.txt").write_text("1.5 0.png\n")
    assert recording_format(folder) == "tum"
    assert times(open_recording(folder)) == [1.5]
    assert times(open_recording(folder, "images", RecordingOptions(rate=1))) == [0]
    with pytest.raises(UsageError, match="source format: received 'raw', expected one of 'images'"):
        open_recording(folder, "raw")
    with pytest.raises(UsageError, match="rate: it is for a folder of images or video file.*is a folder with rgb.txt"):
        open_recording(folder, options=RecordingOptions(rate=1))
    with pytest.raises(UsageError, match="depth-topic: it is for a ROS 1 or 2 bag"):
        open_recording(folder, "images", RecordingOptions(rate=1, depth_topic="/depth"))
