"""What the ground looks like: a procedural soil, stone and grass texture, or an image laid over it.

Colours are linear and hold the light as well (a sun in the north-west and the sky): they are what every
camera sees, from wherever it looks.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.spatial import cKDTree

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.interrupt import interruptible_after
from glrender.io.color import srgb_to_linear
from glrender.simulate.terrain import fill_unknown

Field = NDArray[np.float64]

SUN = np.array([-0.5, 0.5, 0.8]) / np.linalg.norm([-0.5, 0.5, 0.8])
SKYLIGHT = 0.35
# sRGB tints, dark to light: (soil), (stone), (grass).
SOIL = np.array([(88, 62, 42), (168, 132, 96)]) / 255
STONE = np.array([(96, 92, 88), (186, 180, 170)]) / 255
GRASS = np.array([(52, 72, 30), (138, 146, 66)]) / 255
PEBBLES_ACROSS = 60


def ground_texture(surface: HeightMap, rng: np.random.Generator) -> Field:
    """(rows, cols, 3) linear colours for the vertices of `surface`: grass where it is level, stone where it is steep.

    The finest details are two to three vertices wide, so that neighbouring pixels differ everywhere.
    """
    rows, cols = surface.shape
    short = min(rows, cols) * surface.spacing
    heights = ndimage.gaussian_filter(fill_unknown(surface.heights), short / 400 / surface.spacing)
    steepness = np.hypot(*np.gradient(heights, surface.spacing))
    typical = np.percentile(steepness, 75) + 1e-9

    def noise(longest: float, shortest: float, roughness: float) -> Field:
        return _fractal_noise((rows, cols), longest * short / surface.spacing, shortest, roughness, rng)

    fine, grain = noise(1 / 30, 3, 0.5), noise(1 / 100, 2.5, 0.0)
    broad = noise(1 / 2, 6, 1.4)
    stony = _smoothstep(0.9, 1.3, steepness / typical + 0.25 * noise(1 / 6, 3, 1.0))
    grassy = _smoothstep(-0.2, 0.5, broad - 1.2 * (steepness / typical - 0.6) + 0.3 * fine)
    pebble, pebble_tint, dome = _pebbles(rows, cols, min(rows, cols) / PEBBLES_ACROSS, fine, rng)
    pebble *= 1 - 0.9 * grassy

    tone = 0.5 + 0.16 * noise(1 / 8, 3, 1.0) + 0.12 * fine + 0.10 * grain
    albedo = _tint(SOIL, tone)
    albedo = _mix(albedo, _tint(STONE, tone + 0.12 * fine), stony)
    albedo = _mix(albedo, _tint(GRASS, tone + 0.10 * grain), grassy * (1 - stony))
    albedo = _mix(albedo, _tint(STONE, 0.8 * pebble_tint + 0.1 * tone), pebble)

    bumps = short / 1500 * (fine + 0.4 * grain) + short / 500 * dome * pebble
    light = _sunlight(heights + bumps, surface.spacing)
    return np.clip(albedo * light[..., None], 0.0, 1.0)


def image_texture(path: Path, shape: tuple[int, int]) -> Field:
    """(rows, cols, 3) linear colours of the image at `path`, stretched over the whole ground with its top in the north.

    Raises InputError if the file is missing or not an image of 8 or 16 bits.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an image to lay over the ground")
    data = np.fromfile(path, dtype=np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    white = {"uint8": 255, "uint16": 65535}.get("" if image is None else image.dtype.name)
    if image is None or white is None:
        raise InputError(f"{path}: not a readable image of 8 or 16 bits a channel")
    linear = srgb_to_linear(image[..., ::-1].astype(np.float64) / white)
    rows, cols = shape
    shrinking = rows * cols < image.shape[0] * image.shape[1]
    resized = cv2.resize(linear, (cols, rows), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    return np.clip(resized[::-1], 0.0, 1.0)


def _fractal_noise(
    shape: tuple[int, int], longest: float, shortest: float, roughness: float, rng: np.random.Generator
) -> Field:
    """Gaussian noise of standard deviation 1 with wavelengths between `shortest` and `longest`, in vertices.

    An octave's amplitude is proportional to its wavelength to the power of `roughness`: 0 gives all octaves alike.
    """
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :])
    band = (frequency >= 1 / max(longest, 2 * shortest)) & (frequency <= 1 / shortest)
    # In the plane an octave's variance is its amplitude squared times the area ~ f² of its ring.
    amplitude = np.where(band, np.maximum(frequency, 1e-9) ** -(1 + roughness), 0.0)
    noise = fft.irfft2(amplitude * fft.rfft2(rng.standard_normal(shape)), shape)
    return noise / (noise.std() + 1e-12)


def _pebbles(
    rows: int, cols: int, distance: float, warp: Field, rng: np.random.Generator
) -> tuple[Field, Field, Field]:
    """Scattered stones, on average `distance` vertices apart: their cover 0..1, each one's tone, their height 0..1."""
    count = int(rows * cols / distance**2) + 1
    centres = rng.uniform((0, 0), (rows, cols), (count, 2))
    # Few large, many small: the radius falls off like that of gravel.
    radii = distance * np.minimum(0.12 + 0.10 * rng.exponential(1.0, count), 0.7)
    tones = rng.uniform(0.2, 1.1, count)
    tree, places = cKDTree(centres), np.indices((rows, cols)).reshape(2, -1).T
    with interruptible_after():  # Ctrl-C would free what the tree's threads are still writing into
        away, nearest = tree.query(places, workers=-1)
    radius = radii[nearest].reshape(rows, cols)
    within = 1 - away.reshape(rows, cols) / (radius * (1 + 0.15 * warp))
    cover = _smoothstep(0.0, 0.25, within)
    return cover, tones[nearest].reshape(rows, cols), np.sqrt(np.clip(within, 0, 1)) * radius / distance


def _sunlight(heights: Field, spacing: float) -> Field:
    """The light that each vertex receives: 1 on level ground."""
    along_y, along_x = np.gradient(heights, spacing)
    facing = (SUN[2] - SUN[0] * along_x - SUN[1] * along_y) / np.sqrt(1 + along_x**2 + along_y**2)
    return SKYLIGHT + (1 - SKYLIGHT) * np.maximum(facing, 0) / SUN[2]


def _tint(tints: Field, tone: Field) -> Field:
    """Linear colours between two sRGB `tints`, dark where `tone` is 0 and light where it is 1."""
    return srgb_to_linear(np.clip(_mix(tints[0], tints[1], tone), 0, 1))


def _mix(a: Field, b: Field, share: Field) -> Field:
    return a + (b - a) * share[..., None]


def _smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
