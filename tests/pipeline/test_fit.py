"""Fitting simulated sequences, whose truth is known."""

import json
import os
import shutil
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from glrender.cli.simulate import Options, make_noise, make_scene
from glrender.errors import InputError, UsageError
from glrender.fusion.noise import DepthNoise
from glrender.fusion.weighting import Weighting
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.images import FrameError
from glrender.io.report import KEYS, read_report, to_json
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.descent import FitStep
from glrender.pipeline.fit import fit_sequence
from glrender.pipeline.fit_input import FitOptions
from glrender.pipeline.outputs import FILES, FinishedMap, write_outputs
from glrender.pipeline.posed_frames import FramesOnDisk, load_frames
from glrender.simulate.recording import record

NOISE = (0.0005, 0.002)
OPTIONS = FitOptions(
    spacing=0.03,
    bounds=(-0.3, 0.3, -0.24, 0.24),
    time_offset=0.0,
    weighting=Weighting(DepthNoise(*NOISE), color_noise=0.02),
)


@pytest.fixture(scope="module")
def recorded(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of 96 x 72 pixels over a ground of 21 x 17 vertices, and their truth."""
    folder = tmp_path_factory.mktemp("recorded")
    options = Options(
        folder, size=(0.6, 0.48), spacing=0.03, texture_detail=1, frames=8, width=96, height=72, depth_noise=NOISE
    )
    scene = make_scene(options, np.random.default_rng(1))
    record(context, scene, make_noise(options, scene), np.random.SeedSequence(2), folder)
    return folder


@pytest.fixture
def sequence(recorded: Path) -> Sequence:
    return open_sequence(recorded)


@pytest.fixture
def copy(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "copy"))


def normalised_error(surface: HeightMap, folder: Path) -> np.ndarray:
    assert surface.sigma is not None
    error = (surface.heights - HeightMap.load(folder / "truth.npz").heights) / surface.sigma
    return error[np.isfinite(error)]


@pytest.mark.parametrize("use", ["depth", "both", None])
def test_the_truth_within_the_noise(context: Context, sequence: Sequence, use: str | None) -> None:
    steps: list[FitStep] = []
    finished = fit_sequence(context, sequence, replace(OPTIONS, use=use), on_step=steps.append)
    error = normalised_error(finished.surface, sequence.folder)
    assert error.size > 0.9 * finished.surface.heights.size
    assert 0.55 < np.mean(np.abs(error) < 1) < 0.8
    assert np.mean(np.abs(error) < 2) > 0.9
    assert finished.report["converged"]
    assert not finished.partial
    assert steps == finished.report["steps"]
    assert steps[-1].cost / steps[-1].measurements < 0.7 * steps[0].cost / steps[0].measurements
    assert finished.report["use"] == ("both" if use is None else use)
    if use == "depth":
        assert finished.surface.colors is None
        assert finished.prediction is None
    else:
        assert finished.surface.colors is not None
        truth = HeightMap.load(sequence.folder / "truth.npz")
        assert np.nanmedian(np.abs(finished.surface.colors - truth.colors)) < 0.01
        assert finished.prediction is not None
        assert finished.photograph is not None
        assert np.median(np.abs(finished.prediction - finished.photograph)) < 0.02


def test_photographs_alone_from_a_good_start(context: Context, sequence: Sequence) -> None:
    truth = HeightMap.load(sequence.folder / "truth.npz")
    bumps = gaussian_filter(np.random.default_rng(4).normal(size=truth.shape), 1.5)
    start = truth.with_values(truth.heights + 0.006 * bumps / bumps.std())
    options = FitOptions(use="color", start=start, time_offset=0.0, weighting=OPTIONS.weighting)
    finished = fit_sequence(context, sequence, options)
    assert finished.report["start"] == "the map given"
    assert finished.report["residuals"]["median_abs_m"] is None, "no depth was used"
    inner = np.s_[3:-3, 3:-3]
    error = (finished.surface.heights - truth.heights)[inner]
    assert np.isfinite(error).mean() > 0.8
    assert np.nanmedian(np.abs(error)) < 0.35 * np.median(np.abs(start.heights - truth.heights)[inner])


def test_photographs_alone_need_no_depth_image_that_can_be_read(context: Context, copy: Path) -> None:
    for path in (copy / "depth").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    start = HeightMap.load(copy / "truth.npz")
    options = FitOptions(use="color", start=start, time_offset=0.0, weighting=OPTIONS.weighting, iterations=1)
    assert fit_sequence(context, open_sequence(copy), options).report["frames_used"] == 8


def test_photographs_alone_start_from_depth_where_there_is_some(context: Context, sequence: Sequence) -> None:
    finished = fit_sequence(context, sequence, replace(OPTIONS, use="color", iterations=3))
    assert finished.report["start"] == "the depth images"
    assert all(np.isnan(frame["median_depth"]) for frame in finished.report["residuals"]["frames"])


def test_the_files_and_the_report(context: Context, copy: Path, tmp_path: Path) -> None:
    lost = sorted((copy / "depth").iterdir())[2]
    lost.unlink()
    sequence = open_sequence(copy)
    damaged = sequence.frames[4].depth_path
    assert damaged is not None
    damaged.write_bytes(damaged.read_bytes()[:100])
    finished = fit_sequence(context, sequence, OPTIONS)
    out = tmp_path / "out"
    out.mkdir()
    for _ in range(2):  # a second run replaces the files of the first
        write_outputs(out, finished, "fitted")
    assert {path.name for path in out.iterdir()} == set(FILES)
    report = read_report(out / "report.json")
    assert set(KEYS) <= set(report)
    assert report["frames_used"] == 6
    reasons = {frame["index"]: frame["reason"] for frame in report["frames_skipped"]}
    assert reasons[2] == "no such file"
    assert damaged.name in reasons[5]
    assert len(report["residuals"]["frames"]) == 6
    assert report["options"]["spacing"] == 0.03
    assert report["placement"]["bounds_from"] == "given"
    saved = HeightMap.load(out / "map.npz")
    np.testing.assert_allclose(saved.heights, finished.surface.heights, atol=1e-6)
    with pytest.raises(InputError, match="1 frames cannot be used, the first is frame 2"):
        fit_sequence(context, sequence, replace(OPTIONS, strict=True))
    with pytest.raises(FrameError, match=damaged.name):
        fit_sequence(context, sequence, replace(OPTIONS, strict=True, frames="3:"))


def test_an_interruption_keeps_the_last_estimate(context: Context, sequence: Sequence) -> None:
    def interrupt(step: FitStep) -> None:
        steps.append(step)
        if len(steps) == 3:
            raise KeyboardInterrupt

    steps: list[FitStep] = []
    finished = fit_sequence(context, sequence, replace(OPTIONS, use="depth"), on_step=interrupt)
    assert finished.partial
    assert finished.report["partial"]
    assert finished.report["ended"] == "interrupted"
    assert not finished.report["converged"]
    assert len(finished.report["steps"]) == 4, "and the last estimate with its pixels chosen anew"
    error = normalised_error(finished.surface, sequence.folder)
    assert np.sqrt(np.mean(np.square(error))) < 2
    json.dumps(to_json(finished.report))


def test_an_interruption_at_the_end_costs_nothing(context: Context, sequence: Sequence) -> None:
    kept: list[FinishedMap] = []

    def keep(finished: FinishedMap) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        kept.append(finished)

    with pytest.raises(KeyboardInterrupt):
        fit_sequence(context, sequence, replace(OPTIONS, use="depth", iterations=2), keep=keep)
    assert not kept[0].partial


def test_an_interruption_before_there_is_an_estimate_is_passed_on(context: Context, sequence: Sequence) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_sequence(context, sequence, OPTIONS, advance=interrupt)


def test_frames_that_do_not_fit_into_memory_are_read_again(sequence: Sequence) -> None:
    kept = load_frames(sequence, sequence.frames)
    reread = load_frames(sequence, sequence.frames, memory=1000)
    assert isinstance(kept.frames, list)
    assert isinstance(reread.frames, FramesOnDisk)
    for _ in range(2):
        assert_same(kept.frames, reread.frames)
    assert_same(kept.without_depth().frames, reread.without_depth().frames)
    assert all(frame.depth is None for frame in reread.without_depth().frames)


def assert_same(first: Iterable, second: Iterable) -> None:
    for one, other in zip(first, second, strict=True):
        for name in ("T_world_camera", "depth", "image"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_what_cannot_be_fitted_is_refused(context: Context, copy: Path) -> None:
    (copy / "depth.txt").unlink()
    photographs = open_sequence(copy)
    for options, message in (
        (FitOptions(use="depth"), "received use 'depth', expected 'color': none of the 8 selected"),
        (FitOptions(use="both"), "received use 'both', expected 'color'"),
        (FitOptions(), "no depth to place the map from; give T_world_map, the bounds and the spacing"),
        (FitOptions(frames="1:2", time_offset=100.0), "no frame lies within the trajectory"),
    ):
        with pytest.raises(InputError, match=message):
            fit_sequence(context, photographs, options)
    grid = FitOptions(bounds=(-0.3, 0.3, -0.2, 0.2), spacing=0.05, T_world_map=np.eye(4), iterations=1)
    finished = fit_sequence(context, photographs, grid)
    assert finished.report["use"] == "color"
    assert finished.report["start"] == "the plane z = 0 of the map frame"
    away = replace(grid, bounds=(90.0, 91.0, 0.0, 1.0))
    with pytest.raises(InputError, match="no measurement falls on the map"):
        fit_sequence(context, photographs, away)
    unseen = HeightMap(np.full((3, 3), np.nan), 0.1)
    with pytest.raises(InputError, match="every height is NaN"):
        fit_sequence(context, photographs, FitOptions(start=unseen))
    with pytest.raises(UsageError, match="start: received a map and spacing, bounds as well"):
        FitOptions(start=unseen, spacing=0.1, bounds=(0, 1, 0, 1))
    with pytest.raises(UsageError, match="use: received 'colour', expected one of"):
        FitOptions(use="colour")


def test_fr1_floor_fits_a_few_frames(context: Context) -> None:
    folder = Path(__file__).parents[3] / "shared/data/fr1_floor"
    if not folder.is_dir():
        pytest.skip(f"the real sequence is not at {folder}")
    options = FitOptions(frames="10:40:10", use="depth", spacing=0.02, time_offset=-0.0135, iterations=5)
    finished = fit_sequence(context, open_sequence(folder), options)
    heights = finished.surface.heights
    assert np.isfinite(heights).mean() > 0.3
    assert 0.02 < np.nanmedian(heights) < 0.06, "the floor"
    assert finished.report["residuals"]["median_abs_m"] < 0.004
