"""Compute passes: a compute shader, what it reads and writes bound by name, and how that comes back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import moderngl
from numpy.typing import ArrayLike, NDArray

from glrender.errors import LimitError, UsageError
from glrender.gl.context import Context
from glrender.gl.program import load_compute, set_uniform
from glrender.gl.source import Define

_SAMPLERS = (0x8B5E, 0x8DC1, 0x8DCA, 0x8DD2)
"""GL_SAMPLER_2D, GL_SAMPLER_2D_ARRAY, GL_INT_SAMPLER_2D, GL_UNSIGNED_INT_SAMPLER_2D."""


class ComputePass:
    """One compute shader; owned by `context`. Arguments and errors are those of `load_compute`.

    Textures, buffers and values are given to `run`; a uniform block is whatever has been bound to binding 0.
    """

    def __init__(
        self,
        context: Context,
        name: str,
        defines: Mapping[str, Define] | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self.context = context
        self.name = name
        self._program = load_compute(context, name, defines, folder=folder)
        members: dict[str, Any] = {member: self._program[member] for member in self._program}
        uniforms = {member: found for member, found in members.items() if isinstance(found, moderngl.Uniform)}
        self._textures = [member for member, found in uniforms.items() if found.gl_type in _SAMPLERS]  # type: ignore[attr-defined]
        self._values = [member for member in uniforms if member not in self._textures]
        self._buffers = [member for member, found in members.items() if isinstance(found, moderngl.StorageBlock)]
        for unit, member in enumerate(self._textures):
            set_uniform(self._program, member, unit)
        for binding, member in enumerate(self._buffers):
            members[member].binding = binding

    def run(
        self,
        groups: tuple[int, int] | tuple[int, int, int],
        *,
        textures: Mapping[str, moderngl.Texture | moderngl.TextureArray] | None = None,
        buffers: Mapping[str, moderngl.Buffer] | None = None,
        values: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Run (x, y) or (x, y, z) workgroups; whatever comes next sees what they wrote.

        `textures`, `buffers` and `values` go by the shader's names of its samplers, storage blocks and other
        uniforms. More may be given than the shader, as it is configured, uses; raises UsageError for what is missing.
        """
        textures, buffers, values = textures or {}, buffers or {}, values or {}
        missing = [
            name
            for wanted, given in ((self._textures, textures), (self._buffers, buffers), (self._values, values))
            for name in wanted
            if name not in given
        ]
        if missing:
            received = ", ".join((*textures, *buffers, *values)) or "nothing"
            raise UsageError(f"{self.name}: received {received}, but it also uses {', '.join(missing)}")
        mgl = self.context.mgl
        for unit, name in enumerate(self._textures):
            textures[name].use(unit)
        for binding, name in enumerate(self._buffers):
            buffers[name].bind_to_storage_buffer(binding)
        for name in self._values:
            set_uniform(self._program, name, values[name])
        self._program.run(*groups)
        mgl.memory_barrier()

    def release(self) -> None:
        """Release the program."""
        self.context.release(self._program)


def storage_buffer(context: Context, what: str, size: int) -> moderngl.Buffer:
    """A buffer of `size` bytes, of undefined content, for compute shaders to read and write; owned by `context`.

    Raises LimitError if it is larger than a shader can bind, or than the GPU's memory.
    """
    largest = context.limits.max_storage_block_bytes
    if size > largest:
        raise LimitError(f"{what}: needs a buffer of {size} bytes, but those of {context.renderer} end at {largest}")
    return context.own_what_fits(context.mgl.buffer(reserve=size), f"{what}: does not fit into the memory")


class ReadBack:
    """Reads buffers of one context by way of a buffer of its own; owned by `context`.

    Once a buffer has been mapped to be read, a driver may keep it in the host's memory, and shaders that go on writing
    to it then reach it through the bus. So what is to be read is copied, and only the copy is ever mapped.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._between: moderngl.Buffer | None = None

    def read(self, buffer: moderngl.Buffer, array: NDArray[Any]) -> None:
        """Fill a C-contiguous array from the start of a buffer, once everything that writes to it is done."""
        mgl = self.context.mgl
        if self._between is None or self._between.size < array.nbytes:
            self.release()
            self._between = self.context.own(mgl.buffer(reserve=array.nbytes, dynamic=True))
        mgl.copy_buffer(self._between, buffer, array.nbytes)
        self._between.read_into(array, array.nbytes)
        self.context.check("reading a buffer")

    def release(self) -> None:
        """Release the buffer that it copies to; may be called twice."""
        if self._between is not None:
            self.context.release(self._between)
            self._between = None
