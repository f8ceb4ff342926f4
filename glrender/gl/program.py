"""Programs from shader files, and their uniforms."""

import re
from collections.abc import Mapping
from pathlib import Path

import moderngl
import numpy as np
from numpy.typing import ArrayLike

from glrender.checks import check_array
from glrender.errors import LimitError, ShaderError, UsageError
from glrender.gl.context import Context
from glrender.gl.log import rewrite_log
from glrender.gl.source import Define, ShaderSource, check_defines, load_source


def load_program(
    context: Context,
    vertex: str,
    fragment: str,
    defines: Mapping[str, Define] | None = None,
    *,
    version: int = 330,
    folder: Path | None = None,
) -> moderngl.Program:
    """Compile and link two shader files, owned by `context`.

    `defines` overrides options that one of the files declares (see `glrender.gl.source`); any other
    name is refused by UsageError. `version` is 330, or 430 where the shaders need it (LimitError if
    the context is older). `folder` is where the files lie: glrender's own shaders unless given.
    Raises ShaderError with `file:line: message` if a shader does not compile or link.
    """
    defines = {} if defines is None else defines
    if version > context.version_code:
        raise LimitError(f"{vertex} + {fragment}: needs OpenGL {version}, but this context has {context.version}")
    raw = {name: load_source(name, folder) for name in (vertex, fragment)}
    check_defines(defines, raw)
    sources = [raw[name].with_defines(defines, version) for name in (vertex, fragment)]
    context.use()
    try:
        program = context.mgl.program(vertex_shader=sources[0].text, fragment_shader=sources[1].text)
    except moderngl.Error as error:
        raise ShaderError(_explain(str(error), f"{vertex} + {fragment}", *sources)) from None
    return context.own(program)


def set_uniform(program: moderngl.Program, name: str, value: ArrayLike) -> None:
    """Set a uniform from a number or array; a matrix is as numpy has it, so that GLSL's `M * x` is `M @ x`.

    Shapes: a vector (n,), a matrix (rows, columns), an array of k of them (k, …). Raises UsageError if
    the program has no such uniform, InputError for another shape or for values that are not finite.
    """
    members = {member: program[member] for member in program}
    uniform = members.get(name)
    if not isinstance(uniform, moderngl.Uniform):
        valid = sorted(member for member, found in members.items() if isinstance(found, moderngl.Uniform))
        raise UsageError(f"uniform: received {name!r}, but this program uses {', '.join(valid) or 'none'}")
    dtype = {"f": np.float32, "i": np.int32, "I": np.uint32, "d": np.float64}[uniform.fmt[-1]]
    shape = _shape(uniform)
    array = check_array(f"uniform {name}", value, shape, dtype, finite=True)
    if uniform.matrix:
        array = np.ascontiguousarray(np.swapaxes(array, -1, -2))
    uniform.write(array.tobytes())


def _shape(uniform: moderngl.Uniform) -> tuple[int, ...]:
    repeated = (uniform.array_length,) if uniform.array_length > 1 else ()
    if uniform.matrix:
        columns, rows = _MATRICES[uniform.gl_type]
        return (*repeated, rows, columns)
    return (*repeated, uniform.dimension) if uniform.dimension > 1 else repeated


# GL_FLOAT_MAT2 … GL_FLOAT_MAT4x3: (columns, rows), as in GLSL's matCxR.
_MATRICES = {
    0x8B5A: (2, 2), 0x8B5B: (3, 3), 0x8B5C: (4, 4),
    0x8B65: (2, 3), 0x8B66: (2, 4), 0x8B67: (3, 2), 0x8B68: (3, 4), 0x8B69: (4, 2), 0x8B6A: (4, 3),
}  # fmt: skip


def _explain(log: str, name: str, vertex: ShaderSource, fragment: ShaderSource) -> str:
    """moderngl's message is a headline, the stage underlined by '=', and the driver's log."""
    headline, stage, messages = re.fullmatch(r"(.*?)\n\n(\w+)\n=+\n(.*)", log.strip(), re.DOTALL).groups()
    source = {"vertex_shader": vertex, "fragment_shader": fragment}.get(stage)
    if source is None:
        return f"{name}: {headline}\n{messages.strip()}"
    return f"{name}: {stage.replace('_', ' ')} does not compile\n{rewrite_log(messages, source)}"
