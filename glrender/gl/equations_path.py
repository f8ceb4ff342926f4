"""Where the work between a finished rendering and the solver is done: the one place that decides, and says why."""

from dataclasses import dataclass

from glrender.gl.context import Context
from glrender.gl.program import COMPUTE_VERSION


@dataclass(frozen=True)
class EquationsPath:
    """Where residuals, robust weights and normal equations are made."""

    where: str
    """"gpu": compute shaders; "host": compiled loops on the processor."""
    reason: str
    """Why, in words that follow "because"."""

    @property
    def on_gpu(self) -> bool:
        """Whether compute shaders do it."""
        return self.where == "gpu"


def equations_path(context: Context, largest_buffer: int = 0) -> EquationsPath:
    """Where to make the normal equations of a map whose largest buffer on the GPU would take so many bytes."""
    if context.is_software:
        return EquationsPath("host", f"{context.renderer} draws on the processor, where a compiled loop is faster")
    if context.version_code < COMPUTE_VERSION:
        return EquationsPath("host", f"compute shaders need OpenGL 4.3, and this is OpenGL {context.version}")
    limit = context.limits.max_storage_block_bytes
    if largest_buffer > limit:
        reason = f"the map needs a buffer of {largest_buffer} bytes, and those of {context.renderer} end at {limit}"
        return EquationsPath("host", reason)
    return EquationsPath("gpu", f"{context.renderer} has compute shaders, so no image need be read back")
