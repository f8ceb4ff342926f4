"""Batches: what a view takes in one process, beside others, and how many a second come out of several."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.batch.outputs import Depth
from glrender.batch.scene_renderer import SceneRenderer
from glrender.bench.batch_rates import ClusterRates, Rates, measure_cluster, measure_rates
from glrender.bench.peers import RendererPeer
from glrender.bench.scene import reference_scene
from glrender.bench.timing import Timing, numbers, take_turns
from glrender.gl.context import Context
from glrender.io.png import png_bytes
from glrender.pipeline.scene import Scene as BatchScene
from glrender.render.forward import ForwardRenderer

IMAGE, VERTICES = (640, 480), 65
"""Width and height, pixels, and vertices along each side of the map that is seen."""
PLAIN = "plain pass"
VIEW = "view: image and depth"
BOTH = "image as bytes, and depth"
IMAGE_PNG, DEPTH_PNG = "bytes to PNG", "depth to PNG"
IMAGE_CV2, DEPTH_CV2 = "bytes to PNG by OpenCV", "depth to PNG by OpenCV"


@dataclass(frozen=True)
class BatchReport:
    """Views of the reference scene, 65 x 65 vertices in 640 x 480 pixels."""

    timings: dict[str, Timing]
    """Times in one process by what is done; a peer's, of image and depth, under its name."""
    agreement: dict[str, float]
    """By peer: median difference of its depth to ours, metres."""
    rates: dict[int, Rates]
    """Rates by how many workers there were."""
    cluster: ClusterRates | None
    """None where dask.distributed is not installed."""

    @property
    def ratios(self) -> dict[str, float]:
        """Ratios of times, or of rates, medians over the rounds, by what they compare."""
        ratios = {"view / plain pass": self.timings[VIEW].ratio(self.timings[PLAIN])}
        for peer in self.agreement:
            ratios[f"rate of image and depth / {peer}"] = self.timings[peer].ratio(self.timings[BOTH])
        single, *several = self.rates
        for workers in several:
            ratio = np.median(self.rates[workers].views / self.rates[single].views)
            ratios[f"{workers} workers / a single one"] = float(ratio)
        return ratios

    def account(self) -> dict[str, Any]:
        """What a JSON file keeps of it, with what follows worked out."""
        return {
            "milliseconds": numbers(self.timings),
            "ratios": self.ratios,
            "agreement": self.agreement,
            "rates": {f"{workers} workers": rates for workers, rates in self.rates.items()},
            "cluster": None if self.cluster is None else self.cluster.account(),
        }


def time_batches(context: Context, adapters: Mapping[str, type], rounds: int, rate_rounds: int) -> BatchReport:
    """Time views in this process, `rounds` times, and runs of workers and of a cluster, `rate_rounds` times."""
    timings, agreement = _time_views(context, adapters, rounds)
    scene = reference_scene(VERTICES, IMAGE)
    return BatchReport(timings, agreement, measure_rates(scene, rate_rounds), measure_cluster(scene, rate_rounds))


def _time_views(
    context: Context, adapters: Mapping[str, type], rounds: int
) -> tuple[dict[str, Timing], dict[str, float]]:
    scene = reference_scene(VERTICES, IMAGE)
    content = BatchScene.of(scene.surface)
    with ExitStack() as stack:
        renderer = stack.enter_context(SceneRenderer(context))
        forward = ForwardRenderer(context, scene.camera)
        stack.callback(forward.release)
        view = renderer.render(content, scene.camera, scene.T_world_camera)
        bgr = np.ascontiguousarray(view.srgb[..., ::-1])
        counts = (Depth.scale * view["depth"]).astype(np.uint16)

        def plain() -> None:
            forward.draw(scene.surface, scene.T_world_camera)
            context.mgl.finish()

        def both() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
            seen = renderer.render(content, scene.camera, scene.T_world_camera)
            return seen.srgb, seen["depth"]

        candidates: dict[str, Callable[[], object]] = {
            PLAIN: plain,
            VIEW: lambda: renderer.render(content, scene.camera, scene.T_world_camera),
            BOTH: both,
            IMAGE_PNG: lambda: png_bytes(view.srgb),
            DEPTH_PNG: lambda: Depth().encode(view),
            IMAGE_CV2: lambda: cv2.imencode(".png", bgr),
            DEPTH_CV2: lambda: cv2.imencode(".png", counts),
        }
        agreement = {}
        for name, adapter in adapters.items():
            peer: RendererPeer = adapter(scene)
            agreement[name] = float(np.median(np.abs(peer.render()[1] - view["depth"])))
            candidates[name] = peer.render
        return take_turns(candidates, rounds), agreement
