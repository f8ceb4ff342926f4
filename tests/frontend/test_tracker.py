"""A camera followed over a known map, and through all that recordings have wrong with them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, along, drive, record, textured_ground, twist_between

from glrender.errors import InputError, UsageError
from glrender.frontend.alignment import PosePrior
from glrender.frontend.level_ground import LevelGround
from glrender.frontend.rendered_depth import RenderedDepth
from glrender.frontend.tracker import TrackedFrame, Tracker, TrackerOptions
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context

RATE = 15.0
FRAMES = 12
Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def recorded(context: Context) -> Recorded:
    return record(context, textured_ground(0.06), along(drive, FRAMES, (FRAMES - 1) / RATE))


@pytest.fixture
def tracker(context: Context, recorded: Recorded) -> Iterator[Tracker]:
    tracker = Tracker(CAMERA)
    with known(context, recorded.truth) as truth:
        tracker.use_depths(truth)
        yield tracker


@contextmanager
def known(context: Context, surface: HeightMap) -> Iterator[RenderedDepth]:
    """A map that frames are tracked over."""
    depths = RenderedDepth(context, CAMERA, surface)
    yield depths
    depths.release()


def image_of(recorded: Recorded, k: int) -> np.ndarray:
    """Linear, as the tracker has it."""
    return np.square(recorded.photographs[k])[..., None]


def followed(
    tracker: Tracker, recorded: Recorded, frames: Sequence[int], changes: dict[int, Change] | None = None
) -> list[TrackedFrame]:
    first, *others = frames
    found = [tracker.start(first / RATE, image_of(recorded, first), recorded.poses[first])]
    for k in others:
        change = (changes or {}).get(k, lambda image: image)
        found.append(tracker.track(k / RATE, change(image_of(recorded, k))))
    return found


def overlap_of(recorded: Recorded, reference: int, frame: int) -> float:
    """The share of a photograph's pixels that another one shows."""
    depth = recorded.depths[reference]
    T = se3.inverse(recorded.poses[frame]) @ recorded.poses[reference]
    pixels = CAMERA.project((CAMERA.rays() * depth[..., None])[depth > 0] @ T[:3, :3].T + T[:3, 3])
    return float(((pixels >= 0) & (pixels <= (CAMERA.width - 1, CAMERA.height - 1))).all(axis=1).mean())


def assert_right(found: TrackedFrame, pose: np.ndarray, metres: float = 2e-3, radians: float = 3e-3) -> None:
    assert found.T_world_camera is not None, found.reason
    off = twist_between(found.T_world_camera, pose)
    assert np.linalg.norm(off[:3]) < metres
    assert np.linalg.norm(off[3:]) < radians


def test_a_drive_is_followed(tracker: Tracker, recorded: Recorded) -> None:
    found = followed(tracker, recorded, range(FRAMES))
    assert [each.state for each in found] == ["started"] + ["tracking"] * (FRAMES - 1)
    for each, pose in zip(found, recorded.poses, strict=True):
        assert_right(each, pose)
    assert 2 <= sum(each.keyframe for each in found) == len(tracker.keyframes) <= 6
    assert all(each.usable for each in found)
    squares = []
    for each, pose in zip(found[1:5], recorded.poses[1:5], strict=True):
        off = twist_between(each.T_world_camera, pose)
        squares.append(off @ np.linalg.solve(each.covariance, off))
    assert np.mean(squares) < 24  # of 6 expected: what the keyframes have wrong is not in it


def test_dropped_frames_and_a_wrong_guess_do_not_lose_it(tracker: Tracker, recorded: Recorded) -> None:
    for each, k in zip(followed(tracker, recorded, (0, 1, 4, 5, 9)), (0, 1, 4, 5, 9), strict=True):
        assert_right(each, recorded.poses[k])


def test_a_camera_that_stands_still_stays(tracker: Tracker, recorded: Recorded) -> None:
    tracker.start(0.0, image_of(recorded, 0), recorded.poses[0])
    for k in range(1, 6):
        found = tracker.track(k / RATE, image_of(recorded, 0) * np.float32(1 + 0.01 * k))
        assert_right(found, recorded.poses[0], 1e-4, 1e-4)
        assert not found.keyframe


def test_a_camera_that_only_turns_is_followed(context: Context, tracker: Tracker) -> None:
    poses = np.stack([drive(0.3) @ se3.exp((0, 0, 0, 0.05 * k, 0.02 * k, 0.08 * k)) for k in range(5)])
    turning = record(context, textured_ground(0.06), poses)
    found = followed(tracker, turning, range(5))
    for each, pose in zip(found, poses, strict=True):
        assert_right(each, pose)
    assert any(each.keyframe for each in found[1:])


