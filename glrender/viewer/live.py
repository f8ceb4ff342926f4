"""A sequence on its way into a map: one frame a step, what it was compared with, and what came of it."""

from collections.abc import Generator
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.residuals import Measurements, weigh
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.linearization import FrameReport
from glrender.fusion.options import FusionOptions
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.color import linear_to_bytes
from glrender.io.sequence import Frame, Sequence
from glrender.pipeline.fuse import SequenceOptions, start_fusion
from glrender.pipeline.read_ahead import ReadFrame, read_ahead
from glrender.render.derivatives import DerivativeRenderer
from glrender.viewer.colors import Kind, colormap_name, false_colors, fit_scale
from glrender.viewer.hud import Inset, Plot
from glrender.viewer.layers import FRAME_LAYERS, Comparison, FrameLayer
from glrender.viewer.scene import Scene
from glrender.viewer.screen import BACKGROUND
from glrender.viewer.weights import Weights

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

COMPARED_WIDTH = 320
"""Width, in pixels, at which a frame is compared at most: that is every second pixel of a usual depth image."""

SIGMA_EVERY = 30
"""Frames after which sigma is computed again: for a map of 273 x 181 cells that took as long as ten frames."""

_SHOWN = ("photograph", "prediction", "residual", "measured depth")


class LiveFusion:
    """Fuses a sequence frame by frame, in the thread of the context; another thread reads ahead."""

    largest_step = np.inf

    def __init__(self, context: Context, sequence: Sequence, options: SequenceOptions) -> None:
        self._context, self._name = context, sequence.folder.resolve().name
        self._start = start_fusion(context, sequence, options)
        self.options = self._start.fusion.options
        """How frames are fused; `restart` changes it."""
        self._beside_map = BesideMap(context, self._start.sequence.camera, self.options)
        self._sigma: Float64 | None = None
        self.scene: Scene
        self._begin(self._start.fusion)

    @property
    def weights(self) -> Weights:
        """How frames are weighed."""
        return Weights.of(self.options)

    def restart(self, weights: Weights) -> None:
        """Fuse everything again, weighed otherwise."""
        self._frames.close()
        self._fusion.release()
        placement = self._start.placement
        self._beside_map.options = self.options = weights.put_into(self.options)
        self._begin(
            HeightMapFusion(
                self._context,
                self._start.sequence.camera,
                placement.spacing,
                placement.bounds,
                placement.T_world_map,
                self.options,
            )
        )

    def step(self) -> None:
        """Fuse the next frame; after the last one, the map is finished with its sigma."""
        read = next(self._frames, None)
        if read is None:
            self.finished = True
            chosen = self._start.chosen
            unused = len(chosen.posed) + len(chosen.skipped) - len(self._places)
            lines = (*self.scene.lines[:-1], told_at_the_end(unused))
            self.scene = replace(self.scene, surface=self._fusion.map(), lines=lines)
        elif read.frame is None:
            self.scene = replace(self.scene, lines=(f"frame {read.entry.index} skipped: {read.error}",))
        else:
            self._add(read, read.frame)

    def release(self) -> None:
        """Stop reading, and release what it has in the context."""
        self._frames.close()
        self._fusion.release()
        self._beside_map.release()

    def _begin(self, fusion: HeightMapFusion) -> None:
        self._fusion = fusion
        self._frames: Generator[ReadFrame] = read_ahead(self._start.sequence, self._start.chosen.posed)
        self._places: list[Float64] = []
        self._residuals: list[float] = []
        self._moves: list[float] = []
        self._sigma = None
        self.finished = False
        self.scene = Scene(self._name, self._surface(), lines=(f"{len(self._start.chosen.posed)} frames to be fused",))

    def _add(self, read: ReadFrame, frame: Frame) -> None:
        T = self._start.pose(frame)
        began = perf_counter()
        depth = np.zeros(self._start.sequence.camera.shape, np.float32) if frame.depth is None else frame.depth
        sigma = self.options.depth_noise.sigma(depth)
        comparison = self._beside_map.compare(self.scene.surface, T, depth, sigma, frame.image)
        compared = perf_counter()
        before = self.scene.surface.heights
        report = self._fusion.integrate(T, image=frame.image, depth=frame.depth)
        fused = perf_counter()
        self._places.append(T[:3, 3])
        if len(self._places) % SIGMA_EVERY == 0:
            self._sigma = self._known_sigma()
        surface = self._surface()
        self._note(report, surface.heights - before)
        milliseconds = {
            "read": read.milliseconds,
            "compare": 1e3 * (compared - began),
            "fuse": 1e3 * (fused - compared),
        }
        self.scene = replace(
            self.scene,
            surface=surface,
            trajectory=np.array(self._places),
            comparison=comparison,
            insets=frame_insets(comparison, surface),
            plot=Plot("Gauss-Newton", (("residual [mm]", self._residuals), ("step [mm]", self._moves))),
            lines=(
                f"frame {len(self._places)} of {len(self._start.chosen.posed)}: {read.entry.name}",
                f"{report.used} depths used, {report.rejected} rejected, {report.seeded} cells new",
                " · ".join(f"{stage} {ms:.0f} ms" for stage, ms in milliseconds.items()),
            ),
        )

    def _known_sigma(self) -> Float64:
        sigma = self._fusion.map().sigma
        assert sigma is not None
        return sigma

    def _surface(self) -> HeightMap:
        """The map so far, NaN where too little is known; its sigma is the one that was computed last."""
        return known_part(self._fusion.surface, self._fusion.observed, self._sigma)

    def _note(self, report: FrameReport, change: Float64) -> None:
        known = change[np.isfinite(change)]
        self._residuals.append(1e3 * report.median_abs_residual)
        self._moves.append(1e3 * float(np.sqrt(np.mean(np.square(known)))) if known.size else 0.0)


