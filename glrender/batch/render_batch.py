"""Many views of a scene from Python: one context, results as they come."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from numpy.typing import ArrayLike

from glrender.batch.rendered_view import RenderedView
from glrender.batch.scene_renderer import SceneRenderer
from glrender.checks import check_kind
from glrender.errors import UsageError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.pipeline.scene import Scene


def render_batch(
    scene: Scene | HeightMap | Sequence[HeightMap],
    cameras: Iterable[tuple[Camera, ArrayLike]],
    outputs: Iterable[str] = ("image", "depth"),
    *,
    renderer: SceneRenderer | None = None,
) -> Iterator[RenderedView]:
    """Yield the view of each (camera, T_world_camera (4, 4)), in order, when it is rendered.

    `outputs` names what a view is to hold: "image", "depth", "object_ids", "triangle_ids", "vertex_ids",
    "barycentric", "normal", "edges", "depth_wrt_height", "image_wrt_height", "depth_wrt_pose", "image_wrt_pose";
    view["depth"] is then an array (height, width, …), and view.jacobian("depth", "height") as of `DerivativeBuffers`.

    `cameras` may be endless: the next is asked for when a view has been taken. A context is made for as long as this
    lasts, in the thread that asks, unless `renderer` is given, which keeps what it uploads for further scenes.
    InputError, which ends it, if a pose is not rigid or a camera is below a surface; UsageError for an unknown output,
    or for what is no such pair.
    """
    if isinstance(outputs, str):  # whose letters would be taken for names
        raise UsageError(f"outputs: received {outputs!r}, expected a list of names, such as [{outputs!r}]")
    names = tuple(outputs)
    content = Scene.of(scene)
    with ExitStack() as stack:
        if renderer is not None:
            check_kind("renderer", renderer, SceneRenderer)
        else:
            renderer = stack.enter_context(SceneRenderer(stack.enter_context(Context())))
        for index, view in enumerate(cameras):
            yield renderer.render(content, *_camera_and_pose(index, view), names, index=index)


def _camera_and_pose(index: int, view: object) -> tuple[Camera, ArrayLike]:
    if not (isinstance(view, (tuple, list)) and len(view) == 2 and isinstance(view[0], Camera)):
        raise UsageError(
            f"cameras: received {type(view).__name__} as number {index}, expected pairs (camera, T_world_camera)"
        )
    return view[0], view[1]