@pytest.mark.parametrize("change", [np.zeros_like, lambda image: np.full_like(image, 0.9)], ids=["black", "white"])
def test_a_frame_of_nothing_is_rejected_and_the_next_one_is_found(
    tracker: Tracker, recorded: Recorded, change: Change
) -> None:
    found = followed(tracker, recorded, range(5), {3: change})
    assert found[3].state == "rejected"
    assert "contrast" in found[3].reason
    assert found[3].T_world_camera is None
    assert not found[3].usable
    assert_right(found[4], recorded.poses[4])


def test_a_blurred_frame_is_found_but_not_used(tracker: Tracker, recorded: Recorded) -> None:
    def blurred(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (5, 1))[..., None]

    found = followed(tracker, recorded, range(5), {3: blurred})
    assert found[3].state == "tracking"
    assert not found[3].usable
    assert not found[3].keyframe
    assert "blurred" in found[3].reason
    assert_right(found[3], recorded.poses[3], 6e-3, 8e-3)
    assert found[4].usable
    assert_right(found[4], recorded.poses[4])


def test_a_camera_that_blurs_all_the_way_is_not_lost(context: Context, tracker: Tracker) -> None:
    """Blurred frames become keyframes before the last sharp one is out of sight, and no sooner."""
    poses = along(drive, 24, 2.3)
    far = record(context, textured_ground(0.06), poses)

    def blurred(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (5, 1))[..., None]

    found = followed(tracker, far, range(24), dict.fromkeys(range(1, 24), blurred))
    assert [each.state for each in found[1:]] == ["tracking"] * 23
    first = next(k for k in range(1, 24) if found[k].keyframe)
    assert "blurred" in found[first].reason
    assert not found[first].usable
    shown = overlap_of(far, 0, first)
    assert 0.35 < shown < 0.55
    for each, pose in zip(found, poses, strict=True):
        assert_right(each, pose, 0.02, 0.03)


def test_ground_that_is_taken_to_be_level_does_not_blur(context: Context) -> None:
    """Parallax makes photographs less alike, and not less sharp."""
    rough = record(context, textured_ground(0.12), along(drive, 6, 0.5))
    never = TrackerOptions(keyframe_overlap=0, keyframe_baseline=np.inf, keyframe_correlation=0)
    tracker = Tracker(CAMERA, never)
    heights = rough.truth.heights
    with known(context, rough.truth.with_values(np.full_like(heights, heights.mean()))) as level:
        tracker.use_depths(level)
        found = followed(tracker, rough, (0, 1, 2, 3, 4, 5))[-1]
    assert found.alignment is not None
    assert found.alignment.correlation < 0.75
    assert found.alignment.sharpness > 0.9


def test_noise_makes_no_keyframes(context: Context) -> None:
    """What keyframes are like each other only so far, a further one is not more like."""
    slow = along(drive, 8, 0.15)
    noisy = record(context, textured_ground(0.06), slow, noise=12.0)
    tracker = Tracker(CAMERA)
    with known(context, noisy.truth) as truth:
        tracker.use_depths(truth)
        found = followed(tracker, noisy, range(8))
    likenesses = [each.alignment.correlation for each in found[1:] if each.alignment is not None]
    assert max(likenesses) < tracker.options.keyframe_correlation
    assert [each.keyframe for each in found] == [True] + [False] * 7


def test_an_exposure_jump_is_nothing(tracker: Tracker, recorded: Recorded) -> None:
    found = followed(tracker, recorded, range(5), {k: lambda image: 0.4 * image for k in (2, 3, 4)})
    for each, pose in zip(found, recorded.poses, strict=False):
        assert_right(each, pose)
    assert all(each.usable for each in found)


def test_something_that_moves_by_itself_is_left_out(tracker: Tracker, recorded: Recorded) -> None:
    patch = np.random.default_rng(5).uniform(0, 0.6, (14, 14, 1)).astype(np.float32)
    patch = cv2.resize(patch, (42, 42), interpolation=cv2.INTER_CUBIC)[..., None]

    def with_patch(k: int) -> Change:
        def change(image: np.ndarray) -> np.ndarray:
            image = image.copy()
            image[30 + 2 * k : 72 + 2 * k, 20 + 6 * k : 62 + 6 * k] = patch
            return image

        return change

    found = followed(tracker, recorded, range(6), {k: with_patch(k) for k in range(1, 6)})
    for each, pose in zip(found, recorded.poses, strict=False):
        assert_right(each, pose, 4e-3, 5e-3)


