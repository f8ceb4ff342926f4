"""Photographs of a moving camera on their way into a map: one keyframe a step, and the depth that its motion told."""

from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.keyframe_fusion import STEP, FusedKeyframe, KeyframeFusion
from glrender.pipeline.photographs import start_photographs
from glrender.pipeline.read_ahead import read_ahead
from glrender.viewer.hud import Plot
from glrender.viewer.live import BesideMap, frame_insets, known_part, told_at_the_end
from glrender.viewer.scene import Scene
from glrender.viewer.weights import Weights


class LivePhotographs:
    """Fuses the keyframes of a sequence with poses, in the thread of the context; another thread reads ahead.

    A keyframe is fused when others have come from which its depth can be told, so the map begins with the fourth.
    """

    largest_step = STEP

    def __init__(self, context: Context, sequence: Sequence, options: SequenceOptions) -> None:
        self._context, self._sequence, self._options = context, sequence, options
        self._start = start_photographs(context, sequence, options)
        self._beside_map = BesideMap(context, sequence.camera, options.fusion)
        self._begin()

    @property
    def weights(self) -> Weights:
        """How keyframes are weighed."""
        weights = Weights.of(self._options.fusion)
        return replace(weights, step_slope=min(weights.step_slope, self.largest_step))

    def restart(self, weights: Weights) -> None:
        """Fuse everything again, weighed otherwise."""
        self._frames.close()
        self._run.release()
        self._options = replace(self._options, fusion=weights.put_into(self._options.fusion))
        self._beside_map.options = self._options.fusion
        self._begin()

    def _begin(self) -> None:
        start, sequence = self._start, self._sequence
        self._run = KeyframeFusion(self._context, sequence, self._options, start.placement, start.ground)
        self._run.expect(start.keyframes, start.poses)
        self._frames = read_ahead(sequence, start.keyframes)
        self._places: list[NDArray[np.float64]] = []
        self._residuals: list[float] = []
        self.finished = False
        name = sequence.folder.resolve().name
        surface = known_part(self._run.surface, self._run.observed, None)
        self.scene = Scene(name, surface, lines=(f"{len(start.keyframes)} keyframes to be fused",))

    def step(self) -> None:
        """Take the next keyframe; after the last one, the map is finished with its sigma."""
        read = next(self._frames, None)
        if read is None:
            self._fuse_waiting()
            return
        place = self._start.poses[read.entry.index]
        if read.frame is None:
            self._run.skip(read)
            self.scene = replace(self.scene, lines=(f"frame {read.entry.index} skipped: {read.error}",))
            return
        assert read.frame.image is not None
        before, began = self._run.latest, perf_counter()
        self._run.add(read.entry, read.frame.image, place)
        took = 1e3 * (perf_counter() - began)
        self._places.append(place[:3, 3])
        lines: tuple[str, ...] = (f"keyframe {len(self._places)} of {len(self._start.keyframes)}: {read.entry.name}",)
        self.scene = replace(self.scene, trajectory=np.array(self._places))
        if self._run.latest is not None and self._run.latest is not before:
            lines += self._show(self._run.latest)
        else:
            lines += ("waits for others to tell its depth",)
        self.scene = replace(self.scene, lines=(*lines, f"read {read.milliseconds:.0f} ms · depth, fuse {took:.0f} ms"))

    def release(self) -> None:
        """Stop reading, and release what it has in the context."""
        self._frames.close()
        self._run.release()
        self._beside_map.release()

    def _fuse_waiting(self) -> None:
        self.finished = True
        before = self._run.latest
        self._run.fuse_waiting()
        if self._run.latest is not None and self._run.latest is not before:
            self._show(self._run.latest)
        unused = len(self._start.keyframes) + len(self._start.skipped) - len(self._places)
        lines = (*self.scene.lines[:1], told_at_the_end(unused))
        self.scene = replace(self.scene, surface=self._run.map(), lines=lines)

    def _show(self, fused: FusedKeyframe) -> tuple[str, ...]:
        """Put what was fused into the scene, beside what the map had predicted; returns the lines that tell of it."""
        T, depth = fused.keyframe.photograph.T_world_camera, fused.depth
        comparison = self._beside_map.compare(self.scene.surface, T, depth.depth, fused.sigma, fused.keyframe.image)
        surface = known_part(self._run.surface, self._run.observed, None)
        self._residuals.append(1e3 * fused.report.median_abs_residual)
        self.scene = replace(
            self.scene,
            surface=surface,
            comparison=comparison,
            insets=frame_insets(comparison, surface),
            plot=Plot("residuals", (("residual [mm]", self._residuals),)),
        )
        shares = sorted(depth.shares.items(), key=lambda item: -item[1])[:3]
        words = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in shares)
        return (f"depth of {fused.keyframe.entry.name} from {depth.sources} others: {words}",)
