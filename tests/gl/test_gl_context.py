"""The context: made, borrowed, used, and closed with nothing left behind."""

import threading

import glcontext
import moderngl
import pytest

from glrender.errors import ContextError, GLError, LimitError
from glrender.gl import egl
from glrender.gl.context import Context
from glrender.gl.framebuffer import Framebuffer
from glrender.gl.program import load_program


def callers_context():
    """A context that is not ours: what a program with its own OpenGL has."""
    create = glcontext.get_backend_by_name("egl")
    return create(mode="standalone", glversion=330, libegl=egl.LIBEGL, libgl=egl.LIBGL)


def provoke_error(context):
    context.mgl.texture((10 * context.limits.max_texture_size, 1), 4)


def test_it_says_what_it_is(context):
    assert context.renderer
    assert context.vendor
    assert context.version_code >= 330
    assert context.version.startswith(f"{context.version_code // 100}.{context.version_code // 10 % 10}")


def test_its_limits_are_at_least_what_opengl_3_3_guarantees(context):
    assert context.limits.max_draw_buffers >= 8
    assert context.limits.max_texture_size >= 1024
    assert context.limits.max_texture_units >= 16
    assert min(context.limits.max_framebuffer_size) >= 1024
    assert context.limits.max_storage_block_bytes >= 2**24 * (context.version_code >= 430)


def test_compute_shaders_are_asked_for_and_done_without_where_there_are_none(monkeypatch):
    make, asked, latest = moderngl.create_context, [], 430

    def create(require, **settings):
        asked.append(require)
        if require > latest:
            raise Exception("eglCreateContext failed (0x3009)")
        return make(require=min(require, 330), **settings)

    monkeypatch.setattr(moderngl, "create_context", create)
    Context().close()
    assert asked == [430]
    latest = 330
    Context().close()
    assert asked == [430, 430, 330]
    latest = 320
    with pytest.raises(ContextError, match=r"no OpenGL here: eglCreateContext failed \(0x3009\)"):
        Context()


@pytest.mark.parametrize("index", [99, -1])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(index):
    with pytest.raises(ContextError, match=rf"received {index}, but the EGL devices .* are 0 \("):
        Context(device_index=index)


def test_devices_are_listed_by_the_index_that_a_context_takes():
    assert [device.index for device in egl.devices()] == list(range(len(egl.devices())))
    assert all(device.name for device in egl.devices())


def test_without_a_driver_the_error_says_what_to_install(without_gl):
    result = without_gl("from glrender.gl.context import Context; Context()")
    assert "ContextError: no OpenGL here" in result.stderr
    assert "apt-get install -y --no-install-recommends libegl1 libgl1" in result.stderr
    assert "nothing else needs root" in result.stderr


@pytest.mark.parametrize("library", ["LIBEGL", "LIBGL"])
def test_without_the_libraries_the_error_names_them_and_what_to_install(monkeypatch, library):
    monkeypatch.setattr(egl, library, "libMissing.so.1")
    with pytest.raises(ContextError, match=r"libMissing\.so\.1 not loaded; .*apt-get install .* libegl1 libgl1"):
        Context()


def test_an_opengl_error_is_raised_with_what_was_done_and_then_gone(context):
    provoke_error(context)
    with pytest.raises(GLError, match=r"^uploading the map: GL_INVALID_VALUE$"):
        context.check("uploading the map")
    context.check("uploading the map")


def test_textures_beyond_the_limit_are_refused(context):
    largest = context.limits.max_texture_size
    context.check_texture_size("map", largest, largest)
    with pytest.raises(LimitError, match=rf"map: received {largest + 1} x 7, .* {largest} x {largest}"):
        context.check_texture_size("map", largest + 1, 7)


def test_a_closed_context_cannot_be_used_and_may_be_closed_again():
    with Context() as context:
        pass
    context.close()
    for use in (context.use, lambda: context.mgl, lambda: context.check("drawing")):
        with pytest.raises(GLError, match="closed"):
            use()


def test_another_thread_may_not_use_it(context):
    raised = []

    def use():
        try:
            context.use()
        except GLError as error:
            raised.append(str(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "another thread" in raised[0]


def test_a_forked_process_may_not_use_it(context, monkeypatch):
    monkeypatch.setattr("glrender.gl.context.getpid", lambda: -1)
    with pytest.raises(GLError, match="forked"):
        context.use()
    monkeypatch.undo()


def test_each_thread_may_have_its_own():
    renderers = []

    def render():
        with Context() as context:
            renderers.append(Framebuffer(context, (4, 3), {"image": "r32f"}).read("image").shape)

    thread = threading.Thread(target=render)
    thread.start()
    thread.join()
    assert renderers == [(3, 4, 1)]


def test_what_is_released_is_off_the_register(context):
    before = context.live_objects
    buffer = context.own(context.mgl.buffer(reserve=4))
    given_away = context.own(context.mgl.buffer(reserve=4))
    assert context.live_objects == before + 2
    context.release(buffer)
    context.disown(given_away)
    assert context.live_objects == before
    assert given_away.size == 4
    given_away.release()
    with pytest.raises(GLError, match=r"Buffer: .* released before"):
        context.release(buffer)


def test_closing_leaves_no_object_alive_and_the_callers_context_in_place(gl_names, shaders):
    theirs = callers_context()
    before = gl_names()
    with Context.from_current() as context:
        Framebuffer(context, (8, 8), {"image": "rgba32f", "mark": "r8ui"})
        load_program(context, "quad.vert", "plain.frag", folder=shaders)
        context.own(context.mgl.buffer(reserve=64))
        assert len(gl_names() - before) > 5
    assert gl_names() == before
    again = Context.from_current()
    assert again.mgl.error == "GL_NO_ERROR"
    again.close()
    theirs.release()


def test_the_callers_context_must_be_current():
    theirs = callers_context()
    borrowed = Context.from_current()
    with Context() as own:
        with pytest.raises(GLError, match="no longer current"):
            borrowed.use()
        own.use()
    theirs.__enter__()
    borrowed.use()
    borrowed.close()
    theirs.release()


def test_nothing_current_is_no_context_to_take_over():
    Context().close()
    with pytest.raises(ContextError, match="no OpenGL context is current"):
        Context.from_current()


def test_two_contexts_release_only_their_own(gl_names):
    first, second = Context(), Context()
    first.use()
    framebuffer = Framebuffer(first, (4, 4), {"image": "rgba32f"})
    second.use()
    kept = Framebuffer(second, (4, 4), {"image": "rgba32f"})
    names = gl_names()
    framebuffer.release()
    second.use()
    assert gl_names() == names
    assert kept.read("image").shape == (4, 4, 4)
    first.close()
    assert kept.read("image").shape == (4, 4, 4)
    second.close()