def test_a_camera_that_turned_far_in_a_gap_is_found(context: Context, tracker: Tracker, recorded: Recorded) -> None:
    """By what photographs have in common: no guess leads there."""
    there = recorded.poses[1] @ se3.exp((0.1, 0, 0, 0, 0, 0)) @ se3.exp((0, 0, 0, 0, 0, 1.0))
    after = record(context, textured_ground(0.06), there[None])
    followed(tracker, recorded, (0, 1))
    found = tracker.track(1.0, image_of(after, 0))
    assert found.state == "tracking"
    assert_right(found, there, 5e-3, 8e-3)


def test_a_lost_camera_is_found_by_features(context: Context, tracker: Tracker, recorded: Recorded) -> None:
    """It need not come back to where a keyframe is, as long as it sees some of the same."""
    there = recorded.poses[1] @ se3.exp((0.1, 0, 0, 0, 0, 0)) @ se3.exp((0, 0, 0, 0, 0, 1.0))
    after = record(context, textured_ground(0.06), there[None])
    followed(tracker, recorded, (0, 1))
    elsewhere = np.random.default_rng(3).random((*CAMERA.shape, 1)).astype(np.float32)
    assert tracker.track(0.2, elsewhere).state == "lost"
    found = tracker.track(0.3, image_of(after, 0))
    assert found.state == "relocalised"
    assert_right(found, there, 5e-3, 8e-3)


def test_a_lost_camera_says_so_and_is_found_again(context: Context, tracker: Tracker, recorded: Recorded) -> None:
    elsewhere = record(context, textured_ground(0.06), np.stack([se3.look_at((0.6, 0.45, 0.5), (0.7, 0.5, 0.0))]))
    followed(tracker, recorded, range(5))
    for k in (5, 6):
        found = tracker.track(k / RATE, image_of(elsewhere, 0))
        assert found.state == "lost"
        assert found.T_world_camera is None
        assert "expected at least" in found.reason
    found = tracker.track(7 / RATE, image_of(recorded, 2))
    assert found.state == "relocalised"
    assert_right(found, recorded.poses[2])
    assert tracker.track(8 / RATE, image_of(recorded, 3)).state == "tracking"


def test_a_lost_camera_is_not_found_where_things_look_half_alike(
    context: Context, tracker: Tracker, recorded: Recorded
) -> None:
    """A camera that is followed would go on there: little else than parallax makes it look otherwise."""
    elsewhere = record(context, textured_ground(0.06), np.stack([se3.look_at((0.6, 0.45, 0.5), (0.7, 0.5, 0.0))]))
    followed(tracker, recorded, range(5))
    assert tracker.track(5 / RATE, image_of(elsewhere, 0)).state == "lost"
    # Light and dark as there, and other ground in it.
    coarse, other = (cv2.GaussianBlur(image_of(*each), (0, 0), 2.5) for each in ((recorded, 2), (elsewhere, 0)))
    found = tracker.track(6 / RATE, (coarse + image_of(elsewhere, 0)[..., 0] - other)[..., None])
    assert found.state == "lost"
    assert found.alignment is not None
    assert found.alignment.correlation > TrackerOptions().least_correlation
    assert found.reason.endswith("expected at least 0.7")


def test_odometry_leads_where_prediction_would_lose(tracker: Tracker, recorded: Recorded) -> None:
    tracker.start(0.0, image_of(recorded, 0), recorded.poses[0])
    guess = recorded.poses[8] @ se3.exp((0.01, 0.0, 0.0, 0.0, 0.01, 0.0))
    found = tracker.track(8 / RATE, image_of(recorded, 8), prior=PosePrior(guess, 1e-3 * np.eye(6)))
    assert found.state == "tracking", found.reason
    assert_right(found, recorded.poses[8], 3e-3, 4e-3)


