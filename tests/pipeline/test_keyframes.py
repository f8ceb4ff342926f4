"""Which photographs are given a depth, and from which others."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.frontend.motion_depth import MotionDepth
from glrender.frontend.photograph import Photograph
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.keyframes import Gallery, KeyframeDepths, PosedPhotograph, with_ends

CAMERA = Camera(40, 30, 40.0, 40.0, 19.5, 14.5)


@pytest.mark.parametrize(
    ("keyframes", "expected"),
    [
        ((2, 8, 20, 24), (2, 5, 8, 20, 22, 24, 29)),
        ((0, 1, 28, 29), (0, 1, 28, 29)),
        ((0, 29), (0, 14, 29)),
        ((7,), (7,)),
        ((), ()),
    ],
)
def test_borders_at_both_ends_are_seen_twice(keyframes: tuple[int, ...], expected: tuple[int, ...]) -> None:
    # As after a selection of every third frame: what is counted is photographs, not their indices.
    entries = [FrameEntry(3 * k, k / 30, k / 30, None, None) for k in range(30)]
    chosen = with_ends([entries[k] for k in keyframes], entries)
    assert tuple(entry.index // 3 for entry in chosen) == expected


class TestSources:
    """Photographs 10 m above the ground, of which those that show the same come long before or after each other."""

    PLACES = (0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 2.0, 102.0, 202.0)
    ENTRIES = tuple(FrameEntry(k, float(k), float(k), Path(f"{k}.png"), None) for k in range(len(PLACES)))

    @pytest.fixture
    def compared(self) -> dict[float, set[float]]:
        """Where the sources were, of each that got any."""
        return {}

    def depths(self, compared: dict[float, set[float]], unreadable: frozenset[int], *, gallery: bool) -> list[Any]:
        poses = {k: se3.look_at((x, 0.0, 10.0), (x, 0.001, 0.0)) for k, x in enumerate(self.PLACES)}

        def estimate(reference: Photograph, sources: list[Photograph], search: object) -> MotionDepth:
            x, *others = (round(float(each.T_world_camera[0, 3])) for each in (reference, *sources))
            compared[x] = set(others)
            nothing = np.zeros(CAMERA.shape, np.float32)
            verdict = np.zeros(CAMERA.shape, np.uint8)
            return MotionDepth(nothing, nothing, nothing, verdict, reference.T_world_camera, len(sources), nothing + 1)

        def read(entry: FrameEntry) -> Any:
            if entry.index in unreadable:
                raise FrameError("damaged")
            return SimpleNamespace(image=np.ones((*CAMERA.shape, 3), np.float32))

        made = KeyframeDepths(
            cast(DepthFromMotion, SimpleNamespace(camera=CAMERA, estimate=estimate)), cast(Any, lambda _: None)
        )
        if gallery:
            made.gallery = Gallery(cast(Sequence, SimpleNamespace(read=read)), self.ENTRIES, poses)
        finished: list[Any] = []
        for entry in self.ENTRIES:
            if entry.index not in unreadable:
                image = read(entry).image
                photograph = Photograph(image[..., 0], poses[entry.index])
                finished += made.add(PosedPhotograph(entry, image, photograph, 10.0))
        return [*finished, *made.finish()]

    def test_they_may_be_yet_to_come(self, compared: dict[float, set[float]]) -> None:
        self.depths(compared, frozenset(), gallery=False)
        assert compared == {2: {0}, 102: {100}, 202: {200}}
        compared.clear()
        found = self.depths(compared, frozenset(), gallery=True)
        assert compared == {0: {2}, 100: {102}, 200: {202}, 2: {0}, 102: {100}, 202: {200}}
        assert [keyframe.entry.index for keyframe, depth in found if depth is None] == [3, 4, 5]

    def test_one_that_cannot_be_read_is_none(self, compared: dict[float, set[float]]) -> None:
        self.depths(compared, frozenset({7}), gallery=True)
        assert compared == {0: {2}, 200: {202}, 2: {0}, 202: {200}}