class BesideMap:
    """Compares frames with what a map predicts for them, at a part of their pixels; owned by `context`."""

    def __init__(self, context: Context, camera: Camera, options: FusionOptions) -> None:
        self.options = options
        """How frames are weighed."""
        self._step = -(-camera.width // COMPARED_WIDTH)
        self._renderer = DerivativeRenderer(context, camera.every_nth_pixel(self._step))

    def compare(
        self, surface: HeightMap, T_world_camera: Float64, depth: Float32, sigma: Float32, image: Float32 | None
    ) -> Comparison:
        """Compare a frame (height, width[, channels]), its depth 0 where nothing was measured, with what `surface`
        predicts for it."""
        every = np.s_[:: self._step, :: self._step]
        predicted = self._renderer.render(surface, T_world_camera, pose=False, edges=False)
        seen = None if image is None else np.ascontiguousarray(image[every])
        measured_depth, its_sigma = np.ascontiguousarray(depth[every]), np.ascontiguousarray(sigma[every])
        measured = Measurements(measured_depth, its_sigma, seen, self.options.color_noise)
        weighed = replace(measured, image=seen if predicted.channels == 3 else None)
        return Comparison(measured, predicted, weigh(predicted, weighed, depth_loss=self.options.depth_loss))

    def release(self) -> None:
        """Release what it has in the context."""
        self._renderer.release()


def told_at_the_end(unused: int) -> str:
    """What is told of a sequence when it is over, of which `unused` frames were missing or damaged, or had no pose."""
    return f"all fused but {unused} that could not be used" if unused else "all fused"


def known_part(current: HeightMap, observed: NDArray[np.bool_], sigma: Float64 | None) -> HeightMap:
    """A map in the making, with NaN in place of the heights that are not known well enough."""
    return replace(current, heights=np.where(observed, current.heights, np.nan), sigma=sigma)


def frame_insets(comparison: Comparison, surface: HeightMap) -> tuple[Inset, ...]:
    """Small pictures of a frame, and sigma seen from above."""
    layers = [layer for layer in FRAME_LAYERS if layer.name in _SHOWN and layer.needs(surface, comparison)]
    insets = [Inset(layer.name, _picture(layer, comparison)) for layer in layers]
    if surface.sigma is not None:
        sigma = 1e3 * surface.sigma
        scale = fit_scale(sigma, Kind.SEQUENTIAL, 2.0, False)
        colors = false_colors(sigma[::-1], scale, colormap_name(Kind.SEQUENTIAL, 0), BACKGROUND)
        insets.append(Inset(f"σ, to {scale.high:.2g} mm", colors))
    return tuple(insets)


def _picture(layer: FrameLayer, comparison: Comparison) -> NDArray[np.uint8]:
    values = layer.values(comparison)
    if layer.kind is Kind.COLOR:
        return np.broadcast_to(linear_to_bytes(values), (*values.shape[:2], 3))
    scale = fit_scale(values, layer.kind, 1.0, False)
    return false_colors(values, scale, colormap_name(layer.kind, 0), BACKGROUND)
