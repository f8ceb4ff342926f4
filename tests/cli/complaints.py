"""What a command that fails says."""

import pytest


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, without its beginning; there is nothing on stdout."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("glrender: error: ")
    assert printed.err.count("\n") == 1
    return printed.err.removeprefix("glrender: error: ").rstrip("\n")
