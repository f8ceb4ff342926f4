"""What all tests share: one OpenGL context, and a watch over its errors."""

import gc
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from glrender.gl.context import Context


def pytest_configure() -> None:
    # A shell that starts the tests in the background has them ignore Ctrl-C, and the processes that they start too;
    # what Ctrl-C does is among the things tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes says how busy the machine is.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")


@pytest.fixture(scope="module", autouse=True)
def _what_is_old_is_no_garbage() -> None:
    """Modules, compiled loops and what tests before have left are looked through once, not each time again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def context() -> Iterator[Context]:
    """A headless context for all tests; without OpenGL they fail, and the error says what to install."""
    with Context() as context:
        yield context


@pytest.fixture(autouse=True)
def _no_gl_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that uses the context finds no OpenGL error in it and leaves none."""
    if "context" not in request.fixturenames:
        yield
        return
    shared: Context = request.getfixturevalue("context")
    shared.check("before the test")
    yield
    shared.check("after the test")
