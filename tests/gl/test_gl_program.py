"""Programs: compiled from files, with mistakes named by file and line, and their uniforms."""

import numpy as np
import pytest

from glrender.errors import InputError, LimitError, ShaderError, UsageError
from glrender.gl.framebuffer import Framebuffer
from glrender.gl.program import load_program, set_uniform


@pytest.fixture
def program(context, shaders):
    result = load_program(context, "uniforms.vert", "plain.frag", folder=shaders)
    yield result
    context.release(result)


def test_an_option_overrides_the_default_in_the_file(context, shaders):
    outputs = {"place": "rgba32f", "cell": "rgba32ui", "mark": "r8ui"}
    framebuffer = Framebuffer(context, (3, 2), outputs, depth=False)
    framebuffer.use()
    for defines, scale in ((None, 1.0), ({"SCALE": 2.5}, 2.5), ({"SCALE": "(1.0 / 4.0)"}, 0.25)):
        program = load_program(context, "quad.vert", "pixels.frag", defines, folder=shaders)
        vertices = context.own(context.mgl.vertex_array(program, []))
        vertices.render(context.mgl.TRIANGLE_STRIP, vertices=4)
        assert framebuffer.read("place")[1, 2, :2].tolist() == [2 * scale, scale]
        context.release(vertices, program)
    framebuffer.release()


def test_an_option_that_no_file_declares_is_refused_with_those_declared(context, shaders):
    with pytest.raises(UsageError, match=r"quad.vert \+ pixels.frag: no option SCALES; .* SCALE \(default 1\.0\)"):
        load_program(context, "quad.vert", "pixels.frag", {"SCALES": 2.0}, folder=shaders)


def test_a_mistake_in_an_include_is_named_by_its_own_file_and_line(context, shaders):
    live = context.live_objects
    with pytest.raises(ShaderError) as raised:
        load_program(context, "quad.vert", "broken_include.frag", folder=shaders)
    lines = str(raised.value).splitlines()
    assert lines[0] == "quad.vert + broken_include.frag: fragment shader does not compile"
    (place,) = (k for k, line in enumerate(lines) if "missing" in line and "broken.glsl:3: " in line)
    assert lines[place + 1] == "    return half_of(x) + missing;"
    assert context.live_objects == live


def test_a_link_error_names_both_shaders(context, shaders):
    with pytest.raises(ShaderError, match=r"(?s)^unlinkable.vert \+ unlinkable.frag: .*shade"):
        load_program(context, "unlinkable.vert", "unlinkable.frag", folder=shaders)


def test_a_later_version_can_be_asked_for_and_must_be_there(context, shaders, monkeypatch):
    if context.version_code >= 430:
        context.release(load_program(context, "quad.vert", "compute430.frag", version=430, folder=shaders))
    with pytest.raises(ShaderError, match=r"compute430.frag:2: "):
        load_program(context, "quad.vert", "compute430.frag", folder=shaders)
    with pytest.raises(UsageError, match="GLSL version: received '440', expected one of '330', '430'"):
        load_program(context, "quad.vert", "plain.frag", version=440, folder=shaders)
    monkeypatch.setattr(context, "version_code", 330)
    with pytest.raises(LimitError, match="written for GLSL 430, but this context has OpenGL"):
        load_program(context, "quad.vert", "compute430.frag", version=430, folder=shaders)


def test_a_matrix_multiplies_as_in_numpy(program):
    M = np.arange(16.0).reshape(4, 4)
    set_uniform(program, "M", M)
    assert program["M"].value == tuple(M.T.ravel())
    tall = np.arange(12.0).reshape(4, 3)  # mat3x4: three columns of four rows
    set_uniform(program, "tall", tall)
    assert program["tall"].value == tuple(tall.T.ravel())


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("size", (640, 480), (640, 480)),
        ("weights", [0.5, 1.5, 2.5], [0.5, 1.5, 2.5]),
        ("points", np.arange(6).reshape(2, 3), [(0.0, 1.0, 2.0), (3.0, 4.0, 5.0)]),
        ("flag", True, 1),
        ("count", 4_000_000_000, 4_000_000_000),
    ],
)
def test_uniforms_of_every_kind_are_set(program, name, value, stored):
    set_uniform(program, name, value)
    assert program[name].value == stored


def test_an_unknown_uniform_is_refused_with_those_in_use(program):
    with pytest.raises(UsageError, match="'N', but this program uses M, count, flag, points, size, tall, weights"):
        set_uniform(program, "N", 1.0)


def test_values_of_another_shape_or_not_finite_are_refused(program):
    with pytest.raises(InputError, match=r"uniform tall: received shape \(3, 4\), expected \(4, 3\)"):
        set_uniform(program, "tall", np.zeros((3, 4)))
    with pytest.raises(InputError, match="uniform weights: 1 of 3 values are NaN"):
        set_uniform(program, "weights", [0.0, np.nan, 0.0])
