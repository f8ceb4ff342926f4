"""A recorded scene reads back as a sequence whose depth lies on the truth, with the noise that was asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import read_trajectory
from glrender.simulate.elevation import read_elevation
from glrender.simulate.noise import NoiseModel
from glrender.simulate.path import make_path
from glrender.simulate.recording import RecordingSummary, record
from glrender.simulate.scene import Scene, with_texture
from glrender.simulate.terrain import make_terrain, refine

CAMERA = Camera(64, 48, 55.0, 55.0, 31.5, 23.5)
FRAMES = 4


def make_scene(scale: float = 1.0, path: str = "orbit", **terrain_options: object) -> Scene:
    terrain = make_terrain(read_elevation("builtin"), (2 * scale, 2 * scale), spacing=0.05 * scale, **terrain_options)
    surface, truth = with_texture(terrain, 3, np.random.default_rng(0))
    return Scene(surface, truth, CAMERA, np.arange(FRAMES) / 10, make_path(path, terrain, CAMERA, FRAMES))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene()


def recorded(
    context: Context, scene: Scene, folder: Path, noise: NoiseModel | None = None, seed: int = 1, **options: object
) -> tuple[RecordingSummary, Sequence]:
    recording = record(context, scene, noise or NoiseModel(), np.random.SeedSequence(seed), folder, **options)
    return recording, open_sequence(folder)


def heights_below(truth: HeightMap, points: np.ndarray) -> np.ndarray:
    """The height of the truth's triangles at the x and y of points (N, 3)."""
    x, y = ((points[:, :2] - truth.origin) / truth.spacing).T
    i, j = (np.clip(k.astype(int), 0, n - 2) for k, n in ((y, truth.shape[0]), (x, truth.shape[1])))
    s, t, h = x - j, y - i, truth.heights
    lower = h[i, j] + s * (h[i, j + 1] - h[i, j]) + t * (h[i + 1, j] - h[i, j])
    corner = h[i + 1, j + 1]
    upper = corner + (1 - s) * (h[i + 1, j] - corner) + (1 - t) * (h[i, j + 1] - corner)
    return np.where(s + t > 1, upper, lower)


@pytest.mark.parametrize("path", ["flyover", "orbit", "rover"])
@pytest.mark.parametrize("origin", [None, (500_000.0, 4_000_000.0)])
def test_depth_lies_on_the_truth(
    context: Context, tmp_path: Path, path: str, origin: tuple[float, float] | None
) -> None:
    """Not only rendered and written: cast back by camera, pose and scale as files have them, it is the ground."""
    scene = make_scene(path=path, origin=origin)
    recording, sequence = recorded(context, scene, tmp_path)
    truth = HeightMap.load(tmp_path / "truth.npz")
    assert recording.frames == len(sequence.frames) == FRAMES
    for entry in sequence.frames:
        depth = sequence.read(entry).depth
        visible = depth > 0
        assert visible.mean() > 0.4
        pose = sequence.trajectory.at(entry.time)
        points = (CAMERA.rays() * depth[..., None])[visible] @ pose[:3, :3].T + pose[:3, 3]
        assert np.abs(points[:, 2] - heights_below(truth, points)).max() < 1e-3


def test_the_truth_is_known_exactly(context: Context, scene: Scene, tmp_path: Path) -> None:
    recorded(context, scene, tmp_path)
    truth = HeightMap.load(tmp_path / "truth.npz")
    np.testing.assert_array_equal(truth.heights, scene.truth.heights)
    assert not truth.sigma.any()
    np.testing.assert_allclose(truth.colors, scene.truth.colors, atol=1e-7)
    for name in ("truth_trajectory.txt", "groundtruth.txt"):
        np.testing.assert_allclose(read_trajectory(tmp_path / name).poses, scene.poses, atol=1e-8)


def test_the_surface_drawn_is_the_truth(scene: Scene) -> None:
    np.testing.assert_array_equal(scene.surface.heights, refine(scene.truth, 3).heights)


