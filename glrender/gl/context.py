"""An OpenGL context that somebody owns, and the register of what is alive in it."""

from dataclasses import dataclass
from os import getpid
from threading import get_ident
from typing import Protocol, Self, TypeVar

import moderngl

from glrender.errors import GLError, LimitError
from glrender.gl import egl

REQUIRED_VERSION = 330
VERSIONS = (430, REQUIRED_VERSION)
"""OpenGL versions to ask for, in this order. The first has compute shaders. NVIDIA's driver gives the very version that
is asked for, where Mesa's gives the latest that it has."""
SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swiftshader")
"""What stands in GL_RENDERER, in lower case, where the processor draws."""


class GLObject(Protocol):
    """Anything that moderngl makes and that must be released."""

    def release(self) -> None: ...


Owned = TypeVar("Owned", bound=GLObject)


@dataclass(frozen=True)
class Limits:
    """What this machine's OpenGL can do, as far as glrender asks for it."""

    max_draw_buffers: int
    """Colour attachments that one pass can write; OpenGL 3.3 guarantees 8."""
    max_texture_size: int
    """Largest width or height of a texture, in texels."""
    max_framebuffer_size: tuple[int, int]
    """Largest width and height of what is rendered into, in pixels."""
    max_texture_units: int
    """Textures that a fragment shader can read."""
    max_storage_block_bytes: int
    """Largest buffer that a compute shader can bind; 0 below OpenGL 4.3."""


class Context:
    """OpenGL 3.3 or later without a window, by EGL; whoever makes it closes it.

    It is current in the thread that made it, and only that thread may use it. Everything that is
    made in it is registered by `own` and released by `close` at the latest.

    Raises ContextError where there is no OpenGL (the message says what to install) or no such device.
    """

    def __init__(self, device_index: int = 0) -> None:
        self._adopt(egl.create_context(device_index, VERSIONS), borrowed=False)

    @classmethod
    def from_current(cls) -> Self:
        """The context that the caller has made current in this thread, by EGL or GLX; never destroyed here.

        It must be current again whenever it is used; what is bound and enabled in it is not restored.
        Raises ContextError if no context is current or if it is older than OpenGL 3.3.
        """
        context = cls.__new__(cls)
        context._adopt(egl.borrow_context(REQUIRED_VERSION), borrowed=True)
        return context

    def _adopt(self, mgl: moderngl.Context, *, borrowed: bool) -> None:
        self._mgl: moderngl.Context | None = mgl
        self._borrowed = borrowed
        self._thread = get_ident()
        self._process = getpid()
        self._live: dict[int, GLObject] = {}
        self._identity = egl.CurrentContext()
        self._bound_before = mgl.detect_framebuffer()
        info = mgl.info
        self.vendor: str = info["GL_VENDOR"]
        self.renderer: str = info["GL_RENDERER"]
        self.version: str = info["GL_VERSION"]
        self.version_code: int = mgl.version_code
        width, height = info["GL_MAX_VIEWPORT_DIMS"]
        texture = info["GL_MAX_TEXTURE_SIZE"]
        self.limits = Limits(
            max_draw_buffers=min(info["GL_MAX_DRAW_BUFFERS"], info["GL_MAX_COLOR_ATTACHMENTS"]),
            max_texture_size=texture,
            max_framebuffer_size=(min(width, texture), min(height, texture)),
            max_texture_units=info["GL_MAX_TEXTURE_IMAGE_UNITS"],
            max_storage_block_bytes=info.get("GL_MAX_SHADER_STORAGE_BLOCK_SIZE", 0),
        )

    @property
    def mgl(self) -> moderngl.Context:
        """The moderngl context, made current in its thread; raises as `use` does."""
        return self._current()

    @property
    def is_software(self) -> bool:
        """True if the processor, not a GPU, does the rendering."""
        return any(name in self.renderer.lower() for name in SOFTWARE_RENDERERS)

    @property
    def live_objects(self) -> int:
        """How many registered objects have not been released yet."""
        return len(self._live)

    def use(self) -> None:
        """Make this context current in its thread: needed before its objects are used where several are alive.

        Raises GLError if it is closed, belongs to another thread or process, or is borrowed and no longer current.
        """
        self._current()

    def _current(self) -> moderngl.Context:
        if self._mgl is None:
            raise GLError("this OpenGL context is closed; make a new Context")
        if get_ident() != self._thread:
            raise GLError("this OpenGL context was made in another thread; use it there, or make one in each thread")
        if getpid() != self._process:
            # The driver's own threads were not copied: its first call would wait for them for ever.
            raise GLError("this process was forked from the one that made this OpenGL context; spawn it instead")
        self._mgl.__enter__()  # type: ignore[no-untyped-call]
        if not self._identity.is_current():
            raise GLError(
                "the OpenGL context that was passed in is no longer current; make it current again"
                if self._borrowed
                else "this OpenGL context cannot be made current while a window's is; make that one not current first"
            )
        return self._mgl

    def own(self, obj: Owned) -> Owned:
        """Register an object of this context, so that `close` releases it; returns it."""
        self._live[id(obj)] = obj
        return obj

    def own_what_fits(self, obj: Owned, problem: str, advice: str = "") -> Owned:
        """Register an object that was just made with its memory; returns it.

        Where the GPU has no more of it, the object is released: LimitError "<problem> of <renderer> (<error>)<advice>".
        """
        self.own(obj)
        try:
            self.check("making it")
        except GLError as error:
            self.release(obj)
            raise LimitError(f"{problem} of {self.renderer} ({error}){advice}") from None
        return obj

    def disown(self, obj: GLObject) -> None:
        """Take an object off the register without releasing it: somebody else will."""
        if self._live.pop(id(obj), None) is None:
            raise GLError(f"{type(obj).__name__}: not registered with this context, or released before")

    def release(self, *objects: GLObject) -> None:
        """Release registered objects and take them off the register; once closed, all of them are released."""
        if self._mgl is None:
            return
        # Made current first: the same names may belong to other objects in another context.
        mgl = self.mgl
        for obj in objects:
            self.disown(obj)
            if obj is mgl.fbo:
                # moderngl would bind the released framebuffer again after making the next one.
                self._bound_before.use()
            obj.release()

    def check(self, doing: str) -> None:
        """Raise GLError "<doing>: GL_INVALID_OPERATION" if OpenGL has reported errors since the last check."""
        mgl = self.mgl
        errors: list[str] = []
        # A lost context reports the same error for ever.
        while (error := mgl.error) != "GL_NO_ERROR" and error not in errors:
            errors.append(error)
        if errors:
            raise GLError(f"{doing}: {', '.join(errors)}")

    def check_texture_size(self, what: str, width: int, height: int) -> None:
        """Raise LimitError if `what`, of width x height texels, does not fit into a texture."""
        largest = self.limits.max_texture_size
        if max(width, height) > largest:
            raise LimitError(
                f"{what}: received {width} x {height}, but textures of {self.renderer} end at {largest} x {largest}"
            )

    def close(self) -> None:
        """Release all that is registered and, unless it was borrowed, the context; may be called twice.

        No context is current in this thread then, unless it was borrowed.
        """
        if self._mgl is None:
            return
        self.release(*reversed(self._live.values()))
        self._mgl.release()
        if not self._borrowed:
            egl.release_current()
        self._mgl = None

    def __enter__(self) -> Self:
        self.use()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
