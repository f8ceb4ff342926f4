"""Fusion timed frame by frame, small, and its peer."""

from pathlib import Path

import numpy as np
import pytest
from installed import installed

from glrender.bench.aging import YOUNG, Aging, age, slope
from glrender.bench.fusion_benchmark import OURS, WARM_UP, Feeder, distance, new_fusion, time_fusion
from glrender.bench.fusion_tables import aging_lines, unusable_lines
from glrender.bench.peers import VOLUMES, VolumePeer
from glrender.bench.recording import SIDE, Recording, load_recording, simulate_flight
from glrender.bench.timing import Timing
from glrender.errors import InputError
from glrender.gl.context import Context
from glrender.gl.equations_path import equations_path
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory

SPACING = SIDE / 32


@pytest.fixture(scope="module")
def flight() -> Recording:
    with Context() as context:
        return simulate_flight(context, (96, 72), 10)


def test_frames_are_gone_through_there_and_back(flight: Recording) -> None:
    assert [flight.index(k) for k in range(21)] == [*range(10), *range(8, 0, -1), 0, 1, 2]


def test_every_frame_of_a_flight_sees_ground_in_colour(flight: Recording) -> None:
    for frame in flight.frames:
        assert frame.depth is not None
        assert frame.image is not None
        assert (frame.depth > 0).mean() > 0.75
        assert frame.image.std() > 0.02


def test_frames_are_timed_with_their_stages(context: Context, flight: Recording) -> None:
    before = context.live_objects
    times = time_fusion(context, flight, SPACING, rounds=3)
    assert context.live_objects == before
    assert times.shape == (33, 33)
    assert list(times.timings) == [OURS]
    assert len(times.timings[OURS].milliseconds) == 3
    assert {"seed", "solve"} <= set(times.stages)
    assert all(len(timing.milliseconds) == 3 for timing in times.stages.values())
    total = sum(timing.milliseconds for timing in times.stages.values())
    assert (total <= times.timings[OURS].milliseconds).all()
    assert times.fastest_peer is None
    found = {point.stage: point for point in times.points()}
    assert set(found) == {"fusion: solve" if equations_path(context).on_gpu else "fusion: a frame"}
    for point in found.values():
        assert point.image == (96, 72)
        assert point.vertices == 33
        assert point.share > 0


class FlatPeer:
    """Says that the ground is at a height."""

    unusable = ("bricks",)

    def __init__(self, height: float) -> None:
        self.height, self.calls = height, []

    def start(self, voxel: float) -> tuple[str, ...]:
        self.calls.append(voxel)
        return ("plane",)

    def integrate(self, name: str, k: int) -> None:
        self.calls.append((name, k))

    def points(self, name: str) -> np.ndarray:
        return np.array([(0.0, 0.0, self.height), (1e3, 0.0, 0.0)])


def test_a_peer_gets_the_same_frames_in_turns(context: Context, flight: Recording) -> None:
    peer = FlatPeer(-7.0)
    times = time_fusion(context, flight, SPACING, 2, {"Flat": peer})
    assert peer.calls == [SPACING, *(("plane", k) for k in range(2 * (WARM_UP + 2)))]
    assert times.fastest_peer == "Flat, plane"
    assert set(times.ratios) == {"Flat, plane"}
    assert 7 < times.agreement["Flat, plane"] < 8
    assert times.unusable == ("Flat, bricks",)
    (line,) = unusable_lines([times], {"Flat": "1.2"})
    assert line == "Flat 1.2: left out is its bricks, which integrates nothing"


def test_the_ratio_is_that_of_medians(context: Context, flight: Recording) -> None:
    times = time_fusion(context, flight, SPACING, 1, {"Flat": FlatPeer(0.0)})
    times.timings[OURS] = Timing(np.array([1.0, 6.0, 9.0]))
    times.timings["Flat, plane"] = Timing(np.array([9.0, 3.0, 1.0]))
    assert times.ratios == {"Flat, plane": 2}


