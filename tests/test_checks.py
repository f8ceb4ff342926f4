"""What is refused of what callers hand in, and what a container may have of the machine's memory."""

from pathlib import Path

import numpy as np
import pytest

from glrender.checks import MEMORY, METRES, _memory, check_floats, check_linear
from glrender.errors import InputError


@pytest.mark.parametrize(("said", "expected"), [("1000000\n", 1_000_000), ("max\n", None), (str(2**63 - 4096), None)])
def test_the_limit_of_a_container_counts_where_it_is_one(tmp_path: Path, said: str, expected: int | None) -> None:
    machine = _memory([])
    assert machine >= MEMORY
    (tmp_path / "memory.max").write_text(said, encoding="ascii")
    assert _memory([tmp_path / "none", tmp_path, tmp_path / "memory.max"]) == (expected or machine)


@pytest.mark.parametrize(
    "image",
    [
        np.full((480, 640, 3), 1.0),
        np.where(np.indices((8, 8)).sum(axis=0) == 0, 50.0, 0.5)[..., None],  # one highlight
        np.where(np.arange(480)[:, None, None] % 8 == 0, 3.0, 0.5) * np.ones((480, 640, 3)),  # bright rows
        np.full((480, 640, 3), np.nan),
        np.zeros((0, 0, 1)),
    ],
)
def test_linear_colour_is_taken(image: np.ndarray) -> None:
    assert check_linear("image", image, (None, None, None)).dtype == np.float32


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1, 3), 255.0),
        np.where(np.arange(480)[:, None, None] % 8 == 0, 0.0, 200.0) * np.ones((480, 640, 3)),  # dark rows
        np.where(np.arange(3) == 0, 0.0, 200.0) * np.ones((480, 640, 3)),  # no red
        np.where(np.arange(480)[:, None, None] < 300, np.nan, 200.0) * np.ones((480, 640, 3)),  # seen in part
    ],
)
def test_bytes_that_were_made_floats_are_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError, match="image: most values are above 2, up to .*; expected linear colour"):
        check_linear("image", image, (None, None, None))


def test_whole_numbers_are_refused_in_arrays_and_are_numbers_in_lists() -> None:
    with pytest.raises(InputError, match="depth: received uint16, expected metres as float"):
        check_floats("depth", np.ones((2, 2), np.uint16), METRES)
    for given in (None, [[1, 0], [0, 1]], [[1.0], [2.0, 3.0]], np.ones((2, 2), np.float16)):
        check_floats("depth", given, METRES)
