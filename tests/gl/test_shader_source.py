"""Shader sources: flattened, configured and traced back, all of it without OpenGL."""

import subprocess
import sys

import pytest

from glrender.errors import ShaderError, UsageError
from glrender.gl import source
from glrender.gl.source import check_defines, load_source


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(name=text, …): shader files; names in messages are relative to their folder."""
    (tmp_path / "include").mkdir()
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for name, text in files.items():
            stem, kind = name.rsplit("_", 1)
            folder = tmp_path / "include" if kind == "glsl" else tmp_path
            (folder / f"{stem}.{kind}").write_text(text)
        return tmp_path

    return write


def places(shader):
    return [f"{line.file}:{line.number}" for line in shader.lines]


def test_includes_are_put_in_once_and_every_line_is_traced_back(write):
    folder = write(
        main_frag='#include "a.glsl"\n#include "b.glsl"\nvoid main() {}\n',
        a_glsl='#include "b.glsl"\nint a;\n',
        b_glsl="int b;\n",
    )
    shader = load_source("main.frag", folder)
    assert shader.text == "int b;\nint a;\nvoid main() {}\n"
    assert places(shader) == ["include/b.glsl:1", "include/a.glsl:2", "main.frag:3"]


def test_version_and_defines_come_first(write):
    folder = write(main_frag="#ifndef N\n#define N 3\n#endif\nint n = N;\n")
    shader = load_source("main.frag", folder).configured({"N": 5})
    assert shader.text.startswith("#version 330 core\n#define N 5\n#ifndef N\n")
    assert places(shader)[:3] == ["<defines>:1", "<defines>:2", "main.frag:1"]
    assert load_source("main.frag", folder).configured({}, version=430).text.startswith("#version 430 core\n#ifndef N")


def test_options_are_macros_with_a_default_in_the_file_or_its_includes(write):
    folder = write(
        main_frag='#include "a.glsl"\n#ifndef TYPE\n#define TYPE vec3 // of colours\n#endif\n'
        "#ifndef GUARD\n#define GUARD\n#endif\n#define FIXED 2\n"
        "/*\n#ifndef COMMENTED\n#define COMMENTED 1\n#endif\n*/\n",
        a_glsl="  # ifndef DEPTH\n  # define DEPTH 1.0\n  # endif\n",
    )
    assert load_source("main.frag", folder).options == {"TYPE": "vec3", "DEPTH": "1.0"}


def test_an_option_goes_only_to_the_shaders_that_declare_it(write):
    folder = write(main_frag="#ifndef N\n#define N 3\n#endif\n", main_vert="void main() {}\n")
    sources = {name: load_source(name, folder) for name in ("main.vert", "main.frag")}
    check_defines({"N": 1}, sources)
    assert "#define N 1" in sources["main.frag"].configured({"N": 1}).text
    assert "#define" not in sources["main.vert"].configured({"N": 1}).text
    with pytest.raises(UsageError, match=r"main.vert \+ main.frag: no option M; the options are N \(default 3\)"):
        check_defines({"M": 1}, sources)


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (2.0, "2.0"), (1e-7, "1e-07"), (True, "1"), (False, "0"), ("vec3", "vec3")]
)
def test_values_become_glsl(write, value, text):
    folder = write(main_frag="#ifndef N\n#define N 3\n#endif\n")
    assert f"#define N {text}\n" in load_source("main.frag", folder).configured({"N": value}).text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "", "1\n#error", None])
def test_values_that_are_no_glsl_are_refused(write, value):
    folder = write(main_frag="#ifndef N\n#define N 3\n#endif\n")
    with pytest.raises(UsageError, match="option N: received"):
        load_source("main.frag", folder).configured({"N": value})


def test_two_defaults_for_one_option_are_refused(write):
    folder = write(
        main_frag='#include "a.glsl"\n#ifndef N\n#define N 3\n#endif\n', a_glsl="#ifndef N\n#define N 4\n#endif\n"
    )
    with pytest.raises(ShaderError, match=r"main\.frag: option N has two defaults, 4 and 3"):
        load_source("main.frag", folder)


def test_files_that_include_each_other_are_refused_with_the_circle(write):
    folder = write(main_frag='#include "a.glsl"\n', a_glsl='\n#include "b.glsl"\n', b_glsl='#include "a.glsl"\n')
    with pytest.raises(ShaderError, match=r"include/b\.glsl:1: .* main\.frag -> a\.glsl -> b\.glsl -> a\.glsl"):
        load_source("main.frag", folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('int a;\n#include "c.glsl"\n', r"main\.frag:2: no include 'c\.glsl'; there are a\.glsl"),
        ("#include <a.glsl>\n", r'main\.frag:1: expected #include "name"\n    #include <a\.glsl>'),
        ("#version 330\n", r"main\.frag:1: remove #version"),
        ("int a;\n#line 7\n", r"main\.frag:2: remove #line"),
        ('#if X\n#include "a.glsl"\n#endif\n', r"main\.frag:2: #include within #if"),
    ],
)
def test_wrong_directives_are_refused_by_file_and_line(write, text, message):
    folder = write(main_frag=text, a_glsl="int a;\n")
    with pytest.raises(ShaderError, match=message):
        load_source("main.frag", folder)


def test_directives_in_comments_do_nothing(write):
    text = '// #include "x.glsl"\n/* use it by\n   #include "y.glsl"\n   #version 330 */\nvoid main() {} /* #if */\n'
    assert load_source("main.frag", write(main_frag=text)).text == text


def test_an_include_after_a_closed_condition_is_fine(write):
    folder = write(main_frag='#ifdef A\n#if B\n#endif\n#endif\n#include "a.glsl"\n', a_glsl="int a;\n")
    assert load_source("main.frag", folder).text.endswith("int a;\n")


def test_the_compiler_gets_ascii_whatever_the_comments_hold(write):
    shader = load_source("main.frag", write(main_frag="// ∂D/∂h\nvoid main() {}\n"))
    assert shader.text == "// ?D/?h\nvoid main() {}\n"
    assert shader.lines[0].text == "// ∂D/∂h"


def test_a_missing_shader_is_refused_with_those_there_are(write):
    with pytest.raises(ShaderError, match=r"mian\.frag: no such shader; there are main\.frag, main\.vert"):
        load_source("mian.frag", write(main_frag="", main_vert=""))


def test_shaders_inside_the_package_come_before_those_beside_it(tmp_path, monkeypatch):
    module = tmp_path / "glrender" / "gl" / "source.py"
    monkeypatch.setattr(source, "__file__", str(module))
    with pytest.raises(ShaderError, match=r"no shaders: looked for .*glrender/shaders and .*/shaders"):
        source.shader_folder()
    beside, inside = tmp_path / "shaders", tmp_path / "glrender" / "shaders"
    beside.mkdir()
    assert source.shader_folder() == beside
    inside.mkdir(parents=True)
    assert source.shader_folder() == inside


def test_reading_sources_and_logs_imports_no_opengl():
    code = "import sys, glrender.gl.log, glrender.gl.source; sys.exit('moderngl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