def test_how_fast_the_view_moves_is_told(tracker: Tracker, recorded: Recorded) -> None:
    with pytest.raises(UsageError, match="before start"):
        _ = tracker.rate
    tracker.start(0.0, image_of(recorded, 0), recorded.poses[0])
    assert tracker.rate == 0
    tracker.track(1 / RATE, image_of(recorded, 1))
    way = se3.log(se3.inverse(recorded.poses[0]) @ recorded.poses[1])
    distance = np.median(recorded.depths[0][recorded.depths[0] > 0])
    expected = RATE * (np.linalg.norm(way[:3]) / distance + np.linalg.norm(way[3:]))
    assert tracker.rate == pytest.approx(expected, rel=0.1)
    elsewhere = np.random.default_rng(7).uniform(size=image_of(recorded, 0).shape).astype(np.float32)
    assert tracker.track(2 / RATE, elsewhere).state == "lost"
    assert tracker.rate == 0


def test_depths_of_a_sensor_need_no_map(recorded: Recorded) -> None:
    tracker = Tracker(CAMERA)
    rng = np.random.default_rng(6)

    def depth(k: int) -> np.ndarray:
        clean = recorded.depths[k]
        return np.where(clean > 0, clean + 0.001 * rng.normal(size=clean.shape), 0).astype(np.float32)

    tracker.start(0.0, image_of(recorded, 0), recorded.poses[0], depth(0))
    for k in range(1, FRAMES):
        assert_right(tracker.track(k / RATE, image_of(recorded, k), depth(k)), recorded.poses[k])


def test_what_was_handed_in_may_be_used_again(recorded: Recorded) -> None:
    """As a live loop does that reads each frame into the same arrays."""
    tracker, kept = Tracker(CAMERA), Tracker(CAMERA)
    images = [image_of(recorded, k) for k in range(FRAMES)]
    image, depth, pose = (np.empty_like(each[0]) for each in (images, recorded.depths, recorded.poses))
    for k in range(FRAMES):
        image[:], depth[:], pose[:] = images[k], recorded.depths[k], recorded.poses[k]
        if k == 0:
            tracker.start(0.0, image, pose, depth)
            kept.start(0.0, images[0], recorded.poses[0], recorded.depths[0])
            continue
        found = tracker.track(k / RATE, image, depth)
        expected = kept.track(k / RATE, images[k], recorded.depths[k])
        np.testing.assert_array_equal(found.T_world_camera, expected.T_world_camera)
    assert len(tracker.keyframes) > 1


def test_a_better_map_is_used_for_the_keyframes_that_are_there(context: Context, recorded: Recorded) -> None:
    flat = recorded.truth.with_values(np.full(recorded.truth.shape, 0.03))
    tracker = Tracker(CAMERA)
    with known(context, flat) as plane, known(context, recorded.truth) as truth:
        tracker.use_depths(plane)
        tracker.start(0.0, image_of(recorded, 0), recorded.poses[0])
        over_plane = tracker.track(2 / RATE, image_of(recorded, 2))
        tracker.use_depths(truth)
        over_truth = tracker.track(2.1 / RATE, image_of(recorded, 2))
    assert over_plane.alignment is not None
    assert over_truth.alignment is not None
    assert over_truth.alignment.sigma < 0.8 * over_plane.alignment.sigma
    assert_right(over_truth, recorded.poses[2])


def test_wrong_use_is_refused(recorded: Recorded) -> None:
    tracker = Tracker(CAMERA)
    image = image_of(recorded, 0)
    with pytest.raises(UsageError, match="before start"):
        tracker.track(0.0, image)
    with pytest.raises(UsageError, match="use_depths"):
        tracker.start(0.0, image, recorded.poses[0])
    tracker.use_depths(LevelGround())
    with pytest.raises(InputError, match="contrast"):
        tracker.start(0.0, np.zeros_like(image), recorded.poses[0])
    with pytest.raises(InputError, match="received a frame of nan s, expected a finite time"):
        tracker.start(np.nan, image, recorded.poses[0])
    with pytest.raises(InputError, match=r"depth: received shape \(\d+, \d+\), expected"):
        tracker.start(0.0, image, recorded.poses[0], recorded.depths[0][::2])
    with pytest.raises(InputError, match="depth: received uint16, expected metres"):
        tracker.start(0.0, image, recorded.poses[0], recorded.depths[0].astype(np.uint16))
    with pytest.raises(InputError, match="image: received uint8, expected linear colour"):
        tracker.start(0.0, (255 * image).astype(np.uint8), recorded.poses[0])
    with pytest.raises(InputError, match="image: most values are above 2, up to .*; expected linear colour"):
        tracker.start(0.0, 255 * image, recorded.poses[0])
    tracker.start(1.0, image, recorded.poses[0])
    for time in (1.0, np.inf):
        with pytest.raises(InputError, match="time must go on"):
            tracker.track(time, image)
