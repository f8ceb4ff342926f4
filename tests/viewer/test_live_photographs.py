"""A sequence of photographs alone, played: keyframes become a map before one's eyes."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glrender.cli.main import main
from glrender.errors import InputError
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.photographs import fuse_photographs
from glrender.viewer.layers import layers_here
from glrender.viewer.live_photographs import LivePhotographs
from glrender.viewer.sources import open_source

OPTIONS = SequenceOptions(use="color", spacing=0.03)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of a flight over a hill, with poses and without depth images."""
    folder = tmp_path_factory.mktemp("photographs") / "flight"
    size = ("--size", "1.6", "1.2", "--width", "160", "--height", "120", "--altitude", "0.6")
    assert main(["simulate", str(folder), *size, "--relief", "0.08", "--frames", "8"]) == 0
    (folder / "depth.txt").unlink()
    return folder


@pytest.fixture(scope="module")
def live(context: Context, photographs: Path) -> Iterator[LivePhotographs]:
    before = context.live_objects
    source = open_source(context, photographs, OPTIONS)
    assert isinstance(source, LivePhotographs)
    yield source
    source.release()
    assert context.live_objects == before


def test_keyframes_become_a_map_and_it_is_that_of_glrender_fuse(
    context: Context, live: LivePhotographs, photographs: Path
) -> None:
    known, compared = [], 0
    while not live.finished:
        live.step()
        known.append(int(np.isfinite(live.scene.surface.heights).sum()))
        compared += live.scene.comparison is not None
    assert known[0] == known[2] == 0, "a depth takes other photographs, before and after"
    assert known[4] > 0
    assert known[-1] > known[4]
    assert 1 <= compared < len(known)
    scene = live.scene
    assert scene.comparison is not None
    assert (scene.comparison.measured.depth > 0).mean() > 0.1
    assert [inset.title for inset in scene.insets] == ["photograph", "prediction", "residual", "measured depth"]
    assert {"photograph", "measured depth", "residual"} <= {
        layer.name for layer in layers_here(scene.surface, scene.comparison)
    }
    assert scene.lines[-1] == "all fused"
    fused = fuse_photographs(context, open_sequence(photographs, only="rgb"), OPTIONS).surface
    np.testing.assert_array_equal(scene.surface.heights, fused.heights)
    np.testing.assert_array_equal(scene.surface.sigma, fused.sigma)


def test_other_weights_start_from_the_first_keyframe(live: LivePhotographs) -> None:
    before, weights = live.scene.surface, live.weights
    assert weights.step_slope == live.largest_step, "which a larger one would not change"
    live.restart(replace(weights, slope_sigma=0.1))
    assert live.weights == replace(weights, slope_sigma=0.1)
    assert not live.finished
    assert len(live.scene.trajectory) == 0
    assert not np.isfinite(live.scene.surface.heights).any()
    while not live.finished:
        live.step()
    both = np.isfinite(before.heights) & np.isfinite(live.scene.surface.heights)
    rough, smooth = (np.diff(np.where(both, each.heights, np.nan), axis=1) for each in (before, live.scene.surface))
    assert np.nanstd(smooth) < 0.95 * np.nanstd(rough), "a prior of flat ground"


def test_photographs_that_have_no_pose_or_are_damaged_are_counted(
    context: Context, photographs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "flight"
    shutil.copytree(photographs, folder)
    trajectory = folder / "groundtruth.txt"
    trajectory.write_text("".join(trajectory.read_text().splitlines(keepends=True)[:-2]))
    damaged = sorted((folder / "rgb").iterdir())[1]
    damaged.write_bytes(damaged.read_bytes()[:40])
    live = LivePhotographs(context, open_sequence(folder, only="rgb"), OPTIONS)
    while not live.finished:
        live.step()
    assert len(live.scene.trajectory) == 5
    assert live.scene.lines[-1] == "all fused but 3 that could not be used"
    live.release()


def test_large_photographs_are_made_smaller_as_fuse_makes_them(
    context: Context, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glrender.io.sequence.MOST_PIXELS", 160 * 120 // 4)
    widths: list[int] = []

    def start(context: Context, sequence: Sequence, options: SequenceOptions) -> None:
        widths.append(sequence.camera.width)

    monkeypatch.setattr("glrender.viewer.sources.LivePhotographs", start)
    open_source(context, photographs, OPTIONS)
    assert widths == [80]


def test_photographs_without_poses_and_videos_are_told(context: Context, photographs: Path, tmp_path: Path) -> None:
    before = context.live_objects
    (tmp_path / "film.mp4").write_bytes(b"nothing")
    with pytest.raises(
        InputError, match="is a recording.*`glrender convert .*film.mp4 --calibration FILE --out FOLDER`"
    ):
        open_source(context, tmp_path / "film.mp4", OPTIONS)
    trajectory = photographs / "groundtruth.txt"
    kept = trajectory.read_text(encoding="utf-8")
    trajectory.unlink()
    try:
        with pytest.raises(
            InputError, match="no groundtruth.txt.*`glrender fuse .*/flight --track --out FOLDER` finds"
        ):
            open_source(context, photographs, replace(OPTIONS, spacing=None))
    finally:
        trajectory.write_text(kept, encoding="utf-8")
    assert context.live_objects == before
