"""What the machine can do at most, measured: bytes copied and floating-point operations a second."""

import numpy as np

from glrender.bench.timing import take_turns
from glrender.gl.compute import ComputePass
from glrender.gl.context import Context
from glrender.gl.program import COMPUTE_VERSION
from glrender.parallel import even_parts, run_parts

MEBIBYTES = 64
"""How much is copied at a time, from one array to another: more than most caches hold."""
HOST_COPY = f"copying {MEBIBYTES} MiB on the host"
GPU_COPY = f"copying {MEBIBYTES} MiB on the GPU"

_SIZE = MEBIBYTES * 2**20
_GROUPS = 128, _SIZE // (16 * 256 * 128)
"""Workgroups of copy.comp along x and y."""
COPIED_BYTES = 2 * _SIZE
"""A copy reads each byte and writes it."""


class HostCopy:
    """Copies from one array to another, all cores together, at each call."""

    def __init__(self) -> None:
        self._source, self._target = np.ones((2, _SIZE), np.uint8)

    def __call__(self) -> None:
        run_parts(self._copy, even_parts(_SIZE))

    def _copy(self, first: int, last: int) -> None:
        np.copyto(self._target[first:last], self._source[first:last])


class GpuCopy:
    """Copies from one buffer of the context to another at each call, and returns when that is done.

    Where there are compute shaders, one does it: OpenGL's own way of copying may be far from what the memory can do.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._source, self._target = (context.own(context.mgl.buffer(reserve=_SIZE)) for _ in range(2))
        self._pass = ComputePass(context, "copy.comp") if context.version_code >= COMPUTE_VERSION else None

    def __call__(self) -> None:
        if self._pass is None:
            self._context.mgl.copy_buffer(self._target, self._source)
        else:
            self._pass.run(_GROUPS, buffers={"Source": self._source, "Target": self._target})
        self._context.mgl.finish()

    def release(self) -> None:
        """Release everything that was made in the context."""
        if self._pass is not None:
            self._pass.release()
        self._context.release(self._source, self._target)


def matrix_product_flops(size: int = 1024, rounds: int = 5) -> float:
    """Floating-point operations a second of numpy's product of two square float64 matrices: nearly what the cores can
    do at most."""
    a, b = np.random.default_rng(0).random((2, size, size))
    timing = take_turns({"product": lambda: a @ b}, rounds, warm_up=1)["product"]
    return 2 * size**3 / (1e-3 * timing.median)
