"""A plane, motions and a world from nothing but the first photographs."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, along, drive, record, textured_ground, twist_between
from test_frontend_residuals import STEP, T_FRAME_REFERENCE, differences, photograph, plane_depth  # noqa: F401

from glrender.errors import InputError, UsageError
from glrender.frontend.bootstrap import Bootstrap, BootstrapProgress, KnownScale, likeliest
from glrender.frontend.comparison import photometric
from glrender.frontend.plane_motion import PlaneMotion, by_plane, on_plane
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import make_reference
from glrender.frontend.residuals import Exposure
from glrender.geometry import se3
from glrender.gl.context import Context

HEIGHT = float(drive(0.0)[2, 3])


@pytest.fixture(scope="module")
def recorded(context: Context) -> Recorded:
    return record(context, textured_ground(0.0), along(drive, 7, 0.6))


def begun(
    recorded: Recorded, scale: KnownScale | None = None, odometry: Sequence[np.ndarray | None] | None = None
) -> list[BootstrapProgress]:
    """What a bootstrap says after each frame, to the first that makes a start."""
    bootstrap, said = Bootstrap(CAMERA, scale), []
    for k, each in enumerate(recorded.photographs):
        said.append(bootstrap.add(np.square(each)[..., None], None if odometry is None else odometry[k]))
        if said[-1].start is not None:
            break
    return said


@pytest.mark.parametrize("axis", range(2))
def test_intensities_by_the_plane(photograph: Level, axis: int) -> None:  # noqa: F811
    flat = make_reference((photograph,), np.ones(CAMERA.shape, np.float32), np.eye(4), most_points=300)
    exposure = Exposure(1.2, -0.05)

    def at(step: float) -> tuple[np.ndarray, np.ndarray]:
        points = on_plane(flat, np.array([0.1, 0.3]) + step * np.eye(2)[axis]).levels[0]
        residuals, sighting, _ = photometric(points, photograph, T_FRAME_REFERENCE, exposure)
        by = by_plane(points, sighting, exposure, T_FRAME_REFERENCE)
        return np.where(sighting.seen, residuals.value, np.nan), by[:, axis]

    value, derivative = at(0.0)
    assert differences(value, derivative, at(STEP)[0], at(-STEP)[0], STEP) < 1e-3


def test_a_drive_gives_floor_motions_and_scale(recorded: Recorded) -> None:
    start = begun(recorded, KnownScale(camera_height=HEIGHT))[-1].start
    assert start is not None
    assert start.scale == "camera height"
    assert start.camera_height == pytest.approx(HEIGHT)
    assert start.poses[0][2, 3] == pytest.approx(HEIGHT)
    np.testing.assert_allclose(start.poses[0][:2, 3], 0, atol=1e-9)
    truth = recorded.poses[list(start.frames)]
    for found, true in zip(start.poses, truth, strict=True):
        # Up is up: gravity as the camera sees it.
        assert np.arccos(min(found[2, :3] @ true[2, :3], 1.0)) < 0.02
        motion, expected = se3.inverse(start.poses[0]) @ found, se3.inverse(truth[0]) @ true
        off = twist_between(motion, expected)
        assert np.abs(off[:3]).max() < 0.004
        assert np.abs(off[3:]).max() < 0.006
    assert start.normal_sigma < 0.035


def test_a_bumpy_floor_will_do(context: Context) -> None:
    bumpy = record(context, textured_ground(0.06), along(drive, 7, 0.6))
    start = begun(bumpy)[-1].start
    assert start is not None
    for found, k in zip(start.poses, start.frames, strict=True):
        assert np.arccos(min(found[2, :3] @ bumpy.poses[k][2, :3], 1.0)) < 0.06


def test_without_a_scale_the_first_camera_is_at_height_one(recorded: Recorded) -> None:
    start = begun(recorded)[-1].start
    assert start is not None
    assert start.scale == "unknown"
    assert start.camera_height == pytest.approx(1.0)
    last = np.linalg.norm(start.poses[-1][:3, 3] - start.poses[0][:3, 3])
    true = np.linalg.norm(recorded.poses[start.frames[-1]][:3, 3] - recorded.poses[0][:3, 3])
    assert last == pytest.approx(true / HEIGHT, rel=0.02)
    known = begun(recorded, KnownScale(unit_metres=0.7))[-1].start
    assert known is not None
    assert known.scale == "scale"
    np.testing.assert_allclose(known.poses[-1][:3, 3], 0.7 * start.poses[-1][:3, 3], rtol=1e-12)


def test_odometry_or_a_baseline_give_the_scale(recorded: Recorded) -> None:
    elsewhere = se3.exp((3.0, -2.0, 1.0, 0.3, 0.2, 1.0))
    for late in (0, 2):  # odometry may begin later than the photographs
        odometry = [None] * late + [elsewhere @ T for T in recorded.poses[late:]]
        driven = begun(recorded, odometry=odometry)[-1].start
        assert driven is not None
        assert driven.scale == "odometry"
        assert driven.camera_height == pytest.approx(HEIGHT, rel=0.02)
    true = float(np.linalg.norm(recorded.poses[driven.frames[-1]][:3, 3] - recorded.poses[0][:3, 3]))
    measured = begun(recorded, KnownScale(baseline_metres=true))[-1].start
    assert measured is not None
    assert measured.scale == "baseline"
    assert measured.camera_height == pytest.approx(HEIGHT, rel=0.02)


@pytest.mark.parametrize("turn", [0.0, 0.04])
def test_without_a_baseline_it_waits(context: Context, turn: float) -> None:
    poses = np.stack([drive(0.0) @ se3.exp((0, 0, 0, 0.5 * turn * k, turn * k, -turn * k)) for k in range(4)])
    said = begun(record(context, textured_ground(0.0), poses))
    assert len(said) == 4
    for each in said:
        assert each.start is None
        assert "no baseline yet" in each.reason


def test_looking_straight_down_from_a_drone(context: Context) -> None:
    def hover(t: float) -> np.ndarray:
        eye = np.array([-0.2 + 0.5 * t, 0.1 * t, 0.8])
        return se3.look_at(eye, eye - np.array([0.0, 0.0, 1.0]), (0.0, 1.0, 0.0))

    recorded = record(context, textured_ground(0.02), along(hover, 6, 0.6))
    start = begun(recorded, KnownScale(camera_height=0.8))[-1].start
    assert start is not None
    assert np.arccos(start.poses[0][2, :3] @ recorded.poses[0][2, :3]) < 0.06


def explaining(ground: float, beyond: float) -> PlaneMotion:
    """A plane with these costs of the points of two thirds of an image, and of the other third."""
    return PlaneMotion(np.zeros(2), np.eye(2), (), np.repeat([ground, beyond], [20, 10]))


def test_planes_are_compared_by_what_both_explain() -> None:
    """Half of an image fits many planes, so that alone makes none of them likely."""
    whole, part, other = explaining(0.067, 0.067), explaining(0.064, np.nan), explaining(0.069, 0.071)
    assert likeliest([part, whole, other]) == [whole, other]
    before, floor = explaining(0.18, 0.03), explaining(0.107, np.nan)
    assert likeliest([before, floor]) == [floor]
    assert likeliest([floor, before]) == [floor]


def seen_ahead(pose: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(height, width): level ground to the horizon, and what is far away above it."""
    tiles = [cv2.GaussianBlur(rng.random((512, 512)).astype(np.float32), (0, 0), 3.0) for _ in range(2)]
    ground, far = ((tile - tile.mean()) / tile.std() * 0.12 + 0.5 for tile in tiles)
    x, y, z = np.moveaxis(CAMERA.rays() @ pose[:3, :3].T, -1, 0)
    away = pose[2, 3] / np.maximum(-z, 1e-3)
    ground_at = 150 * (pose[0, 3] + away * x), 150 * (pose[1, 3] + away * y)
    far_at = 400 * np.arctan2(y, x), 400 * np.arctan2(z, np.hypot(x, y))
    below, beyond = (
        cv2.remap(tile, *(at.astype(np.float32) for at in where), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        for tile, where in ((ground, ground_at), (far, far_at))
    )
    near = np.clip(2 - away / 2, 0, 1)  # texture that is too fine for its pixels fades away
    return np.where(z < 0, near * below + (1 - near) * 0.5, beyond).astype(np.float32)


def test_a_camera_that_looks_ahead_stands_on_the_ground() -> None:
    """Ten degrees down: half of the image is far away, like a plane before the camera, which is not the floor."""
    down = np.radians(10)
    bootstrap = Bootstrap(CAMERA, KnownScale(camera_height=0.6))
    for k in range(24):
        eye = np.array([0.04 * k, 0.003 * k, 0.6])
        pose = se3.look_at(eye, eye + np.array([np.cos(down), 0.0, -np.sin(down)]))
        progress = bootstrap.add(np.square(seen_ahead(pose, np.random.default_rng(4)))[..., None])
        if progress.start is not None:
            break
    assert progress.start is not None
    up = np.array([0.0, -np.cos(down), -np.sin(down)])
    assert np.arccos(progress.start.poses[0][2, :3] @ up) < 0.03
    gone = progress.start.poses[-1][:3, 3] - progress.start.poses[0][:3, 3]
    assert np.linalg.norm(gone) == pytest.approx(0.04 * progress.start.frames[-1], rel=0.05)


@pytest.mark.parametrize(("degrees", "down"), [(6, 40), (7, 38)])
def test_a_camera_that_turns_fast_stands_on_the_ground(context: Context, degrees: float, down: float) -> None:
    """And slows down; another plane, upright before it, explains the first photographs nearly as well."""
    eye, yaw, poses = np.array([0.0, -0.6, HEIGHT]), 0.0, []
    for k in range(8):
        ahead = np.array([np.sin(yaw), np.cos(yaw), 0.0])
        poses.append(se3.look_at(eye, eye + ahead - (0, 0, np.tan(np.radians(down)))))
        eye, yaw = eye + 0.03 * ahead, yaw + np.radians(degrees - 0.6 * k)
    recorded = record(context, textured_ground(0.0, size=(3.2, 2.4)), np.stack(poses))
    start = begun(recorded, KnownScale(camera_height=HEIGHT))[-1].start
    assert start is not None
    last = recorded.poses[start.frames[-1]]
    assert np.arccos(min(start.poses[0][2, :3] @ poses[0][2, :3], 1.0)) < 0.02
    off = twist_between(se3.inverse(start.poses[0]) @ start.poses[-1], se3.inverse(poses[0]) @ last)
    assert np.abs(off[:3]).max() < 0.005
    assert np.abs(off[3:]).max() < 0.01


def test_photographs_that_overlap_by_a_half_will_do(context: Context) -> None:
    """A drone's, of which the next one is too far away for any guess."""
    ahead = np.array([[-0.2, 0.0, 0.6], [0.1, 0.02, 0.6]])
    poses = np.stack([se3.look_at(eye, eye - np.array([0.0, 0.0, 1.0]), (0.2, 1.0, 0.0)) for eye in ahead])
    recorded = record(context, textured_ground(0.02), poses)
    start = begun(recorded, KnownScale(camera_height=0.6))[-1].start
    assert start is not None
    assert start.frames == (0, 1)
    step = twist_between(se3.inverse(start.poses[0]) @ start.poses[1], se3.inverse(poses[0]) @ poses[1])
    assert np.linalg.norm(step[:3]) < 0.03
    assert np.linalg.norm(step[3:]) < 0.03


def test_a_black_frame_and_a_cut_are_told(recorded: Recorded) -> None:
    bootstrap = Bootstrap(CAMERA)
    images = [np.square(each)[..., None] for each in recorded.photographs]
    assert "contrast" in bootstrap.add(np.zeros_like(images[0])).reason
    assert "first frame" in bootstrap.add(images[0]).reason
    assert "contrast" in bootstrap.add(np.zeros_like(images[0])).reason
    assert "no baseline" in bootstrap.add(images[1]).reason
    # No camera turns so that it sees a mirror image.
    assert "begun anew" in bootstrap.add(images[1][:, ::-1].copy()).reason


def test_contradicting_scales_are_refused() -> None:
    with pytest.raises(UsageError, match="one of them"):
        Bootstrap(CAMERA, KnownScale(camera_height=1.0, baseline_metres=1.0))
    with pytest.raises(InputError, match="camera_height"):
        Bootstrap(CAMERA, KnownScale(camera_height=-1.0))
