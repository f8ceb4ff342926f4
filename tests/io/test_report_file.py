"""Reports: what they must have, and values that JSON has no form for."""

import json
from pathlib import Path

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.io.report import KEYS, read_report, write_json, write_report
from glrender.io.sequence import Skipped

REPORT = dict.fromkeys(KEYS) | {
    "frames_used": np.int64(44),
    "frames_skipped": (Skipped(3, "depth/3.png", "truncated"),),
    "frames_per_second": np.float32(2.5),
    "stages": {"read": 20.0, "render": float("nan")},
    "residuals": {"rms": np.array([1.0, np.inf])},
    "time_offset": -0.02,
    "options": {"out": Path("out"), "bounds": (0, 1, 2, 3), "strict": np.True_},
}


def test_a_report_is_plain_json_and_nan_is_null(tmp_path):
    write_report(tmp_path / "report.json", REPORT)
    read = json.loads((tmp_path / "report.json").read_text())
    assert read["frames_used"] == 44
    assert read["frames_skipped"] == [{"index": 3, "name": "depth/3.png", "reason": "truncated"}]
    assert read["frames_per_second"] == 2.5
    assert read["stages"] == {"read": 20.0, "render": None}
    assert read["residuals"] == {"rms": [1.0, None]}
    assert read["options"] == {"out": "out", "bounds": [0, 1, 2, 3], "strict": True}
    assert read_report(tmp_path / "report.json") == read


def test_more_keys_are_welcome_and_a_second_report_replaces_the_first(tmp_path):
    write_report(tmp_path / "report.json", REPORT)
    write_report(tmp_path / "report.json", REPORT | {"partial": True})
    assert read_report(tmp_path / "report.json")["partial"] is True
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(InputError, match="no key stages; a report has frames_used"):
        write_report(tmp_path / "report.json", {k: v for k, v in REPORT.items() if k != "stages"})
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, object()]}, r"report\.a\[1\]: a object has no form"),
        ({"a": {3: 1}}, r"report\.a: received the key 3"),
        ({"a": 1j}, r"report\.a: a complex has no form"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_place(tmp_path, value, message):
    with pytest.raises(InputError, match=message):
        write_json(tmp_path / "x.json", value)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not a readable"), ("[]", "no key"), ('{"frames_used": 1}', "no key frames_skipped")]
)
def test_a_broken_report_is_an_error(tmp_path, text, message):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_report(tmp_path / "report.json")
    with pytest.raises(InputError, match="no such file"):
        read_report(tmp_path / "none.json")
