"""What there is time for while a camera is followed, and at which resolution."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import LEVEL
from glrender.pipeline.keyframes import AFTER
from glrender.pipeline.live_fusion import LATEST, LiveFusion, halvings
from glrender.pipeline.placement import GivenPlacement, place_on_ground
from glrender.render.forward import ForwardRenderer

CAMERA = Camera(width=160, height=120, fx=140.0, fy=140.0, cx=79.5, cy=59.5)
SEQUENCE = Sequence(Path("live"), CAMERA, CAMERA, 5000.0, 0, (), None, None, (), (), None, None)


@pytest.mark.parametrize(
    ("size", "distance", "spacing", "expected"),
    [
        ((640, 480), 1.2, 0.01, 2),  # of 1.9 mm, 7.5 mm
        ((640, 480), 1.2, 0.007, 1),
        ((640, 480), 6.0, 0.01, 0),
        ((640, 480), 1.2, 0.1, 2),  # what remains of less is no picture
        ((320, 240), 1.2, 0.02, 1),
        ((160, 120), 1.2, 0.1, 0),
    ],
)
def test_pixels_of_depth_are_no_larger_than_cells(
    size: tuple[int, int], distance: float, spacing: float, expected: int
) -> None:
    width, height = size
    camera = Camera(width=width, height=height, fx=width, fy=width, cx=width / 2, cy=height / 2)
    assert halvings(camera, distance, spacing) == expected


@dataclass
class Behind:
    """Seconds by which frames come too late, as told."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def live(context: Context, behind: Behind) -> Iterator[LiveFusion]:
    given = GivenPlacement(np.eye(4), bounds=(-1.0, 1.0, -1.0, 1.0), spacing=0.05)
    placement = place_on_ground(SEQUENCE, [np.eye(4)], 0.0, given, "made up")
    options = SequenceOptions(use="color")
    live = LiveFusion(context, SEQUENCE, options, placement, LEVEL, 1.0, behind)
    yield live
    live.release()


def test_no_depth_is_made_while_newer_keyframes_wait_or_the_camera_is_lost_sight_of(
    context: Context, live: LiveFusion, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    estimate = DepthFromMotion.estimate

    def watched(self: DepthFromMotion, *arguments: object) -> object:
        measured.append(taken)
        return estimate(self, *arguments)

    monkeypatch.setattr(DepthFromMotion, "estimate", watched)
    colors = np.random.default_rng(0).uniform(0.1, 0.9, (61, 61, 3))
    ground = HeightMap(np.zeros((61, 61)), 0.05, (-1.5, -1.5), colors)
    renderer = ForwardRenderer(context, CAMERA)
    for taken in range(10):
        pose = se3.look_at((0.1 * taken - 0.5, -0.5, 1.0), (0.1 * taken - 0.5, 0.1, 0.0))
        image = renderer.render(ground, pose).image
        behind.seconds = 2 * LATEST if taken == AFTER + 4 else LATEST / 2
        live.add(FrameEntry(taken, taken, taken, None, None), image, pose, newest=taken not in (AFTER + 1, AFTER + 2))
    renderer.release()
    assert measured == [AFTER, AFTER + 3, AFTER + 5, AFTER + 6]
    assert live.describe() == {"keyframes": 10, "keyframes_without_depth": 3, "pixels": 1}
