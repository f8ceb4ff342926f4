"""Arrays and sparse matrices as the bytes of files: NPZ, scipy's sparse NPZ, and OpenEXR with named channels."""

import tempfile
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.optional import require

EXACT = 2**24
"""Largest integer up to which float32 holds all."""


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """What `numpy.load` reads, deflated at the quickest level."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            # Opened by name, an entry is dated 1980, so that the same arrays give the same bytes.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def sparse_bytes(matrix: Any) -> bytes:
    """What `scipy.sparse.load_npz` reads, a csr_array of float64; not deflated, which takes longer than rendering."""
    from scipy import sparse

    buffer = BytesIO()
    sparse.save_npz(buffer, sparse.csr_array(matrix), compressed=False)
    return buffer.getvalue()


def exr_bytes(channels: Mapping[str, NDArray[Any]]) -> bytes:
    """An OpenEXR file of (height, width) channels, all FLOAT, ZIP compressed.

    InputError for an integer that float32 does not hold exactly, and where OpenEXR is not installed.
    """
    for name, plane in channels.items():
        if plane.dtype.kind in "iu" and plane.max(initial=0) > EXACT:
            raise InputError(f"{name}: received {plane.max()}, but a float of an .exr is exact up to {EXACT}; use npz")
    OpenEXR = require("OpenEXR", "exr", "an .exr image")
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    content = {name: np.ascontiguousarray(plane, np.float32) for name, plane in channels.items()}
    with tempfile.TemporaryDirectory(prefix="glrender-") as folder:
        path = Path(folder) / "image.exr"  # its writer knows no memory
        OpenEXR.File(header, content).write(str(path))
        return path.read_bytes()