def test_noise_is_in_the_files(context: Context, scene: Scene, tmp_path: Path) -> None:
    noise = NoiseModel(4.0, 0.003, 0.002, 0.0, 0.02, 1.0)
    _, clean = recorded(context, scene, tmp_path / "clean")
    _, noisy = recorded(context, scene, tmp_path / "noisy", noise)
    errors = []
    for quiet, loud in zip(map(clean.read, clean.frames), map(noisy.read, noisy.frames), strict=True):
        seen = quiet.depth > 0
        np.testing.assert_array_equal(seen, loud.depth > 0)
        errors.append(((loud.depth - quiet.depth) / noise.depth_sigma(quiet.depth))[seen])
    assert np.concatenate(errors).std() == pytest.approx(1, rel=0.03)
    assert np.abs(noisy.trajectory.poses - scene.poses).max() > 0.01
    truth = read_trajectory(tmp_path / "noisy/truth_trajectory.txt")
    np.testing.assert_allclose(truth.poses, scene.poses, atol=1e-8)

    _, moved = recorded(context, scene, tmp_path / "moved", NoiseModel(pose_translation=0.1))
    np.testing.assert_array_equal(moved.read(moved.frames[2]).depth, clean.read(clean.frames[2]).depth)


def test_a_seed_makes_the_same_files(context: Context, scene: Scene, tmp_path: Path) -> None:
    noise = NoiseModel(2.0, 0.001, 0.001, 0.01, 0.01, 0.1)
    contents = []
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        recorded(context, scene, tmp_path / name, noise, seed)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file() and path.suffix != ".npz")
        contents.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    one, again, other = contents
    assert one == again
    assert all(one[path] != other[path] for path in one if path.suffix == ".png" or path.name == "groundtruth.txt")


def test_an_interruption_leaves_a_shorter_sequence(context: Context, scene: Scene, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == FRAMES
        if done == 2:
            raise KeyboardInterrupt

    recording, sequence = recorded(context, scene, tmp_path, advance=interrupt)
    assert recording.frames == len(sequence.frames) == len(sequence.trajectory.times) == 2
    assert sequence.problems == ()
    assert HeightMap.load(tmp_path / "truth.npz").shape == scene.truth.shape


def test_an_interruption_before_the_first_frame_is_passed_on(
    context: Context, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glrender.simulate.recording.ForwardRenderer.render", interrupt)
    alive = context.live_objects
    with pytest.raises(KeyboardInterrupt):
        record(context, scene, NoiseModel(), np.random.SeedSequence(0), tmp_path)
    assert context.live_objects == alive


def test_nothing_stays_in_the_context(context: Context, scene: Scene, tmp_path: Path) -> None:
    alive = context.live_objects
    recorded(context, scene, tmp_path)
    assert context.live_objects == alive


def test_holes_are_black_and_without_depth(context: Context, scene: Scene, tmp_path: Path) -> None:
    heights = scene.truth.heights.copy()
    heights[15:26, 15:26] = np.nan
    surface, truth = with_texture(replace(scene.truth, heights=heights, colors=None), 3, np.random.default_rng(0))
    _, sequence = recorded(context, replace(scene, surface=surface, truth=truth), tmp_path)
    frame = sequence.read(sequence.frames[0])
    assert frame.depth[22:26, 30:34].max() == 0
    assert frame.image[22:26, 30:34].max() == 0
    assert (frame.depth > 0).mean() > 0.3


def test_a_larger_terrain_is_the_same_from_further_away(context: Context, scene: Scene, tmp_path: Path) -> None:
    _, small = recorded(context, scene, tmp_path / "small")
    _, large = recorded(context, make_scene(scale=1000.0), tmp_path / "large")
    near, far = small.read(small.frames[1]), large.read(large.frames[1])
    both = (near.depth > 0) & (far.depth > 0)
    assert both.mean() > 0.999 * (near.depth > 0).mean()
    ratio = far.depth[both] / near.depth[both]
    assert np.percentile(np.abs(ratio - 1000), 99) < 1
    assert np.abs(near.image - far.image).mean() < 0.002
