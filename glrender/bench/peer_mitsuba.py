"""Mitsuba 3 (variant llvm_ad_rgb: float32, all cores), by tracing one ray a pixel.

What differs from us: rays go through pixel centres as ours do, made once, so neither sampler nor film nor integrator
takes time; a few rays slip through between triangles (three of 307,200 at 257 vertices) and are left out of the loss.
The tree over the triangles is built once, before the rounds: a map that changes would need it again in each.
"""

import drjit as dr
import mitsuba as mi
import numpy as np
from numpy.typing import NDArray

from glrender.bench.gradient import Gradient
from glrender.bench.scene import DEPTH_TARGET, IMAGE_TARGET, Scene

mi.set_variant("llvm_ad_rgb")

POSITIONS, COLORS = "map.vertex_positions", "map.vertex_color"


class MitsubaPeer:
    """The scene in Mitsuba."""

    def __init__(self, scene: Scene) -> None:
        surface = scene.surface
        assert surface.colors is not None
        self.shape = surface.shape
        self.mesh = mi.Mesh("map", surface.heights.size, len(surface.triangles))
        self.mesh.add_attribute("vertex_color", 3, _flat(surface.colors))
        mesh = mi.traverse(self.mesh)
        mesh["vertex_positions"] = mi.Float(_flat(surface.vertices()))
        mesh["faces"] = mi.UInt(surface.triangles.astype(np.uint32).ravel())
        mesh.update()
        self.scene = mi.load_dict({"type": "scene", "map": self.mesh})
        self.parameters = mi.traverse(self.scene)
        rays = scene.camera.rays() @ scene.T_world_camera[:3, :3].T
        length = np.linalg.norm(rays, axis=2)
        x, y, z = (mi.Float(_flat(rays[..., axis] / length)) for axis in range(3))
        self.rays = mi.Ray3f(mi.Point3f(*map(float, scene.T_world_camera[:3, 3])), mi.Vector3f(x, y, z))
        self.z_per_distance = mi.Float(_flat(1 / length))

    def forward(self) -> None:
        dr.eval(*self._render())
        dr.sync_thread()

    def forward_backward(self) -> tuple[mi.Float, mi.Float]:
        """Gradients with respect to positions and colours, flat."""
        unknowns = self.parameters[POSITIONS], self.parameters[COLORS]
        dr.enable_grad(*unknowns)
        for unknown in unknowns:
            dr.set_grad(unknown, 0)
        hit, color, depth = self._render()
        loss = dr.squared_norm(color - IMAGE_TARGET) + dr.square(depth - DEPTH_TARGET)
        dr.backward(dr.sum(dr.select(hit, loss, 0)))
        gradients = dr.grad(unknowns[0]), dr.grad(unknowns[1])
        dr.eval(*gradients)
        dr.sync_thread()
        dr.disable_grad(*unknowns)
        return gradients

    def gradient(self) -> Gradient:
        positions, colors = (np.array(part, np.float64).reshape(*self.shape, 3) for part in self.forward_backward())
        return Gradient(positions[..., 2], colors)

    def _render(self) -> tuple[mi.Bool, mi.Color3f, mi.Float]:
        seen = self.scene.ray_intersect(self.rays, mi.RayFlags.Minimal, coherent=True)
        hit = seen.is_valid()
        return (
            hit,
            self.mesh.eval_attribute_3("vertex_color", seen, hit),
            dr.select(hit, seen.t * self.z_per_distance, 0),
        )


def _flat(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32).ravel()
