"""Our own stages, from drawing the map to the normal equations on the host."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.gpu_measurements import GpuMeasurements
from glrender.assembly.on_gpu import GpuNormalEquations, largest_buffer
from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.stencil import normal_equations
from glrender.bench.gradient import Gradient
from glrender.bench.scene import DEPTH_TARGET, IMAGE_TARGET, Scene
from glrender.gl.context import Context, Owned
from glrender.gl.equations_path import equations_path
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.forward import ForwardRenderer
from glrender.render.surface import SurfaceTexture
from glrender.solve.systems import NormalEquations

PLAIN = "plain pass"
COMPACT = "derivative pass"
"""Image, depth and derivatives of the compact layout, where they are made: on the host, or left on the GPU."""
READ = "reading it back"
"""Reading the derivative pass back, where it is evaluated on the GPU; otherwise there is no such stage."""
RESIDUALS = "residuals, weights"
STENCIL = "block stencil"
TOTAL = "total"
FULL = "full layout"
UPLOAD = "upload of a changed map"

GPU = "derivative pass on the GPU"
"""The derivative pass by drawing and a full-screen pass, where the host's loops are otherwise used for it."""
COMPUTED = "total by compute shaders"
"""What TOTAL does, but by compute shaders, from uploading the measurements on; only where these are used."""

PARTS = (COMPACT, READ, RESIDUALS, STENCIL)
"""What the total is made of."""


@dataclass(frozen=True)
class FirstCalls:
    """What is done once a process, or once a machine, and is in no other number: milliseconds."""

    shaders: float
    """Making the plain, the derivative and the full pass, and drawing once with each: shaders are compiled."""
    loops: float
    """Residuals and block stencil for the first time: loops are compiled, or read from Numba's cache."""


class Stages:
    """Each stage as something to time, on one scene; owned by `context`.

    The map is on the GPU already, but for UPLOAD. TOTAL is one frame as a solver has it: image, depth and their
    derivatives with respect to all heights and colours, read back, weighed against the targets, and summed up.
    """

    def __init__(self, context: Context, scene: Scene) -> None:
        self.context = context
        self.scene = scene
        self._stack = ExitStack()
        start = time.perf_counter()
        self._forward = self._keep(ForwardRenderer(context, scene.camera))
        self._compact = self._keep(DerivativeRenderer(context, scene.camera))
        self._full = self._keep(DerivativeRenderer(context, scene.camera, layout="full"))
        self._forward.draw(scene.surface, scene.T_world_camera)
        self._full.draw(scene.surface, scene.T_world_camera)
        self._finished = self._compact.draw(scene.surface, scene.T_world_camera)
        self._on_host = self._compact.evaluation == "host"
        context.mgl.finish()
        shaders = time.perf_counter() - start

        self._texture = self._keep(SurfaceTexture(context))
        self._revised = [scene.surface.with_values(scene.surface.heights, scene.surface.colors) for _ in range(2)]
        shape = scene.camera.shape
        self._measurements = Measurements(
            depth=np.full(shape, DEPTH_TARGET, np.float32), image=np.full((*shape, 3), IMAGE_TARGET, np.float32)
        )
        self._compute: GpuNormalEquations | None = None
        if equations_path(context, largest_buffer(scene.camera, scene.surface.shape, 3)).on_gpu:
            self._compute = self._keep(GpuNormalEquations(context, scene.camera))
        self._buffers = self._render()
        start = time.perf_counter()
        self._residuals = weigh(self._buffers, self._measurements)
        normal_equations(self._buffers, self._residuals)
        self.first_calls = FirstCalls(1000 * shaders, 1000 * (time.perf_counter() - start))

    def _keep(self, made: Owned) -> Owned:
        self._stack.callback(made.release)
        return made

    def candidates(self) -> dict[str, Callable[[], object]]:
        """Each stage by its name."""
        draw: dict[str, Callable[[], object]] = {
            COMPACT: lambda: self._draw(self._compact),
            READ: lambda: [self._finished.target.read(name) for name in self._finished.target.names],
        }
        if self._on_host:
            draw = {COMPACT: self._render, GPU: lambda: self._draw(self._compact)}
        return {
            PLAIN: lambda: self._draw(self._forward),
            **draw,
            RESIDUALS: lambda: weigh(self._buffers, self._measurements),
            STENCIL: lambda: normal_equations(self._buffers, self._residuals),
            TOTAL: self.total,
            **({} if self._compute is None else {COMPUTED: self._by_compute_shaders}),
            FULL: lambda: self._draw(self._full),
            UPLOAD: self._upload,
        }

    def total(self) -> NormalEquations:
        """One frame, down to the normal equations."""
        buffers = self._render()
        return normal_equations(buffers, weigh(buffers, self._measurements))

    def gradient(self) -> Gradient:
        """The loss's gradient, from the right-hand side of the normal equations."""
        vector = -2 * self.total().vector
        return Gradient(vector[..., 0], vector[..., 1:])

    @property
    def triangles(self) -> NDArray[np.int32]:
        """(height, width): the triangle that each pixel sees, -1 for none."""
        return self._buffers.triangle_ids

    @property
    def evaluated_on_host(self) -> bool:
        """Whether the derivative pass is the host's loop."""
        return self._on_host

    def release(self) -> None:
        """Release what was made in the context."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _render(self) -> DerivativeBuffers:
        return self._compact.render(self.scene.surface, self.scene.T_world_camera, pose=False, edges=False)

    def _by_compute_shaders(self) -> NormalEquations:
        assert self._compute is not None
        frame = GpuMeasurements(self.context, self.scene.camera, self._measurements)
        scene = self.scene
        equations = self._compute.normal_equations(self._compact, scene.surface, scene.T_world_camera, frame)
        frame.release()
        return equations

    def _draw(self, renderer: ForwardRenderer | DerivativeRenderer) -> None:
        renderer.draw(self.scene.surface, self.scene.T_world_camera)
        self.context.mgl.finish()

    def _upload(self) -> None:
        self._revised.reverse()
        self._texture.upload(self._revised[0])
        self.context.mgl.finish()
