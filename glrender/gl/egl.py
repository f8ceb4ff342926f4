"""EGL: OpenGL without a window or a display, and the contexts that callers bring."""

import moderngl

from glrender.errors import ContextError

INSTALL = "apt-get install -y --no-install-recommends libegl1 libgl1"
LIBEGL = "libEGL.so.1"
LIBGL = "libGL.so.1"


def create_context(device_index: int, require: int) -> moderngl.Context:
    """A headless context on EGL device `device_index`, current in this thread."""
    try:
        return moderngl.create_context(
            require=require, standalone=True, backend="egl", device_index=device_index, libegl=LIBEGL, libgl=LIBGL
        )
    except Exception as error:
        raise ContextError(f"no OpenGL context: {error}; on Debian or Ubuntu run `{INSTALL}` as root") from error


def current_context(require: int) -> moderngl.Context:
    """The context that is current in this thread."""
    return moderngl.create_context(require=require)
