"""Compute passes and the buffers that they work on."""

from dataclasses import replace

import numpy as np
import pytest
from passes import need_compute

from glrender.errors import LimitError, ShaderError, UsageError
from glrender.gl.compute import ComputePass, ReadBack, storage_buffer
from glrender.gl.program import load_compute


@pytest.fixture(autouse=True)
def _compute(context):
    need_compute(context)


@pytest.fixture
def resources(context):
    texture = context.own(context.mgl.texture((1, 1), 1, np.uint32(100), dtype="u4"))
    numbers = context.own(context.mgl.buffer(np.arange(8, dtype=np.uint32)))
    results = storage_buffer(context, "results", 32)
    yield {"textures": {"first": texture}, "buffers": {"In": numbers, "Out": results}, "values": {"offset": 7}}
    context.release(texture, numbers, results)


@pytest.fixture
def read_back(context):
    made = ReadBack(context)
    yield made
    made.release()


def test_textures_buffers_and_values_go_by_their_names(context, resources, shaders, read_back):
    for defines, factor in ((None, 2), ({"FACTOR": "5u"}, 5)):
        doubling = ComputePass(context, "double.comp", defines, folder=shaders)
        doubling.run((2, 1), **resources)
        found = np.empty(8, np.uint32)
        read_back.read(resources["buffers"]["Out"], found)
        np.testing.assert_array_equal(found, factor * np.arange(8) + 107)
        doubling.release()


def test_buffers_of_any_size_come_back_by_one_between(context, read_back):
    before = context.live_objects
    for count in (3, 100, 10):
        values = np.random.default_rng(count).integers(0, 2**32, count, np.uint32)
        buffer, found = context.own(context.mgl.buffer(values)), np.empty(count - 1, np.uint32)
        read_back.read(buffer, found)
        np.testing.assert_array_equal(found, values[:-1])
        context.release(buffer)
        assert context.live_objects == before + 1
    read_back.release()
    assert context.live_objects == before


def test_a_pass_sees_what_the_one_before_wrote(context, resources, shaders, read_back):
    doubling = ComputePass(context, "double.comp", folder=shaders)
    there, back = resources["buffers"]["In"], resources["buffers"]["Out"]
    for _ in range(5):
        doubling.run((2, 1), **resources | {"buffers": {"In": there, "Out": back}})
        there, back = back, there
    found, expected = np.empty(8, np.uint32), np.arange(8)
    read_back.read(there, found)
    for _ in range(5):
        expected = 2 * expected + 107
    np.testing.assert_array_equal(found, expected)
    doubling.release()


@pytest.mark.parametrize(("kind", "name"), [("textures", "first"), ("buffers", "Out"), ("values", "offset")])
def test_what_is_missing_is_named(context, resources, shaders, kind, name):
    doubling = ComputePass(context, "double.comp", folder=shaders)
    with pytest.raises(UsageError, match=rf"double.comp: received .*, but it also uses {name}$"):
        doubling.run((2, 1), **resources | {kind: {k: v for k, v in resources[kind].items() if k != name}})
    doubling.run((2, 1), **resources | {"values": {"offset": 1, "another_pass_needs_this": 2.5}})
    doubling.release()


def test_a_mistake_is_named_by_file_and_line(context, shaders):
    live = context.live_objects
    with pytest.raises(ShaderError) as raised:
        load_compute(context, "broken.comp", folder=shaders)
    lines = str(raised.value).splitlines()
    assert lines[0] == "broken.comp: compute shader does not compile"
    (place,) = (k for k, line in enumerate(lines) if "missing" in line and "broken.comp:6: " in line)
    assert lines[place + 1] == "    results[0] = missing;"
    assert context.live_objects == live


def test_an_option_that_it_does_not_declare_is_refused(context, shaders):
    with pytest.raises(UsageError, match=r"double.comp: no option FACTORS; .* FACTOR \(default 2u\)"):
        ComputePass(context, "double.comp", {"FACTORS": 3}, folder=shaders)


def test_without_opengl_4_3_there_is_none(context, shaders, monkeypatch):
    monkeypatch.setattr(context, "version_code", 330)
    with pytest.raises(LimitError, match=r"double.comp: compute shaders need OpenGL 4\.3, but this context has OpenGL"):
        ComputePass(context, "double.comp", folder=shaders)


def test_buffers_beyond_the_limit_are_refused(context, monkeypatch):
    monkeypatch.setattr(context, "limits", replace(context.limits, max_storage_block_bytes=1000))
    context.release(storage_buffer(context, "stencil", 1000))
    with pytest.raises(LimitError, match="stencil: needs a buffer of 1001 bytes, but those of .* end at 1000"):
        storage_buffer(context, "stencil", 1001)


def test_buffers_beyond_the_memory_are_refused_and_leave_nothing(context, monkeypatch):
    if not context.is_software:
        pytest.skip("a GPU's driver may promise memory that it looks for only when it is used")
    live, size = context.live_objects, 1 << 44
    monkeypatch.setattr(context, "limits", replace(context.limits, max_storage_block_bytes=size))
    with pytest.raises(LimitError, match="stencil: does not fit into the memory of .*GL_OUT_OF_MEMORY"):
        storage_buffer(context, "stencil", size)
    assert context.live_objects == live
