"""Our stages over sizes of map and image, with other differentiable renderers beside them."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from glrender.bench.ceilings import GPU_COPY, HOST_COPY, GpuCopy, HostCopy
from glrender.bench.gradient import Gradient
from glrender.bench.peers import DifferentiablePeer
from glrender.bench.roofline import Point, points
from glrender.bench.scene import reference_scene
from glrender.bench.stages import COMPACT, COMPUTED, FULL, PARTS, PLAIN, TOTAL, Stages
from glrender.bench.timing import Timing, numbers, take_turns
from glrender.bench.work import load_of, stage_work
from glrender.gl.context import Context

FORWARD, BACKWARD = "forward", "forward + backward"
COPIES = {"host": HOST_COPY, "GPU": GPU_COPY}


@dataclass(frozen=True)
class SizeReport:
    """One size of image and map."""

    image: tuple[int, int]
    """Width and height, pixels."""
    vertices: int
    """The map has vertices x vertices of them."""
    timings: dict[str, Timing]
    """Times by stage; those of a peer by "<peer> forward" and "<peer> forward + backward"."""
    copies: dict[str, Timing]
    """By "host" and, where there is a GPU, "GPU": copies that took their turns with the stages."""
    agreement: dict[str, tuple[float, float]]
    """By peer: relative L2 difference of its gradient by heights and by colours to ours."""
    points: tuple[Point, ...]
    """What the stages achieve."""

    @property
    def shares(self) -> dict[str, float]:
        """What each part takes of the total; parts are timed one by one, so they need not add up to 1."""
        return {part: self.timings[part].ratio(self.timings[TOTAL]) for part in PARTS if part in self.timings}

    @property
    def fastest_peer(self) -> str | None:
        """The name of the peer whose forward + backward takes least; None without peers."""
        return min(self.agreement, key=lambda name: self.timings[f"{name} {BACKWARD}"].median, default=None)

    @property
    def ratios(self) -> dict[str, float]:
        """The ratios that matter; those to peers only where there are any."""
        timings = self.timings
        ratios = {"derivative pass / plain pass": timings[COMPACT].ratio(timings[PLAIN])}
        if "DEODR" in self.agreement:
            ratios["plain pass / DEODR forward"] = timings[PLAIN].ratio(timings[f"DEODR {FORWARD}"])
        if (peer := self.fastest_peer) is not None:
            total = timings.get(COMPUTED, timings[TOTAL])
            ratios["total / fastest peer forward + backward"] = total.ratio(timings[f"{peer} {BACKWARD}"])
        return ratios

    def account(self) -> dict[str, Any]:
        """What a JSON file keeps of it, with what follows worked out."""
        return {
            "image": self.image,
            "vertices": self.vertices,
            "milliseconds": numbers(self.timings),
            "copies": numbers(self.copies),
            "shares": self.shares,
            "ratios": self.ratios,
            "fastest_peer": self.fastest_peer,
            "agreement": {name: dict(zip(Gradient._fields, e, strict=True)) for name, e in self.agreement.items()},
        }


def time_stages(
    context: Context, image: tuple[int, int], vertices: int, adapters: Mapping[str, type], rounds: int
) -> SizeReport:
    """Our stages, the peers and copies, taking turns on one map."""
    scene = reference_scene(vertices, image)
    with ExitStack() as stack:
        stages = stack.enter_context(Stages(context, scene))
        own = stages.gradient()
        candidates, agreement = stages.candidates(), {}
        for name, adapter in adapters.items():
            peer: DifferentiablePeer = adapter(scene)
            agreement[name] = peer.gradient().errors(own)
            candidates |= {f"{name} {FORWARD}": peer.forward, f"{name} {BACKWARD}": peer.forward_backward}
        copies: dict[str, Callable[[], object]] = {HOST_COPY: HostCopy()}
        work = stage_work(load_of(scene, stages.triangles), on_host=stages.evaluated_on_host)
        on_gpu: tuple[str, ...] = ()
        if not context.is_software:
            buffers = GpuCopy(context)
            stack.callback(buffers.release)
            copies[GPU_COPY] = buffers
            on_gpu = PLAIN, COMPACT, FULL
            del work[TOTAL]  # done by both
        timings = take_turns(candidates | copies, rounds)
        copied = {place: timings.pop(name) for place, name in COPIES.items() if name in timings}
        achieved = points(timings, work, copied, image, vertices, on_gpu)
        return SizeReport(image, vertices, timings, copied, agreement, tuple(achieved))