@pytest.mark.parametrize("name", VOLUMES)
def test_a_peers_surface_is_the_map(context: Context, flight: Recording, name: str) -> None:
    peer: VolumePeer = installed(name)(flight)
    fusion = new_fusion(context, flight, SPACING)
    feed = Feeder(context, fusion, flight)
    usable = peer.start(SPACING)
    assert usable
    for k in range(len(flight.frames)):
        feed()
        for volume in usable:
            peer.integrate(volume, k)
    for volume in usable:
        points = peer.points(volume)
        assert len(points) > 0.5 * fusion.observed.sum()
        assert distance(fusion, points) < 0.25 * SPACING
    fusion.release()


def test_points_off_the_map_count_for_nothing(context: Context, flight: Recording) -> None:
    fusion = new_fusion(context, flight, SPACING)
    assert np.isnan(distance(fusion, np.zeros((1, 3)))), "nothing is observed yet"
    Feeder(context, fusion, flight)()
    i, j = np.argwhere(fusion.observed)[0]
    x, y = fusion.grid.origin[0] + j * SPACING, fusion.grid.origin[1] + i * SPACING
    above = fusion.surface.heights[i, j] + 0.25
    assert distance(fusion, np.array([[x, y, above], [99.0, 0.0, 0.0]])) == pytest.approx(0.25)
    fusion.release()


def test_an_old_map_and_a_young_one_get_the_same_frames(context: Context, flight: Recording) -> None:
    steps: list[tuple[int, int]] = []
    before = context.live_objects
    aging = age(context, flight, SPACING, 20, 2, lambda *step: steps.append(step))
    assert context.live_objects == before
    young, old = aging.frames
    assert young == YOUNG
    assert old >= 20
    assert flight.index(young) == flight.index(old)
    assert steps[-1] == (old, old)
    assert len(aging.old.milliseconds) == 2
    assert np.isfinite(aging.growth)


def test_aging_is_told_in_words() -> None:
    young, old = Timing(np.array([10.0, 12.0])), Timing(np.array([11.0, 18.0]))
    aging = Aging((640, 480), (33, 65), (10, 1018), young, old, growth=2048.0)
    assert aging.ratio == pytest.approx(1.3)
    cost, memory = aging_lines(aging)
    assert "after 1018 frames of 640 x 480 pixels into 33 x 65 cells, a frame takes 1.30 times" in cost
    assert memory == "resident memory grew by +2.0 KiB a frame between frames 100 and 1018"
    assert aging.account()["ratio"] == pytest.approx(1.3)


def test_the_slope_of_a_line() -> None:
    assert slope(5.0 + 3.0 * np.arange(10)) == pytest.approx(3)


@pytest.fixture
def folder(flight: Recording, tmp_path: Path) -> Path:
    writer = SequenceWriter(tmp_path, flight.camera, 5000.0)
    times = 0.1 * np.arange(len(flight.frames))
    for time, frame in zip(times, flight.frames, strict=True):
        assert frame.image is not None
        assert frame.depth is not None
        writer.add(time, frame.image, frame.depth)
    writer.finish(Trajectory(times, np.stack([frame.T_world_camera for frame in flight.frames])))
    return tmp_path


def test_a_recording_is_read_from_its_folder(flight: Recording, folder: Path) -> None:
    recording = load_recording(folder, 0.05, 4)
    assert recording.name == folder.name
    assert len(recording.frames) == 4
    assert recording.spacing == 0.05
    assert recording.frames[2].image is not None
    np.testing.assert_allclose(recording.frames[2].T_world_camera, flight.frames[2].T_world_camera, atol=1e-6)
    x0, x1, y0, y1 = recording.bounds
    assert -1.5 < x0 < 0 < x1 < 1.5
    assert -1.5 < y0 < 0 < y1 < 1.5


def test_a_recording_without_depth_is_refused(folder: Path) -> None:
    (folder / "depth.txt").unlink()
    with pytest.raises(InputError, match="no frame has a depth image"):
        load_recording(folder, None, 4)
