"""Pictures that were looked at, and what is compared with them.

They hold for Mesa's llvmpipe alone, and are kept at half their size, each pixel the mean of four.
`GLRENDER_NEW_GOLDENS=FOLDER pytest tests/viewer` writes them anew, and the pictures themselves into that folder, to be
looked at.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.gl.context import Context

FOLDER = Path(__file__).with_name("goldens")
DIFFERS = 24
"""Of 255: from which difference on a pixel counts as another. Drivers and fonts of other versions differ by less."""
MOST = 0.01
"""Of the pixels: how many may be others."""


def compare(name: str, pixels: NDArray[np.uint8], context: Context, scratch: Path) -> None:
    """Fail if the picture (height, width, 3) is another than the one that was looked at; skip on another driver."""
    if "llvmpipe" not in context.renderer:
        pytest.skip(f"the pictures to compare with are llvmpipe's, and this is {context.renderer}")
    path = FOLDER / f"{name}.png"
    whole = np.ascontiguousarray(pixels[..., ::-1])
    bgr = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if folder := os.environ.get("GLRENDER_NEW_GOLDENS"):
        FOLDER.mkdir(exist_ok=True)
        cv2.imwrite(f"{folder}/{name}.png", whole)
        cv2.imwrite(str(path), bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        return
    expected = cv2.imread(str(path))
    assert expected is not None, f"{path} is not there: make it by GLRENDER_NEW_GOLDENS=FOLDER, and look at it"
    assert expected.shape == bgr.shape
    others = (np.abs(expected.astype(int) - bgr).max(axis=-1) > DIFFERS).mean()
    if others > MOST:
        both = scratch / f"{name}.png"
        cv2.imwrite(str(both), np.hstack([expected, bgr]))
        pytest.fail(f"{others:.1%} of the pixels of {name} are others: expected and received lie in {both}")
