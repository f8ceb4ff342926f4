"""Where OpenDroneMap's project has its reconstruction.

Once georeferenced, `opensfm/reconstruction.json` is in the project's reference system, less an offset that
`odm_georeferencing/coords.txt` tells; what OpenSfM made, metres around its `reference_lla`, is kept beside it as
`reconstruction.topocentric.json`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.files import data_lines
from glrender.io.trajectory import read_numbers

UTM = re.compile(r"WGS84 UTM (\d{1,2})([NS])", re.IGNORECASE)
EXPECTED = "a reference system (WGS84 UTM 32N, EPSG:32632 or a +proj string), and a line of two numbers, its offset"


@dataclass(frozen=True, eq=False)
class Georeference:
    """What takes a reconstruction's metres to a reference system."""

    crs: str
    """The system, as rasters name it."""
    offset: NDArray[np.float64]
    """(3,) metres: to be added to what the reconstruction has."""


def find_georeference(path: Path) -> Georeference | None:
    """Of a `reconstruction.json`, that of the undistorted photographs too; None: of no georeferenced project.

    InputError if the project's coords.txt is malformed.
    """
    for folder in (path.parent, path.parent.parent):
        coords = folder.parent / "odm_georeferencing" / "coords.txt"
        if path.name == "reconstruction.json" and (folder / "reconstruction.topocentric.json").is_file():
            return _read(coords) if coords.is_file() else None
    return None


def _read(coords: Path) -> Georeference:
    lines = [line for _, line in data_lines(coords)][:2]
    if len(lines) < 2:
        raise InputError(f"{coords}: received {len(lines)} lines, expected {EXPECTED}")
    system, numbers = lines[0].strip().strip("'"), lines[1]
    utm = UTM.fullmatch(system)
    if utm is not None:
        system = f"EPSG:{326 if utm[2] in 'Nn' else 327}{int(utm[1]):02d}"
    elif "+proj" not in system and not system.upper().startswith("EPSG:"):
        raise InputError(f"{coords}: received {system!r}, expected {EXPECTED}")
    return Georeference(system, np.array([*read_numbers(str(coords), numbers.split(), 2, EXPECTED), 0.0]))
