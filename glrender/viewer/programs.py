"""Programs that cover the screen, one for each set of options, compiled when it is first asked for."""

from collections.abc import Mapping

import moderngl
from numpy.typing import ArrayLike

from glrender.gl.context import Context
from glrender.gl.program import load_program, set_uniform


class ScreenPrograms:
    """A fragment shader over the whole framebuffer, with options; owned by `context`.

    `units` are the samplers and where their textures are bound; `constants` other uniforms that never change.
    """

    def __init__(
        self, context: Context, fragment: str, units: Mapping[str, int], constants: Mapping[str, ArrayLike]
    ) -> None:
        self.context, self.fragment = context, fragment
        self._fixed: dict[str, ArrayLike] = {**units, **constants}
        self._made: dict[tuple[tuple[str, int], ...], tuple[moderngl.Program, moderngl.VertexArray]] = {}

    def draw(self, options: Mapping[str, int], uniforms: Mapping[str, ArrayLike]) -> None:
        """Cover the framebuffer in use; uniforms that these options leave no use for are passed over."""
        key = tuple(options.items())
        if key not in self._made:
            program = load_program(self.context, "fullscreen.vert", self.fragment, dict(options))
            self._made[key] = program, self.context.own(self.context.mgl.vertex_array(program, []))
            _set(program, self._fixed)
        program, vertices = self._made[key]
        _set(program, uniforms)
        vertices.render(moderngl.TRIANGLES, vertices=3)

    def release(self) -> None:
        """Release what was made in the context."""
        for program, vertices in self._made.values():
            self.context.release(vertices, program)
        self._made.clear()


def _set(program: moderngl.Program, values: Mapping[str, ArrayLike]) -> None:
    for name, value in values.items():
        if name in program:
            set_uniform(program, name, value)
