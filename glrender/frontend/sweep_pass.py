"""The scores of `sweep` by a fragment shader of OpenGL 3.3, for GPUs whose compute shaders cannot make them."""

import math

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.frontend.sweep import FLAT, Hypotheses, SweepImages
from glrender.frontend.sweep_shader import MOST_SOURCES, ShaderSweep, stacked
from glrender.gl.context import Context
from glrender.gl.framebuffer import Framebuffer
from glrender.gl.program import load_program, set_uniform

Float32 = NDArray[np.float32]

GROUPS = 4
"""Attachments, each of four hypotheses: 48 sums a pixel, which a GPU still keeps in registers."""
_UNITS = {"reference": 0, "search": 1, "sources": 2}


class SweepPass(ShaderSweep):
    """Scores by OpenGL; what it makes is owned by `context` and kept for further calls of the same sizes."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._programs: dict[tuple[int, bool], tuple[moderngl.Program, moderngl.VertexArray]] = {}
        self._targets: dict[tuple[int, int], Framebuffer] = {}

    def release(self) -> None:
        """Release what this made in its context; may be called twice."""
        for target in self._targets.values():
            target.release()
        for program, vertices in self._programs.values():
            self.context.release(vertices, program)
        self._targets, self._programs = {}, {}

    def _scores(
        self, images: SweepImages, hypotheses: Hypotheses, radius: int, ranges: list[tuple[int, int]], *, mean: bool
    ) -> Float32:
        self.context.use()
        height, width = images.reference.shape
        program, vertices = self._program(radius, mean)
        target = self._target(width, height)
        search = np.stack([hypotheses.far, hypotheses.step], axis=-1)
        textures: list[moderngl.Texture | moderngl.TextureArray] = [
            self._texture(_with_known(images.reference)),
            self._texture(search.astype(np.float32)),
            self._layers(_with_known(images.sources)),
        ]
        for name, warp in stacked(images.warps).items():
            set_uniform(program, name, warp)
        per_pass = 4 * GROUPS
        scores = np.empty((len(ranges), height, width, hypotheses.number), np.float32)
        try:
            for unit, texture in enumerate(textures):
                texture.use(unit)
            target.use()
            self.context.mgl.enable_only(moderngl.NOTHING)
            for row, (first, last) in enumerate(ranges):
                set_uniform(program, "first_source", first)
                set_uniform(program, "last_source", last)
                for k in range(math.ceil(hypotheses.number / per_pass)):
                    set_uniform(program, "first_hypothesis", k * per_pass)
                    vertices.render(moderngl.TRIANGLES, vertices=3)
                    for group in range(GROUPS):
                        start = k * per_pass + 4 * group
                        if start < hypotheses.number:
                            part = scores[row, ..., start : start + 4]
                            part[:] = target.read(f"scores_{group}")[..., : part.shape[-1]]
            self.context.check("sweeping")
        finally:
            self.context.release(*textures)
        return scores

    def _program(self, radius: int, mean: bool) -> tuple[moderngl.Program, moderngl.VertexArray]:
        if (radius, mean) not in self._programs:
            defines = {"RADIUS": radius, "GROUPS": GROUPS, "MEAN": mean, "FLAT": FLAT, "MOST_SOURCES": MOST_SOURCES}
            program = load_program(self.context, "fullscreen.vert", "sweep.frag", defines)
            for name, unit in _UNITS.items():
                set_uniform(program, name, unit)
            vertices = self.context.own(self.context.mgl.vertex_array(program, []))
            self._programs[radius, mean] = program, vertices
        return self._programs[radius, mean]

    def _target(self, width: int, height: int) -> Framebuffer:
        if (width, height) not in self._targets:
            attachments = {f"scores_{group}": "rgba32f" for group in range(GROUPS)}
            self._targets[width, height] = Framebuffer(self.context, (width, height), attachments, depth=False)
        return self._targets[width, height]

    def _texture(self, image: Float32) -> moderngl.Texture:
        """Two channels, looked up texel by texel."""
        height, width, channels = image.shape
        self.context.check_texture_size("photograph", width, height)
        texture = self.context.own(self.context.mgl.texture((width, height), channels, image, dtype="f4"))
        texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        return texture

    def _layers(self, images: Float32) -> moderngl.TextureArray:
        layers, height, width, channels = images.shape
        size = (width, height, layers)
        texture = self.context.own(self.context.mgl.texture_array(size, channels, images, dtype="f4"))
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        texture.repeat_x = texture.repeat_y = False
        return texture


def _with_known(image: Float32) -> Float32:
    """(…, 2): intensity, and 1 where it is known; OpenGL 3.3 promises nothing about NaN."""
    known = np.isfinite(image)
    return np.stack([np.where(known, image, 0), known], axis=-1).astype(np.float32)
