"""Every shader and every include compiles alone, with the defaults that stand in it.

Compute shaders, and includes that only they use, are skipped where OpenGL is older than they are.
"""

import moderngl
import pytest

from glrender.gl.log import rewrite_log
from glrender.gl.source import Line, ShaderSource, load_source, shader_folder

FOLDER = shader_folder()
VERTEX = "#version 330 core\nvoid main() { gl_Position = vec4(0.0); }\n"
MAIN = Line("<test>", 1, "void main() {}")
GROUP = Line("<test>", 1, "layout(local_size_x = 1) in;")
COMPUTE_INCLUDES = ("include/measured.glsl", "include/median.glsl")


def names(pattern):
    return sorted(str(path.relative_to(FOLDER)) for path in FOLDER.glob(pattern))


def complaints(context, stage, source):
    """The compiler's errors about one stage; whether it fits to another is not asked here."""
    try:
        if stage == "compute_shader":
            context.mgl.compute_shader(source.text).release()
        else:
            context.mgl.program(**{"vertex_shader": VERTEX, stage: source.text}).release()
    except moderngl.Error as error:
        if "Linker" not in str(error):
            return rewrite_log(str(error), source)
    return ""


@pytest.mark.parametrize("name", names("*.vert"))
def test_vertex_shaders(context, name):
    source = load_source(name).configured({})
    assert source.lines
    assert complaints(context, "vertex_shader", source) == ""


@pytest.mark.parametrize("name", names("*.frag"))
def test_fragment_shaders(context, name):
    assert complaints(context, "fragment_shader", load_source(name).configured({})) == ""


def compute_source(context, name, *lines):
    if context.version_code < 430:
        pytest.skip(f"{name} needs OpenGL 4.3, this is {context.version}")
    source = load_source(name)
    return ShaderSource((*source.lines, *lines), source.options).configured({}, 430)


@pytest.mark.parametrize("name", names("*.comp"))
def test_compute_shaders(context, name):
    assert complaints(context, "compute_shader", compute_source(context, name)) == ""


@pytest.mark.parametrize("name", COMPUTE_INCLUDES)
def test_includes_of_compute_shaders(context, name):
    assert complaints(context, "compute_shader", compute_source(context, name, GROUP, MAIN)) == ""


@pytest.mark.parametrize("name", sorted({*names("include/*.glsl")} - {*COMPUTE_INCLUDES}))
def test_includes_in_the_stage_they_are_for(context, name):
    include = load_source(name)
    source = ShaderSource((*include.lines, MAIN), include.options).configured({})
    found = [complaints(context, stage, source) for stage in ("vertex_shader", "fragment_shader")]
    assert "" in found, "\n".join(found)


def test_there_is_no_other_kind_of_file():
    tested = {*names("*.vert"), *names("*.frag"), *names("*.comp"), *names("include/*.glsl")}
    assert {name for name in names("**/*") if (FOLDER / name).is_file()} == tested


def test_a_mistake_is_noticed(context):
    bad = ShaderSource((Line("bad.frag", 1, "void main() { missing = 1; }"),), {}).configured({})
    assert complaints(context, "fragment_shader", bad).count("bad.frag:1: ") >= 1
