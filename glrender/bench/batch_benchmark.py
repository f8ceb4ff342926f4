"""Batches: what a view takes in one process, beside others, and how many a second come out of several."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.batch.job import Plan, job_of, make_plan
from glrender.batch.maker import RASTER_THREADS
from glrender.batch.outputs import Depth
from glrender.batch.run import Workers, run_job
from glrender.batch.scene_renderer import SceneRenderer
from glrender.bench.peers import RendererPeer
from glrender.bench.scene import Scene, reference_scene
from glrender.bench.timing import Timing, numbers, take_turns
from glrender.gl.context import Context
from glrender.io.png import png_bytes
from glrender.pipeline.scene import Scene as BatchScene
from glrender.render.forward import ForwardRenderer

IMAGE, VERTICES = (640, 480), 65
PLAIN = "plain pass"
VIEW = "view: plain pass, read back"
BOTH = "image as bytes, and depth"
IMAGE_PNG, DEPTH_PNG = "bytes to PNG", "depth to PNG"
IMAGE_CV2, DEPTH_CV2 = "bytes to PNG by OpenCV", "depth to PNG by OpenCV"

THREADS = (0, 1, 2)
"""How many threads llvmpipe draws with beside the one that calls it; meaningless for a GPU."""
WORKERS = (1, 2)
VIEWS = 240
"""Of one run: a second or two of rendering."""
SETTLED = 0.25
"""Share of the views that are left out of a rate, until all workers have started."""


@dataclass(frozen=True)
class BatchReport:
    """Views of the reference scene, 65 x 65 vertices in 640 x 480 pixels."""

    timings: dict[str, Timing]
    """In one process, by what is done; a peer's image and depth under its name."""
    agreement: dict[str, float]
    """By peer: median difference of its depth to ours, metres."""
    rates: dict[tuple[int, int], NDArray[np.float64]]
    """By (workers, threads): views a second with an image PNG each, (rounds,)."""

    @property
    def ratios(self) -> dict[str, float]:
        """The ratios that matter."""
        ratios = {"view / plain pass": self.timings[VIEW].ratio(self.timings[PLAIN])}
        for peer in self.agreement:
            ratios[f"rate of image and depth / {peer}"] = self.timings[peer].ratio(self.timings[BOTH])
        by_workers = {
            workers: max((threads for count, threads in self.rates if count == workers), key=self._median(workers))
            for workers in {workers for workers, _ in self.rates}
        }
        best = {workers: self.rates[workers, threads] for workers, threads in by_workers.items()}
        for workers in sorted(best)[1:]:
            ratios[f"{workers} workers / best single one"] = float(np.median(best[workers] / best[1]))
        return ratios

    def _median(self, workers: int) -> Callable[[int], float]:
        return lambda threads: float(np.median(self.rates[workers, threads]))

    def account(self) -> dict[str, Any]:
        """The same for a file."""
        return {
            "milliseconds": numbers(self.timings),
            "ratios": self.ratios,
            "agreement": self.agreement,
            "rates": {f"{workers} workers, {threads} threads": r for (workers, threads), r in self.rates.items()},
        }


def time_batches(context: Context, adapters: Mapping[str, type], rounds: int, rate_rounds: int) -> BatchReport:
    """Time views in this process, `rounds` times, and runs of workers, `rate_rounds` times."""
    timings, agreement = _time_views(context, adapters, rounds)
    return BatchReport(timings, agreement, _measure_rates(rate_rounds))


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


def _measure_rates(rounds: int) -> dict[tuple[int, int], NDArray[np.float64]]:
    settings = [(workers, threads) for threads in THREADS for workers in WORKERS]
    rates: dict[tuple[int, int], list[float]] = {setting: [] for setting in settings}
    with tempfile.TemporaryDirectory(prefix="glrender-bench-") as folder:
        plan = _plan(Path(folder), reference_scene(VERTICES, IMAGE))
        for turn in range(rounds):
            for workers, threads in settings:
                out = Path(folder) / f"{turn}-{workers}-{threads}"
                with _raster_threads(threads):
                    outcome = run_job(plan, out, Workers(workers, (0,)))
                assert outcome.complete, outcome
                rates[workers, threads].append(_rate(out, plan))
    return {setting: np.array(values) for setting, values in rates.items()}


def _plan(folder: Path, scene: Scene) -> Plan:
    """Views of the reference scene from places close to its own, so that it fills the image."""
    scene.surface.save(folder / "map.npz")
    poses = np.repeat(scene.T_world_camera[None], VIEWS, axis=0)
    poses[:, 0, 3] += np.linspace(-0.05, 0.05, VIEWS)
    camera = {name: getattr(scene.camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    content = {
        "scene": [{"type": "heightmap", "source": "map.npz"}],
        "camera": camera,
        "views": [{"type": "poses", "T_world_camera": poses.tolist()}],
        "outputs": [{"type": "image"}],
    }
    return make_plan(job_of(str(folder / "job.json"), content))


def _rate(out: Path, plan: Plan) -> float:
    """Views a second, by when their files were written; without the first of them, which came while workers started."""
    (image,) = plan.job.outputs
    times = np.sort([(out / plan.path(image, index)).stat().st_mtime_ns for index in range(plan.count)])
    counted = times[int(SETTLED * len(times)) :]
    return float(1e9 * (len(counted) - 1) / (counted[-1] - counted[0]))


@contextmanager
def _raster_threads(count: int) -> Iterator[None]:
    before = os.environ.get(RASTER_THREADS)
    os.environ[RASTER_THREADS] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ[RASTER_THREADS]
        else:
            os.environ[RASTER_THREADS] = before
