"""What a robot wants to know of a height map: slope, roughness, steps, and where it can drive.

Everything is against gravity, so in the world's axes: a map that is turned is put onto a grid along them first
(`glrender.geometry.level_map`). The quantities are those of Wermelinger et al., *Navigation Planning for Legged Robots
in Challenging Terrain* (IROS 2016), after Chilian and Hirschmüller (IROS 2009), with the robot's lengths as windows:

- **slope**: of the plane that fits the ground under the robot's footprint best, so the tilt that the robot takes.
  (Under a single wheel, a step that the robot may climb would already read as a slope that it may not.)
- **roughness**: the root mean square of the ground's residuals from that plane.
- **step**: the largest difference of height within a wheel, once that plane's slope is taken off: none on a plane,
  however steep. A straight edge of height h in level ground reads h (1 - 8 spacing / (3 π footprint)): the plane
  leans towards it. Short ramps that are steeper than the footprint's plane are steps.

Errors that neighbouring cells share make no obstacle, so not all of a cell's sigma counts. Of a map that has a
`local_sigma`, only that counts: it leaves out what displaces a height together with those around it. How much of the
rest is shared sigma does not say, but it is estimated from the heights themselves (`own_share`), in two parts:

- What a cell does not share with those a footprint away makes differences of height uncertain. From it follows the
  probability that the robot's limits are exceeded, and from that what is an obstacle, what is free, and what is not
  known well enough to say.
- What a cell does not even share with its neighbours, white noise, looks like roughness and like steps. So its variance
  is subtracted from that of the roughness, and half of the range that noise alone has within a wheel from the step:
  that is about what noise adds to a step of the ground. Before a step counts as an obstacle the whole range is
  subtracted, so that noise alone makes none.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from glrender.checks import check_kind, check_positive
from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.level_map import level_map
from glrender.geometry.terrain_loops import disk_half_widths, fit_planes, largest_differences

Float64 = NDArray[np.float64]

CONFIDENCE = 0.95
"""An obstacle exceeds a limit with this probability; free ground keeps all limits with it."""

_LEAST_SHARE = 0.5
"""Share of a footprint that must be known. On the straight edge of what was seen, half of it is."""

_NOISE_IN_STEP = 0.5
"""Share of noise's own range that is taken off a step. It was tried on smooth ground, kerbs and stones, with a sigma of
5 to 80 % of the limit: of what is found free, 0 to 2.6 % is not. With 0.75 that becomes 10 % and more on smooth ground;
with 0.25, nothing is found free where sigma is 20 % of the limit."""

_NORMAL_MEDIAN = 0.6745
"""The median size of a standard normal number."""

FREE, OBSTACLE = 0.0, 1.0
"""Values of the occupancy; unknown is NaN."""


@dataclass(frozen=True)
class Robot:
    """What a robot can drive over; the defaults are a rover's that one can carry in a hand."""

    max_step: float = 0.02
    """Metres: the highest step that a wheel climbs."""
    max_slope: float = 20.0
    """Degrees: the steepest slope that the robot drives on."""
    wheel_diameter: float = 0.10
    """Metres: diameter of the disk of ground that matters to a wheel; at least one cell to each side is looked at."""
    footprint_radius: float = 0.15
    """Metres: radius of the circle that the robot stands on; taken as at least 1.5 cells."""

    def __post_init__(self) -> None:
        for name in ("max_step", "max_slope", "wheel_diameter", "footprint_radius"):
            object.__setattr__(self, name, check_positive(name, getattr(self, name)))
        if self.max_slope >= 90:
            raise InputError(f"max_slope: received {self.max_slope:g}, expected less than 90 degrees")
        if self.wheel_diameter > 2 * self.footprint_radius:
            raise InputError(
                f"wheel_diameter: received {self.wheel_diameter:g}, expected at most the footprint's diameter, "
                f"{2 * self.footprint_radius:g} (metres)"
            )


