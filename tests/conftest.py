"""What all tests share: one OpenGL context, and a watch over its errors."""

from collections.abc import Iterator

import pytest

from glrender.gl.context import Context


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
