"""What the renderers of height maps have in common."""

from abc import ABC, abstractmethod
from typing import Self

from glrender.checks import check_choice, check_kind, check_positive
from glrender.errors import InputError, UsageError
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.render.on_host import HostEvaluator
from glrender.render.passes import ViewBuffer
from glrender.render.surface import SurfaceStore

EVALUATIONS = ("gpu", "host")


class Renderer(ABC):
    """Renders height maps as `camera` sees them, farther away than `near` metres; owned by `context`.

    `evaluation` says where pixels are made: on the "gpu", or on the "host" by compiled loops in float64, without
    drawing. None takes the host where the processor does the drawing anyway, because it is faster there. `surfaces`,
    which remain the caller's, let several renderers of a context share what is uploaded. Memory on the GPU is given
    back by `release`, at the end of a `with`, or with the context.
    """

    def __init__(
        self,
        context: Context,
        camera: Camera,
        near: float,
        evaluation: str | None,
        surfaces: SurfaceStore | None,
        *,
        host: bool = True,
    ) -> None:
        """`host` is whether this kind of renderer can evaluate pixels on the host at all."""
        check_kind("context", context, Context)
        check_kind("camera", camera, Camera)
        if surfaces is not None:
            check_kind("surfaces", surfaces, SurfaceStore)
            if surfaces.context is not context:
                raise UsageError("surfaces: received those of another context, expected this renderer's")
        if evaluation is None:
            evaluation = "host" if context.is_software and host else "gpu"
        self.evaluation = check_choice("evaluation", evaluation, EVALUATIONS)
        self.near = check_positive("near", near)
        self.context = context
        self._camera = camera
        self._view = ViewBuffer(context)
        self._shared = surfaces is not None
        self._surfaces = SurfaceStore(context) if surfaces is None else surfaces
        self._host = HostEvaluator()

    @property
    def camera(self) -> Camera:
        """The camera, rendered as a pinhole: its distortion, if any, is that of files. Another of the same size may
        take its place between renderings; InputError for one of another size."""
        return self._camera

    @camera.setter
    def camera(self, camera: Camera) -> None:
        check_kind("camera", camera, Camera)
        if camera.shape != self._camera.shape:
            raise InputError(
                f"camera: received one of {camera.width} x {camera.height} pixels, expected {self._camera.width} x "
                f"{self._camera.height} as before; make a renderer for it"
            )
        self._camera = camera

    def release(self) -> None:
        """Release everything that this renderer made in its context; may be called twice."""
        self._release_passes()
        if not self._shared:
            self._surfaces.release()
        self._view.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @abstractmethod
    def _release_passes(self) -> None:
        """Release the passes that were made."""
