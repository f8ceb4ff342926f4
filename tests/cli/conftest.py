"""What the commands' tests share."""

import pytest

from glrender.io import figure


@pytest.fixture(autouse=True)
def _pictures_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn without what moves their parts about until they fit: a third of a short run.

    How they look is tested where they are made.
    """
    monkeypatch.setattr(figure, "ConstrainedLayoutEngine", lambda **_: None)
