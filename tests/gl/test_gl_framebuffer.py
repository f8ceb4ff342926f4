"""Framebuffers: what is written comes back, by name, and what does not fit is refused."""

import moderngl
import numpy as np
import pytest

from glrender.errors import GLError, InputError, LimitError, UsageError
from glrender.gl.framebuffer import FORMATS, Framebuffer
from glrender.gl.program import load_program, set_uniform

WIDTH, HEIGHT = 13, 7


@pytest.fixture
def framebuffer(context):
    result = Framebuffer(context, (WIDTH, HEIGHT), {"place": "rgba32f", "cell": "rgba32ui", "mark": "r8ui"})
    yield result
    result.release()


@pytest.fixture
def draw(context, shaders):
    """draw(level): cover the framebuffer in use at that depth in -1 … 1."""
    program = load_program(context, "quad.vert", "pixels.frag", folder=shaders)
    vertices = context.own(context.mgl.vertex_array(program, []))

    def draw(level=0.0):
        set_uniform(program, "level", level)
        vertices.render(moderngl.TRIANGLE_STRIP, vertices=4)

    context.mgl.enable_only(moderngl.DEPTH_TEST)
    yield draw
    context.release(vertices, program)


def test_each_output_reaches_its_name_and_row_0_comes_first(framebuffer, draw):
    framebuffer.use()
    framebuffer.clear()
    draw()
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    place, cell, mark = (framebuffer.read(name) for name in framebuffer.names)
    assert (place[..., :2] == np.stack([columns, rows], axis=-1)).all()
    assert (cell[..., :2] == np.stack([columns, rows], axis=-1)).all()
    assert (cell[..., 2] == 3_000_000_000).all()
    assert (mark == 200).all()


@pytest.mark.parametrize("text", FORMATS)
def test_every_format_keeps_its_values(context, text):
    channels, dtype = FORMATS[text]
    values = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, channels)).astype(dtype)
    framebuffer = Framebuffer(context, (WIDTH, HEIGHT), {"values": text}, depth=False)
    framebuffer.texture("values").write(values)
    read = framebuffer.read("values")
    assert read.dtype == values.dtype
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, values)
    framebuffer.release()


def test_clear_sets_every_attachment_to_0_and_the_depth_to_1(framebuffer, draw):
    framebuffer.use()
    framebuffer.clear()
    draw(level=-1.0)
    draw(level=0.9)
    assert (framebuffer.read("place")[..., 2] == 0.0).all()  # hidden behind what is nearer
    framebuffer.clear()
    assert all((framebuffer.read(name) == 0).all() for name in framebuffer.names)
    draw(level=0.9)
    np.testing.assert_allclose(framebuffer.read("place")[..., 2], 0.95)


def test_each_read_gives_a_new_array(framebuffer):
    framebuffer.clear()
    first = framebuffer.read("place")
    first[:] = 5.0
    assert (framebuffer.read("place") == 0.0).all()


def test_reading_reports_an_error_that_came_before(framebuffer, context):
    context.mgl.texture((10 * context.limits.max_texture_size, 1), 4)
    with pytest.raises(GLError, match="reading attachment 'mark': GL_INVALID_VALUE"):
        framebuffer.read("mark")


@pytest.mark.parametrize("method", ["read", "texture"])
def test_an_unknown_attachment_is_refused_with_those_that_are_there(framebuffer, method):
    with pytest.raises(UsageError, match="'depht', expected one of 'place', 'cell', 'mark'"):
        getattr(framebuffer, method)("depht")


def test_an_unknown_format_is_refused_with_the_known_ones(context):
    with pytest.raises(UsageError, match=r"attachment 'image': received 'rgb32f', expected one of .*'rgba32f'"):
        Framebuffer(context, (4, 4), {"image": "rgb32f"})


def test_too_many_attachments_are_refused(context):
    most = context.limits.max_draw_buffers
    names = {f"a{k}": "r32f" for k in range(most + 1)}
    with pytest.raises(LimitError, match=rf"received {most + 1} attachments \(a0, .* {most} at once"):
        Framebuffer(context, (4, 4), names)
    Framebuffer(context, (4, 4), dict(list(names.items())[:most])).release()
    with pytest.raises(UsageError, match="no attachments"):
        Framebuffer(context, (4, 4), {})


def test_sizes_that_cannot_be_are_refused(context):
    width, height = context.limits.max_framebuffer_size
    with pytest.raises(LimitError, match=f"{width + 1} x 1 pixels, .* at most {width} x {height}"):
        Framebuffer(context, (width + 1, 1), {"image": "r32f"})
    with pytest.raises(LimitError, match=f"1 x {height + 1} pixels"):
        Framebuffer(context, (1, height + 1), {"image": "r32f"})
    with pytest.raises(InputError, match="received 0 x 5 pixels"):
        Framebuffer(context, (0, 5), {"image": "r32f"})


def test_release_leaves_nothing_and_may_be_repeated(context, gl_names):
    context.use()
    names, live = gl_names(), context.live_objects
    framebuffer = Framebuffer(context, (4, 4), {"image": "rgba32f", "mark": "r8ui"})
    assert gl_names() > names
    framebuffer.release()
    framebuffer.release()
    assert gl_names() == names
    assert context.live_objects == live
    for use in (framebuffer.use, framebuffer.clear, lambda: framebuffer.read("image")):
        with pytest.raises(GLError, match="framebuffer was released"):
            use()


def test_a_framebuffer_that_fails_leaves_nothing(context, gl_names):
    context.use()
    names, live = gl_names(), context.live_objects
    context.mgl.texture((10 * context.limits.max_texture_size, 1), 4).release()  # an error that is still unread
    with pytest.raises(GLError, match=r"framebuffer of 4 x 4 pixels with image: .*GL_INVALID_VALUE"):
        Framebuffer(context, (4, 4), {"image": "rgba32f"})
    assert gl_names() == names
    assert context.live_objects == live


def test_another_can_be_made_after_the_one_in_use_was_released(context):
    first = Framebuffer(context, (4, 4), {"image": "r32f"})
    first.use()
    first.release()
    second = Framebuffer(context, (4, 4), {"image": "r32f"})
    second.clear()
    assert (second.read("image") == 0).all()
    second.release()
