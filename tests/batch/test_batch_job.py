"""Job files: what they may say, what views come of it, and what is refused by name."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glrender.batch.job import Job, make_plan, read_job
from glrender.errors import InputError, UsageError
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.io.trajectory import Trajectory, write_trajectory
from glrender.pipeline.scene import open_scene

ReadJob = Callable[..., Job]
MIDDLE = np.array([0.0, 0.0, 0.1])  # of the scene's box


def poses(read: ReadJob, *views: dict[str, Any]) -> np.ndarray:
    return make_plan(read(views=list(views))).poses


def test_toml_and_json_and_a_url_give_the_same_plan(tmp_path: Path, write_job: Callable[..., Path]) -> None:
    path = write_job()
    toml = tmp_path / "job.toml"
    toml.write_text(
        '[[scene]]\ntype = "heightmap"\nsource = "map.npz"\n[camera]\nwidth = 48\nheight = 36\nfov = 50\n'
        '[[views]]\ntype = "orbit"\ncount = 6\n[[outputs]]\ntype = "image"\n[[outputs]]\ntype = "depth"\n'
    )
    plan = make_plan(read_job(str(path)))
    assert plan.account() == make_plan(read_job(str(toml))).account()
    assert plan.count == 6
    assert plan.buffers == ("image", "depth")
    assert set(plan.digests) == {str(tmp_path / "map.npz")}
    # The viewer opens the same file for its scene alone.
    assert open_scene(path).objects[0].surface.shape == (17, 21)
    # A job by URL names its files in full.
    url = f"file://{path}"
    path.write_text(path.read_text().replace("map.npz", f"file://{tmp_path}/map.npz"))
    np.testing.assert_array_equal(make_plan(read_job(url)).poses, plan.poses)


def test_the_camera_is_that_of_the_field_of_view(read: ReadJob) -> None:
    ((camera, near),) = make_plan(read()).cameras
    assert (camera.width, camera.height, camera.cx, camera.cy, near) == (48, 36, 23.5, 17.5, 1e-3)
    assert camera.fx == camera.fy == pytest.approx(24 / np.tan(np.radians(25)))


def test_groups_of_views_may_have_cameras_of_their_own(read: ReadJob) -> None:
    other = {"width": 20, "height": 10, "fx": 30, "fy": 31, "cx": 9, "cy": 4, "near": 0.5}
    plan = make_plan(read(views=[{"type": "orbit", "count": 2}, {"type": "orbit", "count": 1, "camera": other}]))
    assert plan.camera_of.tolist() == [0, 0, 1]
    camera, near = plan.cameras[1]
    assert (camera.fx, camera.fy, camera.cx, camera.cy, near) == (30, 31, 9, 4, 0.5)


@pytest.mark.parametrize(
    "view",
    [
        {"type": "orbit", "count": 5, "elevation": 90},
        {"type": "spiral", "count": 5},
        {"type": "grid", "rows": 2, "columns": 3, "altitude": 1, "pitch": 50},
        {"type": "random", "count": 5, "seed": 1, "spread": 0.1},
    ],
)
def test_where_the_world_lies_anyhow_paths_go_about_the_maps_own_up(read: ReadJob, view: dict[str, Any]) -> None:
    level = poses(read, view)
    for up in ((0.3, -0.2, -1.0), (0, 0, -1), (1, 0, 0.2)):
        T_world_map = np.eye(4)
        T_world_map[:3, :3] = se3.shortest_turn(up)
        T_world_map[:3, 3] = 4, 5, 6
        scene = [{"type": "heightmap", "source": "map.npz", "T_world_map": T_world_map.tolist()}]
        leaning = make_plan(read(views=[view], scene=scene)).poses
        np.testing.assert_allclose(leaning, T_world_map @ level, atol=1e-9)


def test_an_orbit_goes_round_at_equal_angles_and_looks_at_the_middle(read: ReadJob) -> None:
    orbit = poses(read, {"type": "orbit", "count": 4, "radius": 3, "elevation": 30, "start": 10})
    eyes = orbit[:, :3, 3] - MIDDLE
    np.testing.assert_allclose(np.linalg.norm(eyes, axis=1), 3)
    np.testing.assert_allclose(eyes[:, 2], 1.5)
    np.testing.assert_allclose(np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])), [10, 100, -170, -80], atol=1e-9)
    np.testing.assert_allclose(orbit[:, :3, 2], -eyes / 3, atol=1e-9)
    half = poses(read, {"type": "orbit", "count": 3, "turn": 180, "target": [1, 2, 0], "radius": 1, "elevation": 0})
    np.testing.assert_allclose(half[:, :3, 3], [[2, 2, 0], [1, 3, 0], [0, 2, 0]], atol=1e-9)


def test_a_spiral_rises(read: ReadJob) -> None:
    spiral = poses(read, {"type": "spiral", "count": 5, "turns": 1, "radius": [2, 4], "elevation": [0, 80]})
    eyes = spiral[:, :3, 3] - MIDDLE
    np.testing.assert_allclose(np.linalg.norm(eyes, axis=1), [2, 2.5, 3, 3.5, 4])
    elevation = np.degrees(np.arcsin(eyes[:, 2] / np.linalg.norm(eyes, axis=1)))
    np.testing.assert_allclose(elevation, [0, 20, 40, 60, 80], atol=1e-6)


def test_a_grid_looks_down_with_north_on_top(read: ReadJob) -> None:
    grid = poses(read, {"type": "grid", "rows": 2, "columns": 3, "altitude": 1})
    np.testing.assert_allclose(grid[:, 0, 3], [-1, 0, 1, -1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(grid[:, 1, 3], [-0.8] * 3 + [0.8] * 3, atol=1e-6)
    np.testing.assert_allclose(grid[:, 2, 3], 1 + open_top(read), atol=1e-6)
    np.testing.assert_allclose(grid[0, :3, :3], np.diag([1.0, -1, -1]), atol=1e-9)
    oblique = poses(read, {"type": "grid", "rows": 1, "columns": 1, "altitude": 1, "pitch": 30, "heading": 0})
    np.testing.assert_allclose(oblique[0, :3, 2], [np.cos(np.pi / 6), 0, -0.5], atol=1e-9)


def open_top(read: ReadJob) -> float:
    (part,) = read().scene
    return float(np.nanmax(part.load().surface.heights))


def test_random_views_follow_from_their_seed(read: ReadJob) -> None:
    table = {"type": "random", "count": 300, "seed": 5, "radius": [2, 3], "elevation": [30, 60]}
    eyes = poses(read, table)[:, :3, 3] - MIDDLE
    radius = np.linalg.norm(eyes, axis=1)
    assert radius.min() >= 2
    assert radius.max() <= 3
    elevation = np.degrees(np.arcsin(eyes[:, 2] / radius))
    assert elevation.min() >= 30
    assert elevation.max() <= 60
    # Equally likely by area: half of them are below the elevation whose sine is in the middle.
    assert abs((eyes[:, 2] / radius < (0.5 + np.sqrt(0.75)) / 2).mean() - 0.5) < 0.1
    np.testing.assert_array_equal(poses(read, table), poses(read, table))
    assert not np.allclose(poses(read, table | {"seed": 6}), poses(read, table))
    aside = poses(read, table | {"spread": 0.1})
    assert not np.allclose(aside[:, :3, :3], poses(read, table)[:, :3, :3])


def test_views_are_given_one_by_one_or_come_from_a_trajectory(tmp_path: Path, read: ReadJob) -> None:
    given = np.stack([se3.look_at((x, -1, 1), (0, 0, 0)) for x in (0.0, 0.5, 1.0)])
    write_trajectory(tmp_path / "poses.txt", Trajectory(np.arange(3.0), given))
    (tmp_path / "kitti.txt").write_text("".join(" ".join(map(repr, T[:3].ravel().tolist())) + "\n" for T in given))
    views = (
        {"type": "poses", "T_world_camera": given.tolist()},
        {"type": "look_at", "eyes": [[0, -1, 1], [0.5, -1, 1], [1, -1, 1]], "targets": [[0, 0, 0]]},
        {"type": "trajectory", "source": "poses.txt"},
        {"type": "trajectory", "source": "poses.txt", "frames": "1:3"},
        {"type": "trajectory", "source": "kitti.txt", "frames": "second"},
    )
    found = poses(read, *views)
    for start, expected in ((0, given), (3, given), (6, given), (9, given[1:]), (11, given[2:])):
        np.testing.assert_allclose(found[start : start + len(expected)], expected, atol=1e-8)
    assert len(found) == 12


BAD: list[tuple[dict[str, Any], str]] = [
    ({"sceen": []}, "unknown key 'sceen'; did you mean 'scene'? the keys are scene, camera, views, outputs"),
    ({"camera": {"width": 3, "height": 2, "fow": 5}}, "camera: unknown key 'fow'; did you mean 'fov'?"),
    ({"camera": {"width": 3, "height": 2}}, "camera: fov, fx: expected one of them"),
    ({"camera": {"width": 3, "height": 2, "fov": 180}}, "fov: received 180, expected 0.001 to less than 180 degrees"),
    ({"camera": {"width": 3, "height": 2, "fov": 1e-320}}, "fov: received 9.99989e-321, expected 0.001 to less than"),
    ({"camera": {"width": 0, "height": 2, "fov": 90}}, "camera width: received 0"),
    (
        {"camera": {"width": 60000, "height": 2, "fov": 90}},
        "width, height: received 60000, 2, expected at most 16384 pixels",
    ),
    ({"camera": None}, "no key 'camera'"),
    ({"views": []}, "views: received [], expected a list of one or more tables"),
    ({"views": [{"type": "orbit", "count": 0}]}, "count: received 0, expected 1 to 10,000,000 views"),
    ({"views": [{"type": "orbit", "count": 10**8}]}, "count: received 100000000, expected 1 to 10,000,000 views"),
    ({"views": [{"type": "orbit", "count": 1, "start": math.nan}]}, "start: received nan, expected a number less than"),
    ({"views": [{"type": "orbitt"}]}, "type: received 'orbitt'; did you mean 'orbit'? expected one of poses, look_at"),
    ({"views": [{"type": "orbit", "count": 1, "radius": -1}]}, "radius: received -1, expected more than 0"),
    ({"views": [{"type": "orbit", "count": 1, "elevation": 91}]}, "elevation: received 91"),
    ({"views": [{"type": "poses", "T_world_camera": []}]}, "views: there are none, expected at least one"),
    ({"views": [{"type": "trajectory", "source": "no.txt"}]}, "no.txt: no such file"),
    ({"views": [{"type": "grid", "rows": 1, "columns": 1, "altitude": 0}]}, "altitude: received 0.0"),
    (
        {"views": [{"type": "grid", "rows": 4000, "columns": 4000, "altitude": 1}]},
        "rows x columns: received 16000000, expected 1 to 10,000,000 views",
    ),
    (
        {"views": [{"type": "random", "count": 1, "seed": 1, "elevation": [80, 20]}]},
        "elevation: received 80 to 20, expected the lesser first",
    ),
    (
        {"views": [{"type": "random", "count": 1, "seed": 1, "radius": [3, 2]}]},
        "radius: received 3 to 2, expected the lesser first",
    ),
    ({"views": [{"type": "look_at", "eyes": [[0, 0, 1]], "targets": []}]}, "targets: received 0 for 1 eyes"),
    ({"views": [{"type": "random", "count": 1, "seed": -1}]}, "seed, spread: received -1, 0, expected 0 or more"),
    ({"outputs": [{"type": "image"}, {"type": "image"}]}, "outputs: two have the name 'image'"),
    (
        {"outputs": [{"type": "image", "name": "a.mp4"}, {"type": "video", "name": "a"}]},
        "two have the name 'a.mp4', or",
    ),
    ({"outputs": [{"type": "image", "name": "manifest.jsonl"}]}, "two have the name 'manifest.jsonl', or it is taken"),
    ({"outputs": [{"type": "image", "name": "../a"}]}, "name: received '../a', expected the name of a folder"),
    ({"outputs": [{"type": "image", "format": "gif"}]}, "format: received 'gif', expected one of 'png', 'jpeg', 'exr'"),
    ({"outputs": [{"type": "image", "quality": 0}]}, "quality: received 0, expected 1 to 100"),
    ({"outputs": [{"type": "buffers", "buffers": []}]}, "buffers: received none, expected some of image, depth"),
    ({"outputs": [{"type": "jacobian", "of": "depth", "wrt": "color"}]}, "wrt: received 'color', but depth depends on"),
    ({"outputs": [{"type": "video", "rate": 0}]}, "rate, quality: received 0, 20"),
    ({"scene": [{"type": "heightmap", "source": "none.npz"}]}, "none.npz: no such file"),
    ({"scene": [{"type": "heightmap", "source": "a\0b.npz"}]}, "names no file: embedded null byte"),
    ({"scene": [{"type": [], "source": "map.npz"}]}, "type: received []; expected one of heightmap"),
    (
        {"scene": [{"type": "heightmap", "source": "map.npz", "color": [128, 64, 32]}]},
        "color: received 128, 64, 32, expected 0 to 1 each",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_is_wrong_is_said_by_name(read: ReadJob, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make_plan(read(**changes))
    assert message in str(caught.value)


def test_an_unknown_buffer_is_refused_with_the_valid_ones(read: ReadJob) -> None:
    with pytest.raises(UsageError, match="buffers: received 'depths', expected one of 'image', 'depth'"):
        read(outputs=[{"type": "buffers", "buffers": ["depths"]}])


def test_a_job_is_the_same_wherever_it_is_started_from_and_moved_to(
    tmp_path: Path, write_job: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_plan(read_job(str(write_job()))).account()
    monkeypatch.chdir(tmp_path)
    assert make_plan(read_job("job.json")).account() == whole
    (tmp_path / "elsewhere").mkdir()
    for name in ("job.json", "map.npz"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    assert make_plan(read_job("elsewhere/job.json")).account() == whole
    other = replace(HeightMap.load("elsewhere/map.npz"), origin=(7.0, 7.0))
    other.save("elsewhere/map.npz")
    assert make_plan(read_job("elsewhere/job.json")).account() != whole, "for the file is another"


def test_an_input_that_changes_meanwhile_is_noticed(tmp_path: Path, read: ReadJob) -> None:
    plan = make_plan(read())
    plan.load_scene()
    with open(tmp_path / "map.npz", "ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="map.npz: has changed since the job began"):
        plan.load_scene()
