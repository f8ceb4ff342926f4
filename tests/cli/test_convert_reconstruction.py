"""`glrender convert` of reconstructions as drones' photographs become: several cameras, names in any order."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from complaints import complaint
from media import SIZE, gray

from glrender.cli.main import main
from glrender.geometry.camera import Camera
from glrender.io.recordings.image_folder import open_image_folder
from glrender.io.sequence_folder import open_sequence

CENTRE = (15.5, 11.5)


def convert(*arguments: object) -> int:
    return main(["convert", *map(str, arguments)])


def test_photographs_of_several_cameras_keep_the_one_that_took_them(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A zoom in the middle of a flight: the sequence sees all as the first photograph's camera does."""
    (images / "4.png").unlink()
    cv2.imwrite(str(images / "3.png"), gray(0, (64, 48)))
    lines = "".join(f"{k} 1 0 0 0 {-k} 0 0 {camera} {k}.png\n\n" for k, camera in enumerate((7, 7, 8, 9)))
    (tmp_path / "images.txt").write_text(lines)
    zoomed = "8 SIMPLE_RADIAL 32 24 60 16 12 0.1\n9 PINHOLE 64 48 60 60 32 24\n"
    (tmp_path / "cameras.txt").write_text(f"7 PINHOLE 32 24 30 30 16 12\n{zoomed}")
    model = "--poses", tmp_path / "images.txt"
    assert convert(images, *model, "--out", tmp_path / "out") == 0
    assert "2 photographs of other cameras" in capsys.readouterr().out
    sequence = open_sequence(tmp_path / "out")
    assert sequence.camera == Camera(*SIZE, 30, 30, *CENTRE)
    larger = Camera(64, 48, 60, 60, 31.5, 23.5)
    assert sequence.own_cameras == {2: Camera(*SIZE, 60, 60, *CENTRE, (0.1, 0, 0, 0)), 3: larger}
    wide, tele, fine = (sequence.read(sequence.frames[k]).image for k in (1, 2, 3))
    assert wide is not None
    assert tele is not None
    assert fine is not None
    assert np.isfinite(wide).all()
    # Half of the angle: the border shows what the longer lens did not see.
    assert np.isnan(tele[:5]).all()
    assert np.isnan(tele[:, :7]).all()
    assert np.isfinite(tele[8:16, 10:22]).all()
    assert np.isfinite(fine).all()
    # What was converted is converted again as it is.
    assert convert(tmp_path / "out", "--out", tmp_path / "again") == 0
    assert open_sequence(tmp_path / "again").own_cameras == sequence.own_cameras
    capsys.readouterr()
    assert convert(images, *model, "--camera", "8", "--out", tmp_path / "tele") == 0
    assert "left out 0.png: no pose belongs to it" in capsys.readouterr().out
    only = open_sequence(tmp_path / "tele")
    assert (len(only.frames), only.camera.fx, only.own_cameras) == (1, 60, {})


