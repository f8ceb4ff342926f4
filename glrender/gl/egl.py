"""EGL: OpenGL without a window or a display, its devices, and contexts that callers bring."""

import ctypes
from dataclasses import dataclass
from typing import Any

import moderngl

from glrender.errors import ContextError

# The names of the run-time libraries: the unversioned ones come with development packages only.
LIBEGL = "libEGL.so.1"
LIBGL = "libGL.so.1"

INSTALL_COMMAND = "apt-get install -y --no-install-recommends libegl1 libgl1"
INSTALL_ADVICE = f"on Debian or Ubuntu run as root `{INSTALL_COMMAND}`; nothing else needs root"

_EGL_EXTENSIONS = 0x3055
_EGL_DRM_DEVICE_FILE = 0x3233
_MAX_DEVICES = 64


@dataclass(frozen=True)
class Device:
    """Something that EGL can render on without a window."""

    index: int
    """What `Context(device_index=…)` takes."""
    name: str
    """The device's file (/dev/dri/…), "software", or "unnamed" where EGL tells neither."""


def create_context(device_index: int, versions: tuple[int, ...]) -> moderngl.Context:
    """A headless context, current in this thread, of the first of `versions` (430: OpenGL 4.3) that the device has."""
    settings: dict[str, Any] = {"backend": "egl", "device_index": device_index, "libegl": LIBEGL, "libgl": LIBGL}
    reason = ""
    for version in versions:
        try:
            mgl = moderngl.create_context(require=version, standalone=True, **settings)
            break
        except Exception as error:  # glcontext raises nothing more specific
            reason = str(error)
    else:
        raise ContextError(_explain(device_index, reason))
    if CurrentContext().api != "egl":
        # EGL has refused to make it current, and glcontext has not noticed.
        mgl.release()
        raise ContextError(
            "an OpenGL context of a window is current in this thread and keeps a headless one from being so; "
            "use it by Context.from_current(), or make it not current first"
        )
    return mgl


def borrow_context(require: int) -> moderngl.Context:
    """The context that the caller has made current in this thread, by EGL or by GLX."""
    # Without any setting moderngl would return whichever context it made last.
    settings: dict[str, Any] = {"context": CurrentContext()}
    try:
        return moderngl.create_context(require=require, **settings)
    except ValueError as error:
        raise ContextError(f"the current OpenGL context is too old: {error}") from None


def release_current() -> None:
    """Make no context current in this thread: one that is destroyed while it is current lives on until then."""
    lib = ctypes.CDLL(LIBEGL)
    lib.eglGetCurrentDisplay.restype = ctypes.c_void_p
    lib.eglMakeCurrent.argtypes = (ctypes.c_void_p,) * 4
    lib.eglMakeCurrent(lib.eglGetCurrentDisplay(), None, None, None)


def devices() -> tuple[Device, ...]:
    """The EGL devices of this machine; empty if there is no EGL or it cannot list them."""
    try:
        lib = ctypes.CDLL(LIBEGL)
    except OSError:
        return ()
    query = _extension(lib, "eglQueryDevicesEXT", ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    if query is None:
        return ()
    handles = (ctypes.c_void_p * _MAX_DEVICES)()
    count = ctypes.c_int()
    if not query(_MAX_DEVICES, handles, ctypes.byref(count)):
        return ()
    return tuple(Device(index, _device_name(lib, handles[index])) for index in range(count.value))


class CurrentContext:
    """The context that is current in this thread now, and what moderngl needs of one that it did not make."""

    def __init__(self) -> None:
        for self.api, library in (("egl", LIBEGL), ("glX", LIBGL)):
            try:
                lib = ctypes.CDLL(library)
            except OSError:
                continue
            self._current = getattr(lib, f"{self.api}GetCurrentContext")
            self._current.restype = ctypes.c_void_p
            self._handle = self._current()
            if self._handle:
                self._address = getattr(lib, f"{self.api}GetProcAddress")
                self._address.restype = ctypes.c_void_p
                return
        raise ContextError("no OpenGL context is current in this thread; make yours current first, or use Context()")

    def is_current(self) -> bool:
        """True if it is still the current one, or again."""
        return bool(self._current() == self._handle)

    def load_opengl_function(self, name: str) -> int:
        """The address of an OpenGL function, 0 where there is none."""
        return self._address(name.encode()) or 0

    def __enter__(self) -> None:
        """Only its owner can make it current."""

    def __exit__(self, *_: object) -> None:
        """Leave it current."""

    def release(self) -> None:
        """Leave it alive."""


def _explain(device_index: int, reason: str) -> str:
    found = devices()
    if found and device_index not in [device.index for device in found]:
        listed = ", ".join(f"{device.index} ({device.name})" for device in found)
        return f"device_index: received {device_index}, but the EGL devices of this machine are {listed}"
    return f"no OpenGL here: {reason}; {INSTALL_ADVICE}"


def _device_name(lib: ctypes.CDLL, device: int | None) -> str:
    query = _extension(lib, "eglQueryDeviceStringEXT", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    if query is None:
        return "unnamed"
    extensions = (query(device, _EGL_EXTENSIONS) or b"").decode().split()
    if "EGL_EXT_device_drm" in extensions and (file := query(device, _EGL_DRM_DEVICE_FILE)):
        return str(file.decode())
    return "software" if "EGL_MESA_device_software" in extensions else "unnamed"


def _extension(lib: ctypes.CDLL, name: str, *types: Any) -> Any:
    """An EGL extension function with its (result, *argument) types, or None if this EGL lacks it."""
    lib.eglGetProcAddress.restype = ctypes.c_void_p
    address = lib.eglGetProcAddress(name.encode())
    return ctypes.CFUNCTYPE(*types)(address) if address else None