@dataclass(frozen=True, eq=False)
class TerrainLayers:
    """Layers over one grid along the world's axes, each (rows, cols) float64, row 0 in the south."""

    surface: HeightMap
    """The map that the layers belong to: heights are the world's z, the pose is the identity."""
    robot: Robot
    """Whose limits count."""
    own_share: float
    """The part of sigma that a cell does not share with those a footprint away, from 0 to 1."""
    white_share: float
    """The part of sigma that a cell does not share with its neighbours, from 0 to 1; at most `own_share`."""
    slope: Float64
    """Degrees from level, of the plane under the footprint; NaN where less than half of it is known."""
    roughness: Float64
    """Metres: root mean square distance of heights from that plane; NaN where slope is."""
    step: Float64
    """Metres: the largest difference of height within a wheel, off that plane's slope; NaN where slope is."""
    obstacle_probability: Float64
    """The probability that the step or the slope exceeds its limit, as if they were independent; NaN where slope is."""
    traversability: Float64
    """1 on level, smooth ground; 1 - (slope / max_slope + step / max_step + roughness / (max_step / 2)) / 3; 0 where
    slope or step reach their limit (Wermelinger et al., 2016); NaN where slope is. Ground that goes up and down by
    a step has half of it as its roughness, so that is the roughness that counts in full."""
    occupancy: Float64
    """0 free, 1 obstacle, NaN unknown. Free ground is seen entirely within a wheel of the place, and exceeds a limit
    with at most 5 % probability; an obstacle does with at least 95 %, all that noise makes taken off its step."""

    @property
    def layers(self) -> dict[str, Float64]:
        """Every layer (rows, cols) by name, as in files: elevation (the world's z) and sigma first, in metres."""
        sigma = np.full(self.surface.shape, np.nan) if self.surface.sigma is None else self.surface.sigma
        names = tuple(UNITS)[2:]
        return {"elevation": self.surface.heights, "sigma": sigma} | {name: getattr(self, name) for name in names}


UNITS = {
    "elevation": "m",
    "sigma": "m",
    "slope": "degree",
    "roughness": "m",
    "step": "m",
    "obstacle_probability": "1",
    "traversability": "1",
    "occupancy": "1",
}
"""The layers and their units."""


def terrain_layers(surface: HeightMap, robot: Robot | None = None) -> TerrainLayers:
    """The layers of a map for a robot (a small rover, unless another is given).

    A map without sigma is taken as exact; a cell whose height is known and whose sigma is not, as unseen. Raises
    InputError where no cell is known, for a map that does not face up, and for a footprint half of which is larger
    than the whole map.
    """
    check_kind("surface", surface, HeightMap)
    robot = Robot() if robot is None else robot
    check_kind("robot", robot, Robot)
    level = level_map(surface)
    heights, sigma = _known_heights(level)
    spacing = level.spacing
    _check_footprint(robot, level)
    footprint = max(robot.footprint_radius, 1.5 * spacing)
    wheel = max(robot.wheel_diameter / 2, spacing)
    white = own_share(heights, sigma, 1)
    share = max(white, own_share(heights, sigma, round(footprint / spacing)))
    variances = (share * sigma) ** 2
    as_white = (white / share) ** 2 if share > 0 else 0.0
    planes = fit_planes(heights, variances, spacing, footprint, _LEAST_SHARE)
    differences = largest_differences(heights, variances, planes, spacing, wheel)

    steepness = np.hypot(planes.slope_x, planes.slope_y)
    roughness = np.sqrt(np.maximum(planes.residual_variance - as_white * planes.mean_variance, 0))
    whole = int(np.sum(2 * disk_half_widths(wheel / spacing) + 1))
    mean_range = np.array([_mean_range(n) for n in range(whole + 1)])[np.nan_to_num(differences.known).astype(np.int64)]
    noise = mean_range * np.sqrt(as_white * differences.mean_variance)
    step = np.maximum(differences.height - _NOISE_IN_STEP * noise, 0)

    limit = math.tan(math.radians(robot.max_slope))
    too_steep = _probability(steepness, np.sqrt(planes.mean_variance * planes.slope_variance_ratio), limit)
    deviation = np.sqrt(differences.variance)
    too_high, surely = (_probability(h, deviation, robot.max_step) for h in (step, differences.height - noise))
    probability = 1 - (1 - too_high) * (1 - too_steep)
    slope = np.degrees(np.arctan(steepness))
    occupancy = np.full(level.shape, np.nan)
    occupancy[(probability <= 1 - CONFIDENCE) & (differences.known == whole)] = FREE
    occupancy[np.maximum(surely, too_steep) >= CONFIDENCE] = OBSTACLE
    return TerrainLayers(
        surface=level,
        robot=robot,
        own_share=share,
        white_share=white,
        slope=slope,
        roughness=roughness,
        step=step,
        obstacle_probability=probability,
        traversability=_traversability(slope, step, roughness, robot),
        occupancy=occupancy,
    )


