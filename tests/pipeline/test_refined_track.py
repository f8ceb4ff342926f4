"""How high a camera is above rough ground, over many grounds; and what lengths are made of it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse import csr_array
from scipy.spatial.transform import Rotation

from glrender.cli.fuse_summary import describe_poses
from glrender.errors import InputError
from glrender.frontend.bootstrap import Start
from glrender.frontend.bundle_adjustment import Adjusted, BundleState
from glrender.frontend.estimate import TimeEstimate
from glrender.frontend.focal import FocalError
from glrender.frontend.ground_errors import GroundErrors
from glrender.frontend.mount import MountEvidence
from glrender.frontend.refine_poses import RefinedPoses
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.sequence import FrameEntry
from glrender.io.trajectory import Trajectory
from glrender.pipeline import refined_track, tracked_photographs
from glrender.pipeline.refined_track import RefinedTrack, above_ground, by_odometry
from glrender.pipeline.refinement_turns import AS_SAID

CAMERA = Camera(160, 120, 138.6, 138.6, 79.5, 59.5)
HEIGHT = 0.8
RELIEF = 0.03
"""Metres, standard deviation."""
LOOKING = se3.look_at((0.0, 0.0, HEIGHT), (0.0, 0.7, 0.0))


def ground(rng: np.random.Generator) -> np.ndarray:
    """(K, 3): every tenth of a metre, on hills half a metre wide; its mean is 0 where the carrier of the camera is."""
    relief = gaussian_filter(rng.normal(size=(60, 60)), 2.5, mode="wrap")
    relief *= RELIEF / relief.std()
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 3, 41)))
    z = map_coordinates(relief, [10 * y + 15, 10 * x + 25], order=1)
    return np.column_stack([x, y, z - gaussian_filter(relief, 2.0, mode="wrap")[15, 25]])


def test_sigma_is_that_of_many_grounds() -> None:
    rng = np.random.default_rng(4)
    found = [above_ground(CAMERA, LOOKING, ground(rng)) for _ in range(300)]
    wrong, sigma = np.array([each for each in found if each is not None]).T
    assert len(wrong) == 300
    wrong = wrong - HEIGHT
    assert np.sqrt(np.mean(np.square(wrong))) > 0.5 * RELIEF
    assert 0.7 < np.mean(np.square(wrong)) / np.mean(np.square(sigma)) < 1.5


def test_level_ground_leaves_nothing_open() -> None:
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 3, 41)))
    found = above_ground(CAMERA, LOOKING, np.column_stack([x, y, 0 * x]))
    assert found is not None
    np.testing.assert_allclose(found, (HEIGHT, 0), atol=1e-12)


def test_what_lies_on_the_ground_does_not_count() -> None:
    rng = np.random.default_rng(0)
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 3, 41)))
    z = rng.normal(scale=1e-3, size=len(x)) + np.where(rng.uniform(size=len(x)) < 0.2, 0.2, 0.0)
    found = above_ground(CAMERA, LOOKING, np.column_stack([x, y, z]))
    assert found is not None
    assert abs(found[0] - HEIGHT) < 2e-3
    assert found[1] < 2e-3


def test_what_the_image_does_not_show_does_not_count() -> None:
    behind = np.column_stack([np.linspace(-1, 1, 30), np.full(30, -3.0), np.zeros(30)])
    assert above_ground(CAMERA, LOOKING, behind) is None


class TestScale:
    """A bundle adjustment that finds the ground a tenth of the camera's height nearer, and ways longer by a tenth."""

    HIGH, WAY, SLOPE = 0.9, 1.1, 0.0

    @pytest.fixture(autouse=True)
    def _adjusted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        x, y = (each.ravel() for each in np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21)))

        def refine(camera: object, photographs: object, given: np.ndarray, *_: object, **__: object) -> RefinedPoses:
            count, unit = len(given), given[0, 2, 3]
            poses = given.copy()
            poses[:, 0, 3] *= self.WAY
            places = unit * np.column_stack([x, y, 1 - self.HIGH + self.SLOPE * x])
            nothing = csr_array((3 * len(places), 6 * count))
            errors = GroundErrors(places, np.zeros((len(places), 3, 3)), nothing, np.zeros((count, 6, 6)), 1.0)
            state = BundleState(poses, np.zeros(6), ())
            said = Adjusted(
                state,
                errors,
                np.eye(3),
                0.1,
                1.0,
                FocalError(0.0, np.inf),
                TimeEstimate(0.0, np.inf),
                AS_SAID,
                0.0,
                (1e-6, 1e-6),
                mount_evidence=MountEvidence(0.0, 1.0),
                converged=True,
            )
            return RefinedPoses(
                (said,), np.ones((count, 2)), 100, count, (), np.zeros((count, 6)), np.zeros((count, 3)), ()
            )

        monkeypatch.setattr(refined_track, "refine_poses", refine)
        monkeypatch.setattr(refined_track, "read_photographs", lambda _, all_of_them, __: (all_of_them, []))

    def refined(self, scale: str, unit: float, odometry: Trajectory | None = None) -> RefinedTrack:
        """Of three poses half of the camera's height apart, and a world in which that height is `unit`."""
        down = np.diag([1.0, -1.0, -1.0, 1.0])
        poses = {}
        for k in range(3):
            poses[k] = down.copy()
            poses[k][:3, 3] = (0.5 * unit * k, 0.0, unit)
        entries = tuple(FrameEntry(k, float(k), float(k), Path("a.png"), None) for k in poses)
        start = Start(tuple(poses.values()), (0, 1, 2), scale, 0.01, unit, 0.03)
        sequence = SimpleNamespace(camera=CAMERA)
        return refined_track.refine_track(sequence, entries, entries, poses, start, entries, odometry)

    @pytest.mark.parametrize("scale", ["camera height", "scale", "unknown"])
    def test_a_height_is_that_above_the_ground_as_it_is(self, scale: str) -> None:
        found = self.refined(scale, 1.5)
        assert found.description["pose_refinement"]["scaled_by"] == pytest.approx(1 / self.HIGH)
        np.testing.assert_allclose(found.poses[0][2, 3], 1.5 / self.HIGH)
        np.testing.assert_allclose(found.poses[2][0, 3], 1.5 * self.WAY / self.HIGH)

    def test_a_scale_multiplies_the_map_that_had_none(self) -> None:
        unknown, told = self.refined("unknown", 1.0), self.refined("scale", 0.7)
        for k, pose in unknown.poses.items():
            np.testing.assert_allclose(told.poses[k][:3, 3], 0.7 * pose[:3, 3], rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(told.poses[k][:3, :3], pose[:3, :3], atol=1e-12)
        assert told.description["pose_refinement"]["scale_sigma"] == 0

    def test_the_world_is_as_level_as_all_of_the_ground(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TestScale, "SLOPE", 0.05)
        found = self.refined("camera height", 1.5)
        tilt = np.arctan(0.05)
        np.testing.assert_allclose(found.poses[2][:3, 2], (-np.sin(tilt), 0, -np.cos(tilt)), atol=1e-9)
        high = self.HIGH * np.cos(tilt)  # across the slope
        assert found.description["pose_refinement"]["scaled_by"] == pytest.approx(1 / high)
        way = found.poses[2][:3, 3] - found.poses[0][:3, 3]
        np.testing.assert_allclose(way, 1.5 * self.WAY / high * np.array([np.cos(tilt), 0, -np.sin(tilt)]), atol=1e-9)

    @pytest.mark.parametrize("scale", ["baseline", "odometry"])
    def test_a_way_is_as_long_as_it_was_told(self, scale: str) -> None:
        found = self.refined(scale, 1.5)
        assert found.description["pose_refinement"]["scaled_by"] == pytest.approx(1 / self.WAY)
        np.testing.assert_allclose(found.poses[2][0, 3] - found.poses[0][0, 3], 1.5)

    def test_odometry_tells_it_of_all_of_the_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refined_track, "FEWEST_PIECES", 2)
        driven = np.tile(np.eye(4), (3, 1, 1))
        driven[:, 1, 3] = 0.9 * np.arange(3)
        found = self.refined("odometry", 1.5, Trajectory(np.arange(3.0), driven))
        np.testing.assert_allclose(found.poses[2][0, 3] - found.poses[0][0, 3], 1.8)