def test_photographs_whose_names_jump_are_put_in_the_order_of_their_cameras(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 32 24 30 30 16 12\n")
    places = {"0": 0, "1": 3, "2": 1, "3": 2}  # and 4.png has none
    lines = (f"{k} 1 0 0 0 {-10 * x} 0 0 1 {k}.png\n\n" for k, x in places.items())
    (tmp_path / "images.txt").write_text("".join(lines))
    assert convert(images, "--poses", tmp_path, "--out", tmp_path / "out") == 0
    assert "from each camera to the nearest" in capsys.readouterr().out
    sequence = open_sequence(tmp_path / "out")
    x = [sequence.trajectory.at(entry.time)[0, 3] for entry in sequence.frames]
    assert x in ([0, 10, 20, 30], [30, 20, 10, 0])
    by_place = {10 * x: (images / f"{k}.png").read_bytes() for k, x in places.items()}
    assert [entry.color_path.read_bytes() for entry in sequence.frames] == [by_place[round(each)] for each in x]
    # Who says the times says the order.
    assert convert(images, "--poses", tmp_path, "--rate", "1", "--out", tmp_path / "timed") == 0
    timed = open_sequence(tmp_path / "timed")
    assert [timed.trajectory.at(entry.time)[0, 3] for entry in timed.frames] == [0, 30, 10, 20]


def test_a_flight_whose_photographs_lie_in_several_folders(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A card's: the camera begins another folder after 999 photographs, whose numbers begin anew."""
    card = tmp_path / "card"
    for k, name in enumerate(("100MEDIA/DJI_0998.png", "100MEDIA/DJI_0999.png", "101MEDIA/DJI_0001.png")):
        (card / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / f"{k}.png", card / name)
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 32 24 30 30 16 12\n")
    names = ("101MEDIA/DJI_0001.png", "100MEDIA\\DJI_0998.png", "100MEDIA/DJI_0999.png", "/DJI_0002.png")
    places = zip((2, 0, 1, 3), names, strict=True)
    (tmp_path / "images.txt").write_text("".join(f"{x + 1} 1 0 0 0 {-x} 0 0 1 {name}\n\n" for x, name in places))
    assert convert(card, "--poses", tmp_path, "--out", tmp_path / "out") == 0
    sequence = open_sequence(tmp_path / "out")
    assert [sequence.trajectory.at(entry.time)[0, 3] for entry in sequence.frames] == [0, 1, 2]
    expected = [(images / f"{k}.png").read_bytes() for k in range(3)]
    assert [entry.color_path.read_bytes() for entry in sequence.frames] == expected
    capsys.readouterr()
    assert convert(card, "--rate", "1", "--calibration", tmp_path, "--out", tmp_path / "no") == 1
    assert "no image; expected files" in complaint(capsys)


def test_folders_whose_names_repeat_are_put_in_the_order_of_their_poses(images: Path, tmp_path: Path) -> None:
    rig = tmp_path / "rig"
    places = {"a/0.png": 0, "a/1.png": 3, "b/0.png": 1, "b/1.png": 2}
    for name, x in places.items():
        (rig / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / f"{x}.png", rig / name)
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 32 24 30 30 16 12\n")
    lines = (f"{x + 1} 1 0 0 0 {-x} 0 0 1 {name}\n\n" for name, x in places.items())
    (tmp_path / "images.txt").write_text("".join(lines))
    assert convert(rig, "--poses", tmp_path, "--out", tmp_path / "out") == 0
    sequence = open_sequence(tmp_path / "out")
    x = [sequence.trajectory.at(entry.time)[0, 3] for entry in sequence.frames]
    assert x in ([0, 1, 2, 3], [3, 2, 1, 0])


def test_photographs_that_poses_name_outside_the_folder_or_twice(images: Path, tmp_path: Path) -> None:
    rig = tmp_path / "rig"
    (rig / "a").mkdir(parents=True)
    shutil.copy(images / "0.png", rig / "a" / "0.png")
    names = ("a/0.png", "a\\0.png", f"../{images.relative_to(tmp_path)}/1.png", "a/2.png")
    assert open_image_folder(rig, rate=1.0, named=names).files == (rig / "a" / "0.png",)


def test_a_georeferenced_project_keeps_its_reference_system(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shots = {f"{k}.png": {"rotation": [3.1, 0, 0], "translation": [k, 0, 50], "camera": "c"} for k in range(3)}
    cameras = {"c": {"projection_type": "perspective", "width": 32, "height": 24, "focal": 0.9}}
    for folder in ("opensfm", "odm_georeferencing"):
        (tmp_path / folder).mkdir()
    for name in ("reconstruction.json", "reconstruction.topocentric.json"):
        (tmp_path / "opensfm" / name).write_text(json.dumps([{"shots": shots, "cameras": cameras}]))
    (tmp_path / "odm_georeferencing" / "coords.txt").write_text("WGS84 UTM 32N\n412364 5432164\n")
    poses = tmp_path / "opensfm" / "reconstruction.json"
    assert convert(images, "--poses", poses, "--out", tmp_path / "out") == 0
    assert "the world is that of EPSG:32632" in capsys.readouterr().out
    sequence = open_sequence(tmp_path / "out")
    assert sequence.crs == "EPSG:32632"
    assert sequence.trajectory is not None
    places = [(412364 - k, 5432164 - 50 * np.sin(3.1)) for k in range(3)]
    np.testing.assert_allclose(sequence.trajectory.poses[:, :2, 3], places, atol=1e-3)

    pytest.importorskip("rasterio", reason="an extra that is not installed here")
    (tmp_path / "odm_georeferencing" / "coords.txt").write_text("EPSG:4326\n8 49\n")
    assert convert(images, "--poses", poses, "--out", tmp_path / "degrees") == 1
    assert "received 'EPSG:4326', whose coordinates are in degrees" in complaint(capsys)
    assert not (tmp_path / "degrees").exists()
