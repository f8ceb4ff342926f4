"""What a container may have of the machine's memory."""

from pathlib import Path

import pytest

from glrender.checks import MEMORY, _memory


@pytest.mark.parametrize(("said", "expected"), [("1000000\n", 1_000_000), ("max\n", None), (str(2**63 - 4096), None)])
def test_the_limit_of_a_container_counts_where_it_is_one(tmp_path: Path, said: str, expected: int | None) -> None:
    machine = _memory([])
    assert machine >= MEMORY
    (tmp_path / "memory.max").write_text(said, encoding="ascii")
    assert _memory([tmp_path / "none", tmp_path, tmp_path / "memory.max"]) == (expected or machine)
