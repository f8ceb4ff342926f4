"""Terrain layers on surfaces whose slope, roughness and steps are known."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.terrain_layers import (
    FREE,
    OBSTACLE,
    UNITS,
    Robot,
    TerrainLayers,
    own_share,
    terrain_layers,
)

SPACING = 0.01
ROBOT = Robot(max_step=0.02, max_slope=20, wheel_diameter=0.08, footprint_radius=0.12)
Y, X = np.mgrid[0:60, 0:80] * SPACING
INNER = np.s_[12:-12, 12:-12]
"""Cells whose footprint lies within the map."""


def layers_of(heights: np.ndarray, sigma: float | np.ndarray | None = None, robot: Robot = ROBOT) -> TerrainLayers:
    deviation = None if sigma is None else np.broadcast_to(sigma, heights.shape)
    return terrain_layers(HeightMap(heights, SPACING, sigma=deviation), robot)


@given(
    slope_x=st.floats(-1, 1), slope_y=st.floats(-1, 1), height=st.floats(-9000, 9000), holes=st.integers(0, 2**32 - 1)
)
def test_a_plane_has_its_slope_and_neither_roughness_nor_steps(
    slope_x: float, slope_y: float, height: float, holes: int
) -> None:
    """Wherever the plane is known at all: at the edges and beside holes, too."""
    rows, cols = np.mgrid[0:25, 0:30]
    heights = height + SPACING * (slope_x * cols + slope_y * rows)
    heights[np.random.default_rng(holes).random(heights.shape) < 0.2] = np.nan
    layers = layers_of(heights)
    known = np.isfinite(layers.slope)
    assert known[8:-8, 8:-8].sum() > 50
    steepness = np.hypot(slope_x, slope_y)
    np.testing.assert_allclose(np.tan(np.radians(layers.slope[known])), steepness, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(layers.roughness[known], 0, atol=1e-6)
    np.testing.assert_allclose(layers.step[known], 0, atol=1e-7)
    assert np.isnan(layers.slope[np.isnan(heights)]).all()


def test_a_straight_edge_is_a_step_of_its_height_within_a_wheel_of_it() -> None:
    """To each side; the plane leans towards it by as much as the documentation says."""
    high, middle = 0.05, 0.395
    layers = layers_of(np.where(middle < X, high, 0.0))
    distance = np.abs(X - middle)[INNER]
    step, slope = layers.step[INNER], layers.slope[INNER]
    expected = high * (1 - 8 * SPACING / (3 * np.pi * ROBOT.footprint_radius))
    np.testing.assert_allclose(step[distance < SPACING], expected, rtol=0.01)
    assert (step[distance < ROBOT.wheel_diameter / 2] > 0.9 * high).all()
    np.testing.assert_allclose(step[distance > ROBOT.footprint_radius], 0, atol=1e-12)
    assert (layers.occupancy[INNER][distance < ROBOT.wheel_diameter / 2] == OBSTACLE).all()
    assert (layers.occupancy[INNER][distance > ROBOT.footprint_radius] == FREE).all()
    lean = np.degrees(np.arctan(8 * high / (3 * np.pi * ROBOT.footprint_radius)))
    assert slope[distance < SPACING] == pytest.approx(lean, rel=0.02)


@pytest.mark.parametrize(("high", "expected"), [(0.015, FREE), (0.030, OBSTACLE)])
def test_a_kerb_on_a_ramp_is_judged_by_its_own_height(high: float, expected: float) -> None:
    """A ramp of 15 degrees rises 21 mm within a wheel: that is no step."""
    ramp = np.tan(np.radians(15)) * Y
    layers = layers_of(ramp + np.where(X > 0.395, high, 0.0))
    assert (layers.occupancy[INNER][np.abs(X - 0.395)[INNER] < SPACING] == expected).all()


def test_a_thin_cable_is_an_obstacle() -> None:
    layers = layers_of(np.where(np.abs(X - 0.4) < SPACING / 2, 0.03, 0.0))
    assert (layers.occupancy[INNER][np.abs(X - 0.4)[INNER] < ROBOT.wheel_diameter / 2] == OBSTACLE).all()


def test_the_roughness_of_a_wave_is_its_root_mean_square() -> None:
    """A wave much shorter than the footprint: amplitude / √2."""
    wave = 0.004 * np.sin(2 * np.pi * X / 0.04)
    np.testing.assert_allclose(layers_of(wave).roughness[INNER], 0.004 / np.sqrt(2), rtol=0.03)


def test_a_bump_is_as_steep_as_its_flank_is_over_a_footprint() -> None:
    """A wide dome: where it bends little over a footprint, the slope is that of the surface."""
    far = 0.05 * np.cos(np.pi * X / 2)
    slope = np.degrees(np.arctan(0.05 * np.pi / 2 * np.sin(np.pi * X / 2)))
    np.testing.assert_allclose(layers_of(far).slope[INNER], slope[INNER], atol=0.03)


def test_noise_as_large_as_sigma_says_makes_no_roughness_and_hardly_a_step() -> None:
    """Without sigma they would be once and nearly five times the noise."""
    noise = np.random.default_rng(0).normal(scale=0.002, size=(120, 150))
    layers = layers_of(noise, 0.002)
    assert (layers.own_share, layers.white_share) == pytest.approx((1, 1), abs=0.05)
    assert np.nanmean(layers.step) < 0.005
    assert np.nanmedian(layers.roughness) < 0.0005
    blind = layers_of(noise)
    assert np.nanmean(blind.step) > 0.008
    assert np.nanmedian(blind.roughness) == pytest.approx(0.002, rel=0.05)


@pytest.mark.parametrize("sigma", [0.001, 0.004, 0.02, 0.2])
def test_flat_ground_is_free_or_unknown_however_badly_it_is_seen(sigma: float) -> None:
    heights = np.random.default_rng(1).normal(scale=sigma, size=(100, 100))
    occupancy = layers_of(heights, sigma).occupancy[6:-6, 6:-6]
    assert (occupancy == OBSTACLE).mean() < 0.01
    free = (occupancy == FREE).mean()
    assert free > 0.99 if sigma < 0.004 else free < 0.8


def smooth_ground(rng: np.random.Generator) -> np.ndarray:
    hills = gaussian_filter(rng.normal(size=(200, 200)), 6)
    return 0.02 * hills / hills.std()


def kerbs(rng: np.random.Generator) -> np.ndarray:
    heights = np.zeros((200, 200))
    for _ in range(30):
        i, j, rows, cols = rng.integers((0, 0, 5, 5), (170, 170, 30, 30))
        heights[i : i + rows, j : j + cols] += rng.uniform(-0.04, 0.04)
    return heights


def stones(rng: np.random.Generator) -> np.ndarray:
    heights = np.zeros((200, 200))
    for _ in range(90):
        i, j, rows, cols = rng.integers((3, 3, 1, 1), (197, 197, 4, 4))
        heights[i : i + rows, j : j + cols] = rng.uniform(0, 0.04)
    return heights


@pytest.mark.parametrize("sigma", [0.001, 0.004, 0.012])
@pytest.mark.parametrize("ground", [smooth_ground, kerbs, stones])
def test_what_is_found_free_is_free_and_what_is_found_an_obstacle_is_one(
    ground: Callable[[np.random.Generator], np.ndarray], sigma: float
) -> None:
    """By the layers of the ground itself; and where the ground is seen well, much of both is found."""
    rng = np.random.default_rng(2)
    truth = ground(rng)
    passable = layers_of(truth).obstacle_probability < 0.5
    occupancy = layers_of(truth + rng.normal(scale=sigma, size=truth.shape), sigma).occupancy
    free, obstacle = occupancy == FREE, occupancy == OBSTACLE
    assert (free & ~passable).sum() <= 0.05 * free.sum()
    assert (obstacle & passable).sum() <= 0.02 * obstacle.sum()
    if sigma == 0.001:
        inner = np.s_[12:-12, 12:-12]
        assert free[inner].sum() > 0.4 * passable[inner].sum()
        assert obstacle[inner].sum() > 0.4 * (~passable[inner]).sum()


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_what_neighbours_share_of_sigma_makes_no_obstacle(share: float) -> None:
    rng = np.random.default_rng(3)
    shared = 0.05 * X + 0.02  # an error that a frame's pose leaves: it grows evenly
    heights = shared + rng.normal(scale=0.01 * share, size=X.shape)
    assert own_share(heights, np.full(X.shape, 0.01), 12) == pytest.approx(share, abs=0.1)


def test_what_a_map_is_displaced_by_leaves_free_ground_free() -> None:
    """Ground that bends everywhere, which looks like errors that no cells share, and a sigma that nearly all share."""
    bumpy = gaussian_filter(np.random.default_rng(5).normal(size=X.shape), 6)
    bumpy *= 0.012 / bumpy.std()
    sigma, local = np.full(X.shape, 0.03), np.full(X.shape, 0.001)
    unknown = terrain_layers(HeightMap(bumpy, SPACING, sigma=sigma), ROBOT)
    assert np.isnan(unknown.occupancy[INNER]).mean() > 0.9
    told = terrain_layers(HeightMap(bumpy, SPACING, sigma=sigma, local_sigma=local), ROBOT)
    assert (told.occupancy[INNER] == FREE).mean() > 0.9
    np.testing.assert_array_equal(told.layers["sigma"], sigma)


def test_an_obstacle_stands_out_of_an_error_that_all_cells_share() -> None:
    """With sigma as large as the step itself, as long as it is the same error everywhere."""
    noise = np.random.default_rng(4).normal(scale=0.0005, size=X.shape)
    layers = layers_of(np.where(X > 0.395, 0.04, 0.0) + noise, 0.03)
    assert (layers.occupancy[INNER][np.abs(X - 0.395)[INNER] < 2 * SPACING] == OBSTACLE).all()


def test_unseen_neighbours_make_no_free_ground() -> None:
    heights = np.zeros(X.shape)
    heights[30, 40] = np.nan
    layers = layers_of(heights)
    reach = ROBOT.wheel_diameter / 2 + 1e-9
    beside = np.hypot(X - 0.40, Y - 0.30) <= reach
    edge = (np.minimum(X, Y) < reach - SPACING) | (0.79 - reach + SPACING < X) | (0.59 - reach + SPACING < Y)
    assert np.isnan(layers.occupancy[beside | edge]).all()
    assert (layers.occupancy[~beside & ~edge] == FREE).all()
    assert np.isnan(layers.slope[30, 40])
    corner = layers.slope[0, 0], layers.traversability[0, 0], layers.occupancy[0, 0]
    assert np.isnan(corner).all()  # a quarter of its footprint is known
    assert layers.slope[0, 40] == pytest.approx(0, abs=1e-6)  # half of it


def test_a_step_beside_what_was_not_seen_is_an_obstacle() -> None:
    heights = np.where(X > 0.395, 0.1, 0.0)
    heights[:, 43:] = np.nan
    assert (layers_of(heights).occupancy[12:-12, 41] == OBSTACLE).all()


def test_traversability_goes_from_level_ground_to_the_limits() -> None:
    flat = layers_of(np.zeros(X.shape)).traversability[INNER]
    np.testing.assert_allclose(flat, 1, atol=1e-4)
    half = layers_of(np.tan(np.radians(10)) * X).traversability[INNER]
    np.testing.assert_allclose(half, 1 - 1 / 6, atol=1e-4)
    assert (layers_of(np.tan(np.radians(21)) * X).traversability[INNER] == 0).all()
    steep = layers_of(np.tan(np.radians(21)) * X)
    assert (steep.occupancy[INNER] == OBSTACLE).all()


def test_slope_is_against_gravity_however_the_map_lies() -> None:
    """A plane of 15 degrees, in a map that is tilted so that it is level there, turned and moved far away."""
    tilt = se3.exp([0, 0, 0, np.radians(9), np.radians(-12), 0.7])
    tilt[:3, 3] = 500_000, 4_100_000, 300
    layers = terrain_layers(HeightMap(np.zeros(X.shape), SPACING, T_world_map=tilt), ROBOT)
    expected = np.degrees(np.arccos(tilt[2, 2]))
    known = np.isfinite(layers.slope)
    assert known.sum() > 3000
    np.testing.assert_allclose(layers.slope[known], expected, rtol=1e-5)
    np.testing.assert_allclose(layers.step[known], 0, atol=1e-6)


def test_cells_coarser_than_the_robot_use_their_neighbours() -> None:
    layers = terrain_layers(HeightMap(np.tan(np.radians(30)) * X * 100, 1.0), ROBOT)
    np.testing.assert_allclose(layers.slope[2:-2, 2:-2], 30, atol=1e-6)
    assert (layers.occupancy[1:-1, 1:-1] == OBSTACLE).all()


def test_layers_are_named_measured_and_alike_in_shape() -> None:
    layers = layers_of(np.zeros(X.shape), 0.001)
    assert list(layers.layers) == list(UNITS)
    assert {values.shape for values in layers.layers.values()} == {X.shape}
    assert set(UNITS) - {"elevation", "sigma"} <= {field.name for field in fields(layers)}
    exact = layers_of(np.zeros(X.shape))
    assert np.isnan(exact.layers["sigma"]).all()
    assert set(np.unique(exact.obstacle_probability[INNER])) == {0.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_step": 0}, "max_step: received 0, expected a finite number greater than 0"),
        ({"max_slope": -5}, "max_slope: received -5"),
        ({"max_slope": 90}, "max_slope: received 90, expected less than 90 degrees"),
        ({"wheel_diameter": np.nan}, "wheel_diameter: received nan"),
        ({"footprint_radius": np.inf}, "footprint_radius: received inf"),
        ({"wheel_diameter": 1.0}, "wheel_diameter: received 1, expected at most the footprint's diameter, 0.3"),
    ],
)
def test_a_robot_that_cannot_be(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Robot(**change)


def test_what_is_no_map_and_no_robot() -> None:
    with pytest.raises(InputError, match="surface: received ndarray, expected HeightMap"):
        terrain_layers(np.zeros((9, 9)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="robot: received dict, expected Robot"):
        terrain_layers(HeightMap(np.zeros((9, 9)), 0.1), {"max_step": 0.02})  # type: ignore[arg-type]


def test_maps_that_say_nothing() -> None:
    nothing = HeightMap(np.full((9, 9), np.nan), SPACING)
    turned = replace(nothing, T_world_map=se3.exp([0, 0, 0, 0, 0, 1.0]))
    upside_down = HeightMap(np.zeros((9, 9)), SPACING, T_world_map=np.diag([1.0, -1, -1, 1]))
    unsure = HeightMap(np.zeros((9, 9)), SPACING, sigma=np.full((9, 9), np.nan))
    local = np.full((9, 9), 0.001)
    for surface, message in (
        (nothing, "no cell has a height and a sigma"),
        (turned, "every value is NaN"),
        (upside_down, "tilted by 180 degrees, expected at most 60"),
        (unsure, "no cell has a height and a sigma"),
        (replace(unsure, local_sigma=local), "no cell has a height and a sigma"),
    ):
        with pytest.raises(InputError, match=message):
            terrain_layers(surface)


def test_a_footprint_larger_than_the_map_is_probably_in_other_units() -> None:
    with pytest.raises(InputError, match="footprint_radius: received 15, expected metres: .* 0.8 x 0.6 m"):
        layers_of(np.zeros(X.shape), robot=Robot(footprint_radius=15))


@pytest.mark.filterwarnings("error")
@given(
    seed=st.integers(0, 2**32 - 1),
    relief=st.floats(-8, 30),
    spacing=st.floats(-3, 2),
    certainty=st.floats(-10, 5),
    turned=st.booleans(),
)
def test_any_map_gives_probabilities_classes_and_no_warning(
    seed: int, relief: float, spacing: float, certainty: float, turned: bool
) -> None:
    """Steep or flat, fine or coarse (powers of ten, metres), with holes in the heights and in sigma."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 30, 2)
    heights = np.where(rng.random(shape) < 0.8, rng.normal(size=shape) * 10.0**relief, np.nan)
    sigma = np.where(rng.random(shape) < 0.9, np.abs(rng.normal(size=shape)) * 10.0**certainty, np.nan)
    pose = se3.exp([*rng.normal(size=3) * 1e5, *rng.normal(size=3) * 0.4]) if turned else None
    try:
        surface = HeightMap(heights, 10.0**spacing, sigma=sigma, T_world_map=pose)
        layers = terrain_layers(surface, Robot(footprint_radius=10.0**spacing * rng.uniform(1, 9), wheel_diameter=1e-3))
    except InputError:
        return
    for values in (layers.obstacle_probability, layers.traversability, layers.occupancy):
        assert ((values[np.isfinite(values)] >= 0) & (values[np.isfinite(values)] <= 1)).all()
        assert np.isnan(values[np.isnan(layers.surface.heights)]).all()
    assert set(np.unique(layers.occupancy[np.isfinite(layers.occupancy)])) <= {FREE, OBSTACLE}


def test_the_smallest_map_is_all_unknown() -> None:
    layers = terrain_layers(HeightMap(np.zeros((2, 2)), 0.5))
    assert np.isnan(layers.occupancy).all()
