"""Renderings of the random scenes, made once and shared by all tests."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from passes import derivative_renderer
from random_scenes import Scene

from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.render import reference
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.forward import ForwardRenderer, Rendering
from glrender.render.reference import ReferenceBuffers


@pytest.fixture(scope="session")
def twin() -> Callable[[Scene], ReferenceBuffers]:
    """A scene by the float64 twin."""
    return cache(lambda scene: reference.render(scene.surface, scene.camera, scene.T_world_camera))


@pytest.fixture(scope="session")
def differentiate(context: Context) -> Callable[..., DerivativeBuffers]:
    """A scene by the derivative pass, in one of the WAYS."""

    @cache
    def render(scene: Scene, way: str = "host") -> DerivativeBuffers:
        renderer = derivative_renderer(context, scene.camera, way)
        buffers = renderer.render(scene.surface, scene.T_world_camera)
        renderer.release()
        return buffers

    return render


@pytest.fixture(scope="session")
def draw(context: Context) -> Callable[..., Rendering]:
    """A scene by the plain forward pass, on the GPU or the host."""

    @cache
    def render(scene: Scene, evaluation: str) -> Rendering:
        renderer = ForwardRenderer(context, scene.camera, evaluation=evaluation)
        rendering = renderer.render(scene.surface, scene.T_world_camera)
        renderer.release()
        return rendering

    return render


@pytest.fixture
def renderer(context: Context) -> Iterator[Callable[..., DerivativeRenderer]]:
    """Makes derivative renderers that are released after the test."""
    made: list[DerivativeRenderer] = []

    def make(camera: Camera, way: str = "host", **options: float) -> DerivativeRenderer:
        made.append(derivative_renderer(context, camera, way, **options))
        return made[-1]

    yield make
    for each in made:
        each.release()
