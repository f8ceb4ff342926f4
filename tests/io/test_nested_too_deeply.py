"""Files that are nested deeper than their parsers can go are refused as malformed, whoever reads them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from glrender.errors import InputError
from glrender.io.calibrations.reading import read_calibration
from glrender.io.camera_file import read_camera
from glrender.io.poses.opensfm import load_reconstruction
from glrender.io.poses.transforms import load_transforms
from glrender.io.report import read_report


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (read_report, "report.json"),
        (load_transforms, "transforms.json"),
        (load_reconstruction, "reconstruction.json"),
        (read_camera, "camera.yaml"),
        (read_calibration, "camchain.yaml"),
    ],
)
def test_they_are_refused_by_name(tmp_path: Path, read: Callable[[Path], object], name: str) -> None:
    path = tmp_path / name
    path.write_text("[" * 20_000)
    with pytest.raises(InputError, match=f"{name}: .*nested too deeply"):
        read(path)
