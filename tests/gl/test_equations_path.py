"""Which path makes the normal equations, and why."""

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from glrender.gl.context import Context, Limits
from glrender.gl.equations_path import equations_path

LIMITS = Limits(8, 16384, (16384, 16384), 32, 1 << 27)


@dataclass(frozen=True)
class Machine:
    """What the choice asks of a context."""

    renderer: str = "Mesa Intel(R) Xe Graphics"
    version: str = "4.6 (Core Profile) Mesa 24.0"
    version_code: int = 460
    is_software: bool = False
    limits: Limits = LIMITS


def path_of(largest_buffer: int = 0, **differing: Any) -> Any:
    return equations_path(cast(Context, replace(Machine(), **differing)), largest_buffer)


def test_a_gpu_with_compute_shaders_does_it_itself() -> None:
    path = path_of()
    assert path.on_gpu
    assert path.where == "gpu"
    assert path.reason.startswith("Mesa Intel(R) Xe Graphics has compute shaders")


@pytest.mark.parametrize(
    ("differing", "reason"),
    [
        ({"renderer": "llvmpipe (LLVM 15)", "is_software": True}, "llvmpipe (LLVM 15) draws on the processor"),
        ({"version": "3.3", "version_code": 330}, "compute shaders need OpenGL 4.3, and this is OpenGL 3.3"),
        ({"version": "4.2", "version_code": 420}, "compute shaders need OpenGL 4.3, and this is OpenGL 4.2"),
        ({"limits": replace(LIMITS, max_storage_block_bytes=99)}, "the map needs a buffer of 100 bytes, and those of"),
    ],
)
def test_otherwise_the_host_does_and_it_says_why(differing: dict[str, Any], reason: str) -> None:
    path = path_of(100, **differing)
    assert not path.on_gpu
    assert path.where == "host"
    assert path.reason.startswith(reason)


def test_a_map_up_to_the_limit_stays_on_the_gpu() -> None:
    assert path_of(1 << 27).on_gpu
    assert not path_of((1 << 27) + 1).on_gpu


def test_this_machine_has_one(context: Context) -> None:
    assert equations_path(context).on_gpu == (not context.is_software and context.version_code >= 430)
