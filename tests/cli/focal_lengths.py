"""Sequences whose camera file is wrong."""

import shutil
from pathlib import Path

import yaml


def with_focal_length_off(sequence: Path, folder: Path, share: float) -> Path:
    """A copy in `folder` whose photographs agree best with a focal length that is longer by `share`."""
    shutil.copytree(sequence, folder)
    camera = yaml.safe_load((folder / "camera.yaml").read_text())
    camera |= {name: camera[name] / (1 + share) for name in ("fx", "fy")}
    (folder / "camera.yaml").write_text(yaml.safe_dump(camera))
    return folder
