"""Poses from features that photographs share, where no first guess leads."""

import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, drive, record, textured_ground, twist_between

from glrender.frontend.features import find_features, pose_by_features
from glrender.frontend.pyramid import Level, build_pyramid
from glrender.frontend.reference import make_reference
from glrender.geometry import se3
from glrender.gl.context import Context

FAR = se3.exp((0.15, -0.05, 0.1, 0.0, 0.1, 0.0)) @ se3.exp((0, 0, 0, 0, 0, 1.2))
"""A quarter of the distance to the ground away, and turned by 69 degrees about its axis."""


@pytest.fixture(scope="module")
def recorded(context: Context) -> Recorded:
    """Two photographs that are far from each other, and one of other ground."""
    elsewhere = se3.exp((0, 0, 0, 0, 0, 0)).copy()
    elsewhere[:3, 3] = 0.3, 0.45, 0.0
    return record(context, textured_ground(0.06), np.stack([drive(0.3), drive(0.3) @ FAR, elsewhere @ drive(0.3)]))


def pyramid_of(recorded: Recorded, k: int) -> tuple[Level, ...]:
    return build_pyramid(CAMERA, recorded.photographs[k])


@pytest.mark.parametrize("slopes", [True, False], ids=["planes", "points"])
@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_a_photograph_from_far_off_is_found(recorded: Recorded, slopes: bool, gain: float) -> None:
    reference = make_reference(
        pyramid_of(recorded, 0), recorded.depths[0], recorded.poses[0], recorded.slopes[0] if slopes else None
    )
    darker = build_pyramid(CAMERA, np.float32(gain) * recorded.photographs[1])
    found = pose_by_features(reference, find_features(pyramid_of(recorded, 0)), find_features(darker))
    assert found is not None
    off = twist_between(found.T_world_camera, recorded.poses[1])
    assert np.linalg.norm(off[:3]) < 0.03
    assert np.linalg.norm(off[3:]) < 0.05
    assert off @ np.linalg.solve(found.covariance, off) < 12


def test_another_place_is_no_pose(recorded: Recorded) -> None:
    reference = make_reference(pyramid_of(recorded, 0), recorded.depths[0], recorded.poses[0], recorded.slopes[0])
    mine, other = (find_features(pyramid_of(recorded, k)) for k in (0, 2))
    assert len(mine.rays) > 100
    assert len(other.rays) > 100
    assert pose_by_features(reference, mine, other) is None


def test_what_the_lens_did_not_see_has_no_features(recorded: Recorded) -> None:
    image = recorded.photographs[0].copy()
    image[:, : CAMERA.width // 2] = np.nan
    features = find_features(build_pyramid(CAMERA, image))
    assert len(features.rays) > 30
    assert (features.rays[:, 0] > 0).all()


def test_a_photograph_of_nothing_has_none(recorded: Recorded) -> None:
    nothing = find_features(build_pyramid(CAMERA, np.full(CAMERA.shape, 0.5, np.float32)))
    assert len(nothing.rays) == 0
    reference = make_reference(pyramid_of(recorded, 0), recorded.depths[0], recorded.poses[0], recorded.slopes[0])
    assert pose_by_features(reference, nothing, find_features(pyramid_of(recorded, 1))) is None
