"""Files that appear whole or not at all."""

import pytest

from glrender.errors import InputError
from glrender.io.files import data_lines, output_folder, replacement, write_bytes, writing_into


def test_an_output_folder_is_created_with_its_parents_and_found_again(tmp_path):
    assert output_folder(tmp_path / "a" / "b").is_dir()
    assert list(output_folder(tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("name", ["file.txt", "file.txt/out"])
def test_an_output_folder_that_cannot_be_written_is_an_error(tmp_path, name):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(InputError, match=r"cannot be written to: .*choose another output folder"):
        output_folder(tmp_path / name)


def test_a_folder_that_nothing_was_written_into_is_not_left(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="halfway"), writing_into(tmp_path / "mine" / "a" / "b") as folder:
        assert folder.is_dir()
        raise InputError("halfway")
    assert list((tmp_path / "mine").iterdir()) == []
    with writing_into(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir(), "it had been there before"
    with pytest.raises(InputError, match="halfway"), writing_into(tmp_path / "mine" / "a" / "b") as folder:
        write_bytes(folder / "part.txt", b"so far")
        raise InputError("halfway")
    assert (tmp_path / "mine" / "a" / "b" / "part.txt").read_bytes() == b"so far"


def test_a_file_is_replaced_whole_and_nothing_else_stays(tmp_path):
    path = tmp_path / "x.bin"
    write_bytes(path, b"a longer content")
    write_bytes(path, b"short")
    assert path.read_bytes() == b"short"
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]


def test_a_file_that_cannot_be_replaced_leaves_no_temporary_one(tmp_path):
    (tmp_path / "x.bin").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_bytes(tmp_path / "x.bin", b"content")
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    """Nor where the work ends in the middle, as Ctrl-C does it."""

    def make(text, stop=None):
        with replacement(tmp_path / "bag") as new:
            new.mkdir()
            (new / text).write_text(text)
            if stop is not None:
                raise stop

    make("first")
    make("second")
    with pytest.raises(KeyboardInterrupt):
        make("third", KeyboardInterrupt())
    with pytest.raises(InputError, match="bag: cannot be written: full"):
        make("third", OSError(28, "full"))
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["bag", "bag/second"]


def test_comments_and_blank_lines_are_left_out_and_lines_keep_their_numbers(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf# a comment\r\n\r\nfirst\r\n  # another\r\n second \r\n")
    assert list(data_lines(path)) == [(3, "first"), (5, "second")]


def test_what_is_no_text_is_an_error(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read as text"):
        list(data_lines(tmp_path / "list.txt"))
    with pytest.raises(InputError, match=r"cannot be read: Is a directory$"):
        list(data_lines(tmp_path))
