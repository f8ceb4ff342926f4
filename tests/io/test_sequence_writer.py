"""A sequence that is written comes back when it is read."""

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory

POSES = Trajectory(np.array([0.0, 10.0]), np.stack([np.eye(4)] * 2))


def test_depth_is_kept_to_half_a_count(tmp_path, small_camera):
    depth = np.random.default_rng(0).uniform(0.1, 60, small_camera.shape)
    writer = SequenceWriter(tmp_path, small_camera, depth_scale=1000)
    writer.add(1.0, None, depth)
    writer.finish(POSES)
    sequence = open_sequence(tmp_path)
    np.testing.assert_allclose(sequence.read(sequence.frames[0]).depth, depth, atol=0.0005001)
    assert not (tmp_path / "rgb.txt").exists()


def test_a_frame_may_have_a_photograph_or_a_depth_image_or_both(tmp_path, small_camera):
    image, depth = np.full((6, 8, 3), 0.5), np.ones((6, 8))
    writer = SequenceWriter(tmp_path, small_camera)
    writer.add(1.0, image, depth)
    writer.add(2.0, None, depth)
    writer.add(3.0, image, None)
    writer.finish(POSES)
    assert [entry.color_path is not None for entry in open_sequence(tmp_path).frames] == [True, False]
    with pytest.raises(InputError, match="neither image nor depth"):
        writer.add(4.0, None, None)
    with pytest.raises(InputError, match=r"frame at 3\.000000 s: there is one already"):
        writer.add(3.0, image, depth)


@pytest.mark.parametrize("metres", [65.6, 65.535])
def test_depth_that_saturates_16_bits_is_an_error_and_says_which_scale_would_do(tmp_path, small_camera, metres):
    writer = SequenceWriter(tmp_path, small_camera, depth_scale=1000)
    with pytest.raises(InputError, match=r"do not fit into 16 bits; use a depth_scale below (999|1000)$"):
        writer.add(1.0, None, np.full((6, 8), metres))
    writer.add(1.0, None, np.full((6, 8), 65.5))


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_depth_that_is_no_distance_is_an_error(tmp_path, small_camera, bad):
    with pytest.raises(InputError, match="depth"):
        SequenceWriter(tmp_path, small_camera).add(1.0, None, np.full((6, 8), bad))


def test_images_of_another_size_are_refused(tmp_path, small_camera):
    with pytest.raises(InputError, match=r"image: received shape \(5, 8, 3\), expected \(6, 8, 3\)"):
        SequenceWriter(tmp_path, small_camera).add(1.0, np.zeros((5, 8, 3)), None)


def test_writing_again_replaces_the_earlier_sequence(small_sequence, small_camera):
    writer = SequenceWriter(small_sequence, small_camera)
    writer.add(7.0, None, np.ones((6, 8)))
    writer.finish(POSES)
    sequence = open_sequence(small_sequence)
    assert [entry.time for entry in sequence.frames] == [7.0]
    assert sequence.frames[0].color_path is None
    assert sorted(p.name for p in small_sequence.rglob("*.png")) == ["7.000000.png"]


def test_an_unfinished_sequence_is_none(tmp_path, small_camera):
    SequenceWriter(tmp_path, small_camera).add(7.0, None, np.ones((6, 8)))
    with pytest.raises(InputError, match="neither"):
        open_sequence(tmp_path)


def test_a_recording_of_somebody_else_is_left_alone(small_sequence, small_camera):
    listing = small_sequence / "rgb.txt"
    listing.write_text("# color images\n" + listing.read_text())
    with pytest.raises(InputError, match="holds a sequence that glrender did not write"):
        SequenceWriter(small_sequence, small_camera)
    assert len(list(small_sequence.rglob("*.png"))) == 12


def test_a_folder_that_cannot_be_written(tmp_path, small_camera):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(InputError, match="choose another output folder"):
        SequenceWriter(tmp_path / "file.txt" / "out", small_camera)
