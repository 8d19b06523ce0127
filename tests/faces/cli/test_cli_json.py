"""`--json`: one object per line, with exactly these keys and types."""

from __future__ import annotations

import hashlib
import io
import json
import sys

import pytest

HEX = "0123456789abcdef"
HIT = {"id": int, "uri": str, "content": str, "score": float, "metadata": dict}
REPORT = dict.fromkeys(
    [
        *("found", "added", "unchanged", "moved", "updated", "skipped", "vanished", "pruned"),
        *("copies", "split", "empty", "unreadable"),
    ],
    int,
) | {"absent": list, "excluded": dict, "aside": dict, "index_problem": type(None), "remarks": list}
SPACE = {
    "name": str,
    "model_sha256": str,
    "dim": int,
    "vectors": int,
    "index": str,
    "recall": float,
    "index_bytes": int,
    "is_default": bool,
    "approximate": bool,
    "missing": int,
    "takes_words": bool,
}


def check_shape(value, shape):
    assert {key: type(each) for key, each in value.items()} == shape


def test_add_tells_each_file_and_then_the_total(run, photos, tmp_path):
    told = run("add", photos, tmp_path / "nowhere", "--json")
    *files, total = told.json
    added = [each for each in files if each["outcome"] == "added"]
    (skipped,) = [each for each in files if each["outcome"] == "skipped"]
    assert len(added) == 6 and len(files) == 7
    for each in added:
        check_shape(each, {"uri": str, "outcome": str, "id": int})
    assert skipped == {
        "uri": str(photos / "notes.dat"),
        "outcome": "skipped",
        "reason": "not a photo in a format that is read",
    }
    check_shape(total, REPORT)
    assert (total["found"], total["added"], total["skipped"]) == (7, 6, 1)
    assert total["absent"] == [str(tmp_path / "nowhere")]
    assert told.code == 1
    assert told.err.count("\n") == 1


def test_search_tells_one_result_per_query(run, photos):
    run("add", photos)
    told = run("search", "2", photos / "5.png", "-k", 3, "--json")
    assert (told.code, told.err) == (0, "")
    first, second = told.json
    for result in (first, second):
        check_shape(result, {"query": str, "space": str, "recall": float, "hits": list, "reranked": bool})
        assert (result["space"], result["recall"], len(result["hits"])) == ("fake", 1.0, 3)
        for hit in result["hits"]:
            check_shape(hit, HIT)
            facts = {"width": 96, "height": 64, "format": "PNG"}
            assert hit["metadata"] == facts
    assert (first["query"], second["query"]) == ("2", str(photos / "5.png"))
    assert 2 not in {hit["id"] for hit in first["hits"]}
    assert second["hits"][0] == {
        "id": 6,
        "uri": str(photos / "5.png"),
        "content": hashlib.sha256((photos / "5.png").read_bytes()).hexdigest()[:16],
        "score": 1.0,
        "metadata": facts,
    }


def test_info_tells_the_facts(run, photos, tmp_path):
    run("add", photos)
    (facts,) = run("info", "--json").json
    check_shape(
        facts, {"path": str, "kind": str, "items": int, "skipped": int, "store_bytes": int, "spaces": list}
    )
    assert (facts["path"], facts["items"], facts["skipped"]) == (str(tmp_path / "photos.lookalike"), 6, 1)
    assert facts["store_bytes"] > 0
    (space,) = facts["spaces"]
    check_shape(space, SPACE)
    assert (space["name"], space["dim"], space["vectors"], space["index"]) == ("fake", 32, 6, "exact")
    assert len(space["model_sha256"]) == 64 and set(space["model_sha256"]) <= set(HEX)


def test_skipped_files_are_told_one_per_line(run, photos):
    (photos / "broken.jpg").symlink_to("nothing")
    run("add", photos)
    told = {each["uri"]: each for each in run("info", "--skipped", "--json").json}
    assert told == {
        str(photos / "broken.jpg"): {
            "uri": str(photos / "broken.jpg"),
            "reason": "a link to nothing",
            "tried_again": True,
        },
        str(photos / "notes.dat"): {
            "uri": str(photos / "notes.dat"),
            "reason": "not a photo in a format that is read",
            "tried_again": False,
        },
    }


def test_verify_tells_what_it_found(run, photos):
    run("add", photos)
    sound = {"items": 6, "vectors": 6, "sound": True, "damage": [], "repaired": [], "files": []}
    assert run("verify", "--json").json == [sound]
    assert run("verify", "--repair", "--json").json == [sound]


def test_failures_print_no_json(run, photos):
    run("add", photos)
    told = run("search", photos / "notes.dat", "--json")
    assert (told.code, told.out) == (1, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_sound_whatever_the_terminal_knows(encoding, monkeypatch):
    from lookalike.faces.cli.options import emit

    value = {"uri": "é 中 😀 \x1b \udce9"}
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    emit(value)
    (line,) = stream.buffer.getvalue().decode(encoding).splitlines()
    assert json.loads(line) == value
