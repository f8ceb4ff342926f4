"""What a command frees stays its own."""

import subprocess
import sys

import pytest

COUNTED = """
import resource, sys
import numpy as np
from glrender.cli.memory import keep_freed_memory

if sys.argv[1:]:
    keep_freed_memory()


def pages_fetched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(1 << 18) for _ in range(20)]  # 2 MB each
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


pages_fetched()
print(pages_fetched())
"""


def fetched_again(*arguments: str) -> int:
    """Pages of 40 MB that a process has freed and allocates again."""
    command = [sys.executable, "-c", COUNTED, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only GNU's C library can be told")
def test_freed_pages_are_not_fetched_again() -> None:
    assert fetched_again() > 1000, "or there is nothing to be gained here"
    assert fetched_again("keep") < 100