class TestOdometry:
    """A drive of 4 m along a bend, 30 photographs a second; odometry at 10 poses a second turns away from it."""

    TIMES = np.arange(300) / 30

    def places(self, times: np.ndarray) -> np.ndarray:
        return np.column_stack([np.sin(0.4 * times), 1 - np.cos(0.4 * times), np.zeros(len(times))])

    def odometry(self, slip: float = 0.0, noise: float = 0.0, seed: int = 0) -> Trajectory:
        """1.02 times as long as the way, with wheels that slip by a share in the first two seconds, and noise of each
        step, a share of it."""
        times = np.arange(0.4, 9.6, 0.1)
        steps = np.diff(self.places(times), axis=0) * np.where(times[1:] < 2, 1 + slip, 1)[:, None]
        steps *= 1.02 * (1 + noise * np.random.default_rng(seed).normal(size=(len(steps), 1)))
        away = np.radians(2) * times[1:]
        turns = Rotation.from_euler("z", away[:, None]).as_matrix()
        poses = np.tile(np.eye(4), (len(times), 1, 1))
        poses[1:, :3, 3] = np.cumsum(np.einsum("nij,nj->ni", turns, steps), axis=0)
        return Trajectory(times, poses)

    def test_all_of_the_way_tells_the_scale(self) -> None:
        found = by_odometry(0.5 * self.places(self.TIMES), self.TIMES, self.odometry(), 0.1)
        assert found is not None
        assert found.factor == pytest.approx(2.04, rel=2e-3)
        assert found.sigma < 2e-3

    def test_wheels_that_slip_at_the_start_are_not_all_of_it(self) -> None:
        found = by_odometry(self.places(self.TIMES), self.TIMES, self.odometry(slip=0.3), 0.2)
        assert found is not None
        assert found.factor == pytest.approx(1.02, rel=5e-3)

    def test_sigma_is_what_pieces_disagree_by(self) -> None:
        errors = []
        for seed in range(40):
            found = by_odometry(self.places(self.TIMES), self.TIMES, self.odometry(noise=0.1, seed=seed), 0.2)
            assert found is not None
            errors.append((found.factor / 1.02 - 1) / found.sigma)
        assert 0.7 < np.sqrt(np.mean(np.square(errors))) < 1.4

    def test_too_short_a_way_tells_nothing(self) -> None:
        assert by_odometry(self.places(self.TIMES), self.TIMES, self.odometry(), 2.0) is None
        away = Trajectory(self.odometry().times + 100, self.odometry().poses)
        assert by_odometry(self.places(self.TIMES), self.TIMES, away, 0.2) is None


def test_a_live_map_whose_poses_cannot_be_judged_stays_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise InputError("none of 3 photographs shows a point of another")

    monkeypatch.setattr(tracked_photographs, "refine_track", fail)
    told: list[object] = []
    fusion = SimpleNamespace(added={}, displaced_by=told.append)
    report = tracked_photographs._judge(SimpleNamespace(), SimpleNamespace(), (), fusion, None)
    assert told == []
    lines = describe_poses({"poses_from": "tracked"} | report)
    assert lines.splitlines()[-1].endswith("what the poses are off by: none of 3 photographs shows a point of another")
