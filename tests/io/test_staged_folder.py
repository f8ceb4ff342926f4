"""A folder that glrender writes: nothing but an earlier one is ever replaced, and nothing half done is left."""

import json
import os
from pathlib import Path

import pytest

from glrender.errors import InputError, UsageError
from glrender.io.staged_folder import CONVERSION, SIMULATION, STAGE, StagedFolder

RECORD = SIMULATION.record


def simulate(out: Path, *names: str, text: str = "new") -> None:
    with StagedFolder(out, SIMULATION) as folder:
        for name in names:
            (folder.stage / name).parent.mkdir(exist_ok=True)
            (folder.stage / name).write_text(text)
        folder.publish({"frames": len(names)})


def contents(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_a_new_folder_and_its_record(tmp_path: Path) -> None:
    simulate(tmp_path / "a/b", "rgb/0.png", "rgb.txt")
    assert contents(tmp_path / "a/b") == {"rgb/0.png", "rgb.txt", RECORD}
    record = json.loads((tmp_path / "a/b" / RECORD).read_text())
    assert record["frames"] == 2
    assert set(record["files"]) == {"rgb/0.png", "rgb.txt", RECORD}


def test_again_replaces_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    simulate(tmp_path, "rgb/0.png", "depth/0.png", "rgb.txt", text="old")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "rgb/mask.png").write_text("mine")
    simulate(tmp_path, "rgb/1.png", "rgb.txt")
    assert contents(tmp_path) == {"rgb/1.png", "rgb/mask.png", "rgb.txt", "notes.txt", RECORD}
    assert (tmp_path / "rgb.txt").read_text() == "new"
    assert (tmp_path / "rgb/mask.png").read_text() == "mine"
    assert not (tmp_path / "depth").exists()


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds other things \(thesis\.tex\) and no earlier simulation"):
        StagedFolder(tmp_path, SIMULATION)
    for record in ("nonsense", "[]", '{"generator": "x", "files": ["simulation.json"]}', '{"generator": 3}'):
        (tmp_path / RECORD).write_text(record)
        with pytest.raises(InputError, match="holds other things"):
            StagedFolder(tmp_path, SIMULATION)
    assert (tmp_path / "thesis.tex").read_text() == "mine"
    with pytest.raises(InputError, match="is a file"):
        StagedFolder(tmp_path / "thesis.tex", SIMULATION)


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with StagedFolder(tmp_path, SIMULATION) as folder:
        (folder.stage / "rgb.txt").write_text("mine")
        with pytest.raises(UsageError, match="another run is writing into it; wait until it is done"):
            StagedFolder(tmp_path, SIMULATION)
        folder.publish({})
    assert (tmp_path / "rgb.txt").read_text() == "mine"
    simulate(tmp_path, "rgb.txt")


def test_a_simulation_and_a_conversion_do_not_replace_each_other(tmp_path: Path) -> None:
    simulate(tmp_path, "rgb.txt")
    with pytest.raises(InputError, match=r"holds other things .*and no earlier conversion.*convert has written"):
        StagedFolder(tmp_path, CONVERSION)
    assert contents(tmp_path) == {"rgb.txt", RECORD}


def test_a_file_of_the_simulation_that_was_changed_since_is_kept(tmp_path: Path) -> None:
    simulate(tmp_path, "groundtruth.txt", "rgb.txt")
    (tmp_path / "groundtruth.txt").write_text("mine")
    later = (tmp_path / RECORD).stat().st_mtime + 10
    os.utime(tmp_path / "groundtruth.txt", (later, later))
    with pytest.raises(InputError, match=r"groundtruth\.txt: was changed after the simulation"):
        StagedFolder(tmp_path, SIMULATION)
    assert (tmp_path / "groundtruth.txt").read_text() == "mine"


def test_a_file_in_the_way_is_kept(tmp_path: Path) -> None:
    simulate(tmp_path, "rgb.txt", text="old")
    (tmp_path / "truth.npz").write_text("mine")
    with pytest.raises(InputError, match=r"truth\.npz: exists and is no part of a simulation"):
        simulate(tmp_path, "rgb.txt", "truth.npz")
    assert (tmp_path / "truth.npz").read_text() == "mine"
    assert (tmp_path / "rgb.txt").read_text() == "old"


def test_a_record_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    out = tmp_path / "out"
    simulate(out, "rgb.txt")
    record = json.loads((out / RECORD).read_text())
    record["files"] += ["../precious.txt", str(tmp_path / "precious.txt")]
    (out / RECORD).write_text(json.dumps(record))
    simulate(out, "depth.txt")
    assert (tmp_path / "precious.txt").read_text() == "mine"
    assert contents(out) == {"depth.txt", RECORD}


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError])
def test_what_is_not_finished_leaves_no_trace(tmp_path: Path, error: type[BaseException]) -> None:
    simulate(tmp_path / "old", "rgb.txt", text="old")
    for out in (tmp_path / "new/er", tmp_path / "old"):
        with pytest.raises(error), StagedFolder(out, SIMULATION) as folder:
            (folder.stage / "rgb.txt").write_text("half")
            raise error
    assert contents(tmp_path) == {"old/rgb.txt", f"old/{RECORD}"}
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "old/rgb.txt").read_text() == "old"


def test_the_stage_of_a_killed_run_is_cleared(tmp_path: Path) -> None:
    (tmp_path / STAGE / "rgb").mkdir(parents=True)
    (tmp_path / STAGE / "rgb/0.png").write_text("half")
    simulate(tmp_path, "rgb.txt")
    assert contents(tmp_path) == {"rgb.txt", RECORD}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        StagedFolder(tmp_path / "file/out", SIMULATION)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match="cannot be written: Permission denied"):
            StagedFolder(tmp_path / "out", SIMULATION)
