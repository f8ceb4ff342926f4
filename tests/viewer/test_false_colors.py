"""Values become colours that can be read back from the bar beside them."""

import numpy as np
import pytest

from glrender.viewer.colors import (
    COLORMAPS,
    Kind,
    Scale,
    colormap_name,
    false_colors,
    fit_scale,
    hues,
    label,
    lookup_table,
)

VALUES = np.random.default_rng(1).normal(2, 1, 5000)


@pytest.mark.parametrize("name", sorted({name for names in COLORMAPS.values() for name in names}))
def test_every_colour_map_exists(name: str) -> None:
    assert lookup_table(name).shape == (256, 3)


def test_pressing_on_comes_round() -> None:
    names = COLORMAPS[Kind.SIGNED]
    assert [colormap_name(Kind.SIGNED, k) for k in range(len(names) + 1)] == [*names, names[0]]


def test_a_range_by_percentile() -> None:
    scale = fit_scale(np.append(VALUES, np.nan), Kind.SEQUENTIAL, 5, False)
    assert (scale.low > VALUES).mean() == pytest.approx(0.05, abs=0.002)
    assert (scale.high < VALUES).mean() == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_signed_values_are_centred_at_zero(logarithmic: bool) -> None:
    scale = fit_scale(VALUES, Kind.SIGNED, 1, logarithmic)
    assert scale.low == -scale.high
    assert scale.place(np.array([0.0, scale.high, scale.low])) == pytest.approx([0.5, 1, 0])
    x = np.linspace(scale.low, scale.high, 101)
    places = scale.place(x)
    assert (np.diff(places) > 0).all()
    np.testing.assert_allclose(places + places[::-1], 1)


@pytest.mark.parametrize(
    "values",
    [-np.geomspace(0.6, 3, 2000), VALUES, VALUES - 2, np.exp(3 * (VALUES - 2)) * np.sign(np.sin(1e3 * VALUES))],
    ids=["of one sign and size", "mostly of one sign", "of both signs", "over decades"],
)
def test_signed_values_do_not_all_lie_at_the_ends_of_a_logarithmic_scale(values) -> None:
    scale = fit_scale(values, Kind.SIGNED, 1, True)
    away = np.abs(scale.place(values) - 0.5)
    assert (away > 0.4).mean() < 0.35
    assert np.ptp(np.percentile(away, [5, 95])) > 0.15, "and they are told apart"
    small, large = np.percentile(np.abs(values), [10, 90])
    linear, here = (np.ptp(each.place(np.array([small, large]))) for each in (Scale(-scale.high, scale.high), scale))
    assert here > 0.8 * linear
    assert scale.place(np.array(small)) - 0.5 > 1.2 * (small / scale.high / 2), "small values more than on a linear one"


def test_a_logarithmic_scale_gives_each_decade_as_much() -> None:
    scale = Scale(0.01, 10, logarithmic=True)
    assert scale.place(np.array([0.01, 0.1, 1, 10])) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert fit_scale(np.array([-1, 0, 1, 10, 100.0]), Kind.SEQUENTIAL, 0, True) == Scale(1, 100, logarithmic=True)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0], [3.0], [-2.0, -2.0], [1e-30, 1e30]])
def test_every_range_can_be_drawn(kind: Kind, logarithmic: bool, values) -> None:
    scale = fit_scale(np.array(values, float), kind, 1, logarithmic)
    assert scale.high > scale.low
    assert np.isfinite(scale.place(np.array([scale.low, scale.high, 0.0, 1.0]))).all()
    for place, value in scale.ticks():
        assert -1e-6 <= place <= 1 + 1e-6
        assert label(value)


@pytest.mark.parametrize(
    "scale", [Scale(-3, 17), Scale(0.02, 3, True), Scale(0.9, 1.3, True), Scale(-5, 5, True), Scale(-4.9, 4.9, True, 2)]
)
def test_ticks_are_where_their_values_are(scale: Scale) -> None:
    ticks = scale.ticks()
    assert len(ticks) >= 2
    for place, value in ticks:
        assert scale.place(np.array(value)) == pytest.approx(place)


def test_what_is_not_known_has_a_colour_of_its_own() -> None:
    colors = false_colors(np.array([0.0, 1.0, np.nan, 7.0]), Scale(0, 1), "gray", (1, 2, 3))
    assert colors.tolist() == [[0, 0, 0], [255, 255, 255], [1, 2, 3], [255, 255, 255]]


def test_neighbouring_ids_have_hues_far_apart() -> None:
    near = np.abs(np.diff(hues(np.arange(1000))))
    assert np.minimum(near, 1 - near).min() > 0.3
    assert np.isnan(hues(np.array([-1]))).all()
