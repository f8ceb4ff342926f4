"""`glrender info`: what OpenGL this machine has, and what to install when it has none."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from glrender.errors import GlrenderError
from glrender.gl.info import GLInfo, MachineInfo, machine_info

PATHS = {
    "forward": "images and depth",
    "derivatives_compact": "derivatives, compact layout",
    "derivatives_full": "derivatives, full layout (8 draw buffers)",
    "compute": "compute shaders (OpenGL 4.3)",
}


@dataclass(frozen=True)
class Options:
    """Tell what OpenGL this machine has and which paths it enables; exit status 1 if it has none to use."""

    json: bool = False
    """Write the report as JSON."""


def run(options: Options) -> int:
    """Print the report; returns 1 if there is no OpenGL to use."""
    info = machine_info()
    print(json.dumps(asdict(info), indent=2) if options.json else "\n".join(_lines(info)))
    return 0 if info.usable else GlrenderError.exit_status


def _lines(info: MachineInfo) -> Iterator[str]:
    yield " · ".join(f"{name} {version}" for name, version in info.versions.items())
    for device in info.devices:
        yield f"\nEGL device {device.index} ({device.name})"
        lines = [f"no context: {device.problem}"] if device.gl is None else _gl_lines(device.gl)
        yield from (f"  {line}" for line in lines)
    if info.install is not None:
        yield "\nTo get OpenGL on Debian or Ubuntu, run as root (nothing else needs root):"
        yield f"  {info.install}"


def _gl_lines(gl: GLInfo) -> Iterator[str]:
    yield f"renderer  {gl.renderer}{' (software, on the processor)' if gl.software else ''}"
    yield f"vendor    {gl.vendor}"
    yield f"OpenGL    {gl.version}"
    width, height = gl.limits.max_framebuffer_size
    yield f"limits    {gl.limits.max_draw_buffers} draw buffers, framebuffers up to {width} x {height},"
    yield f"          textures up to {gl.limits.max_texture_size} wide, {gl.limits.max_texture_units} texture units"
    for path, enabled in gl.paths.items():
        yield f"{'yes' if enabled else 'no ':<9} {PATHS[path]}"
    yield f"{gl.normal_equations.where:<9} normal equations, because {gl.normal_equations.reason}"
