"""What the tests of OpenGL share."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glrender.gl.egl import LIBGL

KINDS = ("Buffer", "Framebuffer", "Program", "Query", "Renderbuffer", "Sampler", "Shader", "Texture", "VertexArray")
FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def gl_names() -> Callable[[], set[tuple[str, int]]]:
    """Every object that OpenGL itself knows of in the current context, as (kind, name)."""
    lib = ctypes.CDLL(LIBGL)
    tests = {kind: getattr(lib, f"glIs{kind}") for kind in KINDS}
    for test in tests.values():
        test.restype = ctypes.c_ubyte
    return lambda: {(kind, name) for kind, test in tests.items() for name in range(1, 10_000) if test(name)}


@pytest.fixture(scope="session")
def shaders() -> Path:
    """The folder of the shaders that these tests compile."""
    return FIXTURES / "shaders"


@pytest.fixture(scope="session")
def without_gl() -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Run Python code in a new process that finds EGL but no driver."""

    def run(code: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent"}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run
