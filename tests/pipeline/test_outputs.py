"""What a finished map leaves in its folder, and what becomes of an earlier one's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from flights import Flight, fly, rough_ground

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.images import read_color
from glrender.io.report import KEYS, read_report
from glrender.pipeline import outputs
from glrender.pipeline.outputs import FILES, FinishedMap, predict_view, write_outputs

REPORT = dict.fromkeys(KEYS, 0) | {"median_sigma": np.nan}


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground((0.4, 0.3), 0.05, 0.02), frames=1)


@pytest.fixture
def finished(context: Context, flight: Flight) -> FinishedMap:
    """The truth with a corner that nobody has seen."""
    heights, sigma = flight.truth.heights.copy(), np.full(flight.truth.shape, 0.001)
    heights[:4, :5] = sigma[:4, :5] = np.nan
    surface = replace(flight.truth, heights=heights, sigma=sigma)
    view = predict_view(context, flight.camera, surface, flight.poses[0])
    return FinishedMap(surface, view, flight.images[0], REPORT, partial=False)


def test_every_file_says_the_same(tmp_path: Path, finished: FinishedMap) -> None:
    write_outputs(tmp_path, finished, "a hill")
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    back = HeightMap.load(tmp_path / "map.npz")
    np.testing.assert_allclose(back.heights, finished.surface.heights, atol=1e-7)
    np.testing.assert_allclose(back.sigma, finished.surface.sigma, rtol=1e-6)
    known = np.isfinite(finished.surface.heights)
    mesh = trimesh.load(tmp_path / "map.ply", process=False)
    np.testing.assert_allclose(mesh.vertices[:, 2], finished.surface.heights[known], atol=1e-9)
    assert read_report(tmp_path / "report.json")["median_sigma"] is None
    picture = read_color(tmp_path / "preview.png")
    assert min(picture.shape[:2]) > 300
    assert picture.std() > 20


def test_without_colours(tmp_path: Path, finished: FinishedMap) -> None:
    bare = replace(finished, surface=replace(finished.surface, colors=None), prediction=None, photograph=None)
    write_outputs(tmp_path, bare, "a hill")
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert HeightMap.load(tmp_path / "map.npz").colors is None


def test_a_predicted_view_is_that_of_the_camera(context: Context, flight: Flight) -> None:
    before = context.live_objects
    view = predict_view(context, flight.camera, flight.truth, flight.poses[0])
    np.testing.assert_allclose(view, flight.images[0], atol=1e-6)
    assert context.live_objects == before


def test_an_earlier_map_is_replaced_and_nothing_else(tmp_path: Path, finished: FinishedMap) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write_outputs(tmp_path, finished, "a hill")
    higher = replace(finished, surface=replace(finished.surface, heights=finished.surface.heights + 1))
    write_outputs(tmp_path, replace(higher, report=REPORT | {"frames_used": 7}), "a higher hill")
    assert np.nanmin(HeightMap.load(tmp_path / "map.npz").heights) >= 1
    assert read_report(tmp_path / "report.json")["frames_used"] == 7
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "notes.txt"}


def test_half_a_result_has_no_report(tmp_path: Path, finished: FinishedMap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the writing, the report of an earlier run does not stand beside another run's map."""
    write_outputs(tmp_path, finished, "a hill")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "write_preview", fail)
    with pytest.raises(KeyboardInterrupt):
        write_outputs(tmp_path, finished, "a hill again")
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, finished: FinishedMap, name: str) -> None:
    (tmp_path / name / "inside").mkdir(parents=True)
    with pytest.raises(InputError, match=f"{name}: cannot be"):
        write_outputs(tmp_path, finished, "a hill")
