"""What OpenGL this machine has and what glrender can do with it, as plain data."""

import platform
from dataclasses import dataclass
from importlib.metadata import version

from glrender.errors import ContextError
from glrender.gl.context import Context, Limits
from glrender.gl.egl import INSTALL_ADVICE, INSTALL_COMMAND, Device, devices
from glrender.gl.equations_path import EquationsPath, equations_path
from glrender.gl.program import COMPUTE_VERSION


@dataclass(frozen=True)
class GLInfo:
    """The OpenGL of one device."""

    vendor: str
    """GL_VENDOR."""
    renderer: str
    """GL_RENDERER."""
    version: str
    """GL_VERSION."""
    software: bool
    """True if the processor renders, not a GPU."""
    limits: Limits
    """How large things may be on it, and how many."""
    paths: dict[str, bool]
    """Whether it is enough for each of: forward, derivatives_compact, derivatives_full, compute."""
    normal_equations: EquationsPath
    """Where residuals, robust weights and normal equations are made here, and why."""


@dataclass(frozen=True)
class DeviceInfo:
    """One EGL device."""

    index: int
    """What `Context(device_index=…)` takes."""
    name: str
    """Its file (/dev/dri/…), "software", or "unnamed" where EGL tells neither."""
    gl: GLInfo | None
    """Its OpenGL; None where no context could be made."""
    problem: str | None
    """Why no context could be made."""


@dataclass(frozen=True)
class MachineInfo:
    """What `glrender info` reports."""

    versions: dict[str, str]
    """Versions of glrender, python, moderngl and numpy."""
    devices: tuple[DeviceInfo, ...]
    """Every EGL device, by index; if EGL lists none, what became of asking for the first one."""
    install: str | None
    """The command that installs OpenGL on Debian and Ubuntu, to be run as root; None where it works."""

    @property
    def usable(self) -> bool:
        """True if at least one device has an OpenGL that glrender can use."""
        return self.install is None


def machine_info() -> MachineInfo:
    """Look at this machine by making a context on each EGL device: a library that loads may have no driver."""
    reports = tuple(_device_info(device) for device in devices() or (Device(0, "unnamed"),))
    usable = any(report.gl for report in reports)
    packages = {package: version(package) for package in ("glrender", "moderngl", "numpy")}
    return MachineInfo(
        versions=packages | {"python": platform.python_version()},
        devices=reports,
        install=None if usable else INSTALL_COMMAND,
    )


def _device_info(device: Device) -> DeviceInfo:
    try:
        with Context(device.index) as context:
            return DeviceInfo(device.index, device.name, _gl_info(context), None)
    except ContextError as error:
        # The advice stands once in the report, not with every device.
        return DeviceInfo(device.index, device.name, None, str(error).removesuffix(f"; {INSTALL_ADVICE}"))


def _gl_info(context: Context) -> GLInfo:
    # OpenGL 3.3 guarantees the 8 draw buffers of the full layout, but not every driver keeps the promise.
    paths = {
        "forward": True,
        "derivatives_compact": context.limits.max_draw_buffers >= 3,
        "derivatives_full": context.limits.max_draw_buffers >= 8,
        "compute": context.version_code >= COMPUTE_VERSION,
    }
    return GLInfo(
        context.vendor,
        context.renderer,
        context.version,
        context.is_software,
        context.limits,
        paths,
        equations_path(context),
    )
