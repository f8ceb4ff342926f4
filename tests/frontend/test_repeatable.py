"""Tracking gives the same to the last bit whether its loops have just been compiled or were kept from before."""

import os
import subprocess
import sys
from pathlib import Path

ALIGNED = """
import cv2
import numpy as np
from glrender.frontend.alignment import align
from glrender.frontend.plane_motion import on_plane
from glrender.frontend.pyramid import build_pyramid
from glrender.frontend.reference import make_reference
from glrender.geometry.camera import Camera

camera = Camera.centred(160, 120, 140.0)
random = np.random.default_rng(3)
ground = cv2.GaussianBlur(random.uniform(0, 1, (160, 200)).astype(np.float32), (0, 0), 1.5)
there, here = (np.ascontiguousarray(ground[20 : 140, left : left + 160]) for left in (20, 23))
flat = make_reference(build_pyramid(camera, there), np.ones(camera.shape, np.float32), np.eye(4))
found = align([on_plane(flat, np.zeros(2))], build_pyramid(camera, 0.9 * here + 0.02), np.eye(4))
assert found.correlation > 0.9
print(found.T_world_camera.tobytes().hex(), found.covariance.tobytes().hex(), found.exposures)
"""


def test_compiled_anew_or_kept_from_before(tmp_path: Path) -> None:
    """A trajectory of some metres came out half a millimetre otherwise where the loops had been compiled on the way."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", ALIGNED]
    anew, kept = (subprocess.run(command, env=environment, capture_output=True, check=True).stdout for _ in range(2))
    assert any(tmp_path.rglob("*.nbc"))
    assert anew == kept
