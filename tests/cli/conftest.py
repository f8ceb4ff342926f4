"""What the commands' tests share."""

from pathlib import Path

import cv2
import pytest
from media import gray

from glrender.io import figure


@pytest.fixture(autouse=True)
def _pictures_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn without what moves their parts about until they fit: a third of a short run.

    How they look is tested where they are made.
    """
    monkeypatch.setattr(figure, "ConstrainedLayoutEngine", lambda **_: None)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Five images without times, to be converted: 0.png to 4.png."""
    folder = tmp_path / "images"
    folder.mkdir()
    for k in range(5):
        cv2.imwrite(str(folder / f"{k}.png"), gray(10 * k))
    return folder