def _known_heights(level: HeightMap) -> tuple[Float64, Float64]:
    """(rows, cols) heights, and the sigma that counts for their differences; both are NaN where either is unknown."""
    marginal = np.zeros(level.shape) if level.sigma is None else level.sigma
    sigma = marginal if level.local_sigma is None else level.local_sigma
    known = np.isfinite(level.heights) & np.isfinite(marginal) & np.isfinite(sigma)
    if not known.any():
        raise InputError("heights: no cell has a height and a sigma; expected some that have been seen")
    return np.where(known, level.heights, np.nan), np.where(known, sigma, np.nan)


def _check_footprint(robot: Robot, level: HeightMap) -> None:
    """InputError for a footprint that is so large that the map could nowhere know enough of it."""
    rows, cols = level.shape
    spacing = level.spacing
    if _LEAST_SHARE * math.pi * robot.footprint_radius**2 > rows * cols * spacing**2:
        raise InputError(
            f"footprint_radius: received {robot.footprint_radius:g}, expected metres: half of that circle is larger "
            f"than the map, which is {cols * spacing:g} x {rows * spacing:g} m"
        )


def own_share(heights: Float64, sigma: Float64, lag: int) -> float:
    """The part of sigma (rows, cols) that a cell does not share with those `lag` cells away, from 0 to 1.

    It is told from the second differences z(-lag) - 2 z(0) + z(+lag), in which neither what all three share is left
    nor what grows evenly. If all of sigma were the cells' own, their variance would be σ(-)² + 4 σ(0)² + σ(+)². The
    median of |second difference| over the root of that, divided by the median of a normal distribution, is the share
    (as Immerkær, 1996, finds the noise of an image). Ground that bends everywhere makes it larger, so that more is left
    unknown. It is 1 where the map is too small to tell.
    """
    ratios: list[Float64] = []
    for z, s in ((heights, sigma), (heights.T, sigma.T)):
        if len(z) > 2 * lag:
            before, middle, after = slice(None, -2 * lag), slice(lag, -lag), slice(2 * lag, None)
            difference = z[before] - 2 * z[middle] + z[after]
            deviation = np.sqrt(s[before] ** 2 + 4 * s[middle] ** 2 + s[after] ** 2)
            told = np.isfinite(difference) & (deviation > 0)
            ratios.append(np.abs(difference[told]) / deviation[told])
    known = np.concatenate([np.empty(0), *ratios])
    return min(1.0, float(np.median(known)) / _NORMAL_MEDIAN) if known.size else 1.0


def _probability(value: Float64, deviation: Float64, limit: float) -> Float64:
    """The probability that a quantity measured as `value`, with a normal error of `deviation`, exceeds `limit`."""
    excess = value - limit
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(deviation > 0, ndtr(excess / deviation), np.where(np.isnan(excess), np.nan, excess > 0))


def _traversability(slope: Float64, step: Float64, roughness: Float64, robot: Robot) -> Float64:
    rough = np.minimum(roughness / (robot.max_step / 2), 1)
    score = 1 - (slope / robot.max_slope + step / robot.max_step + rough) / 3
    stopped = (slope >= robot.max_slope) | (step >= robot.max_step)
    return np.where(stopped, 0.0, score)


@cache
def _mean_range(count: int) -> float:
    """Highest less lowest of `count` standard normal numbers, on average (Tippett, 1925); 0 for fewer than two."""
    x = np.linspace(-8, 8, 1601)
    below = ndtr(x)
    return float(np.sum(1 - below**count - (1 - below) ** count) * (x[1] - x[0])) if count > 1 else 0.0
