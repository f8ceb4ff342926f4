"""Programs from shader files, and their uniforms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
from numpy.typing import ArrayLike

from glrender.checks import check_array
from glrender.errors import LimitError, ShaderError, UsageError
from glrender.gl.context import Context
from glrender.gl.log import rewrite_log
from glrender.gl.source import Define, ShaderSource, check_defines, load_source

COMPUTE_VERSION = 430
"""The OpenGL, and GLSL, that has compute shaders."""

_DTYPES = {"f": np.float32, "i": np.int32, "I": np.uint32}

# (rows, columns) of GL_FLOAT_MAT2 … GL_FLOAT_MAT4x3; GLSL's mat3x4 has three columns and four rows.
_MATRIX_SHAPES = {
    0x8B5A: (2, 2), 0x8B5B: (3, 3), 0x8B5C: (4, 4),
    0x8B65: (3, 2), 0x8B66: (4, 2), 0x8B67: (2, 3), 0x8B68: (4, 3), 0x8B69: (2, 4), 0x8B6A: (3, 4),
}  # fmt: skip


def load_program(
    context: Context,
    vertex: str,
    fragment: str,
    defines: Mapping[str, Define] | None = None,
    *,
    version: int = 330,
    folder: Path | None = None,
) -> moderngl.Program:
    """Compile and link two shader files; the program is owned by `context`.

    `defines` overrides options that one of the files declares (see `glrender.gl.source`). `version` is 330,
    or 430 where the shaders need it. `folder` is where they lie: glrender's own shaders unless given.

    Raises ShaderError with `file:line: message` if a shader does not compile or link, UsageError for an
    option that neither declares, LimitError if the context is older than `version`.
    """
    defines = {} if defines is None else defines
    names = f"{vertex} + {fragment}"
    sources = {name: load_source(name, folder) for name in (vertex, fragment)}
    check_defines(defines, sources)
    stages = {
        "vertex_shader": sources[vertex].configured(defines, version),
        "fragment_shader": sources[fragment].configured(defines, version),
    }
    if version > context.version_code:
        raise LimitError(f"{names}: written for GLSL {version}, but this context has OpenGL {context.version}")
    texts: dict[str, Any] = {stage: source.text for stage, source in stages.items()}
    try:
        return context.own(context.mgl.program(**texts))
    except moderngl.Error as error:
        raise ShaderError(f"{names}: {_explain(str(error), stages)}") from None


def load_compute(
    context: Context, name: str, defines: Mapping[str, Define] | None = None, *, folder: Path | None = None
) -> moderngl.ComputeShader:
    """Compile and link a compute shader file; the program is owned by `context`. Errors are those of `load_program`."""
    defines = {} if defines is None else defines
    source = load_source(name, folder)
    check_defines(defines, {name: source})
    check_compute(context, name)
    stage = source.configured(defines, COMPUTE_VERSION)
    try:
        return context.own(context.mgl.compute_shader(stage.text))
    except moderngl.Error as error:
        raise ShaderError(f"{name}: {_explain(str(error), {'compute_shader': stage})}") from None


def check_compute(context: Context, what: str) -> None:
    """Raise LimitError if the context has no compute shaders, which `what` needs."""
    if context.version_code < COMPUTE_VERSION:
        raise LimitError(f"{what}: compute shaders need OpenGL 4.3, but this context has OpenGL {context.version}")


def set_uniform(program: moderngl.Program | moderngl.ComputeShader, name: str, value: ArrayLike) -> None:
    """Set a uniform from a number or array; a matrix as numpy has it, so that GLSL's `M * x` is `M @ x`.

    Shapes: a vector (n,), a matrix (rows, columns), an array of k of them (k, …). Raises UsageError if
    the program uses no such uniform, InputError for another shape or for values that are not finite.
    """
    uniforms: dict[str, Any] = {member: program[member] for member in program}
    valid = sorted(member for member, found in uniforms.items() if isinstance(found, moderngl.Uniform))
    if name not in valid:
        raise UsageError(f"uniform: received {name!r}, but this program uses {', '.join(valid) or 'none'}")
    uniform = uniforms[name]
    shape = _MATRIX_SHAPES[uniform.gl_type] if uniform.matrix else (uniform.dimension,) * (uniform.dimension > 1)
    if uniform.array_length > 1:
        shape = (uniform.array_length, *shape)
    array = check_array(f"uniform {name}", value, shape, _DTYPES[uniform.fmt[-1]], finite=True)
    # OpenGL stores matrices column by column.
    uniform.write((np.swapaxes(array, -1, -2) if uniform.matrix else array).tobytes())


def _explain(message: str, stages: Mapping[str, ShaderSource]) -> str:
    """moderngl's message is a headline, the stage underlined by '=', and the driver's log."""
    for stage, source in stages.items():
        _, found, underlined = message.partition(f"\n{stage}\n")
        if found:
            log = rewrite_log(underlined.lstrip("=\n"), source)
            return f"{stage.replace('_', ' ')} does not compile\n{log}"
    return message.strip()
