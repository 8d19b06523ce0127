"""`lookalike copies`: what is shown, written, moved and put back. File names tell what copies are."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import sys
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from re import findall

import pytest
from PIL import Image

from lookalike import Collection
from lookalike.copies.groups import CopiesReport, Copy, CopyGroup
from lookalike.copies.journal import JOURNAL_FILE
from lookalike.copies.removal import choose
from lookalike.decisions import Decision, in_order
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import StorageError
from lookalike.faces.cli.copies import files, table
from lookalike.faces.contract import copies_json, copy_group_json
from lookalike.faces.text import sized
from lookalike.records import FileStamp, Item, Skipped
from lookalike.search.arguments import ids_of_all

AT = "2027-01-05T09:30:00+00:00"


@dataclass
class StandIn:
    """Finds copies by name: `3.png` and `3-small.png` are one photo, `3.png` and `3x.png` one scene."""

    calls: list[dict] = field(default_factory=list)
    skipped: tuple[Skipped, ...] = ()
    looked_at: int | None = None
    decided: bool = False

    def __call__(self, collection, level="photo", *, paths=(), against=(), where=(), look=True, on_step=None):
        self.calls.append({"level": level, "paths": paths, "against": against, "where": where, "look": look})
        items = collection.items(where=where, limit=10_000)
        inside = set(ids_of_all(collection.engine.items, paths)) or {item.id for item in items}
        archive = set(ids_of_all(collection.engine.items, against))
        families = defaultdict(list)
        for item in items:
            if item.id in inside | archive:
                families[_key(item, level)].append(item)
        groups = []
        for members in families.values():
            best, *rest = sorted(members, key=lambda item: (item.id not in archive, -_pixels(item), item.id))
            if rest and (not archive or (best.id in archive and any(each.id in inside for each in rest))):
                copies = tuple(Copy(each, _how(best, each)) for each in rest)
                groups.append(CopyGroup(level, best, ("more pixels",), copies, self.decided))
        looked_at = len(items) if self.looked_at is None else self.looked_at
        return CopiesReport(tuple(groups), len(items), looked_at, self.skipped)


def _key(item: Item, level: str) -> object:
    return item.content_hash if level == "file" else Path(item.uri).name.split("-")[0].removesuffix(".png")


def _pixels(item: Item) -> int:
    return int(item.metadata["width"]) * int(item.metadata["height"])


def _how(best: Item, copy: Item) -> tuple[str, ...]:
    return ("same file",) if best.content_hash == copy.content_hash else ("smaller", "saved anew")


@pytest.fixture(autouse=True)
def stand_in(monkeypatch) -> StandIn:
    found = StandIn()

    def copies(collection: Collection, *level: str, **how) -> CopiesReport:
        return found(collection, *level, **how)

    monkeypatch.setattr(Collection, "copies", copies)
    return found


@pytest.fixture(autouse=True)
def trash(tmp_path, monkeypatch) -> Path:
    """The trash of a user whose data lies in `tmp_path`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "Trash" / "files"


@pytest.fixture
def photos(tmp_path, make_photo, run) -> Path:
    """Added photos: 1.png with a smaller one and its file in a folder; 2.png with a smaller one; 3.png."""
    folder = tmp_path / "photos"
    for seed in (1, 2, 3):
        make_photo(folder / f"{seed}.png", seed)
    for seed in (1, 2):
        make_photo(folder / f"{seed}-small.png", seed, (48, 32))
    (folder / "old").mkdir()
    shutil.copy(folder / "1.png", folder / "old" / "1.png")
    assert run("add", folder).code == 0
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def names() -> set[str]:
    """The photos in the collection, by their last two names."""
    with Collection(os.environ["LOOKALIKE_COLLECTION"], embedder=FakeEmbedder()) as collection:
        return {"/".join(Path(item.uri).parts[-2:]) for item in collection}


def test_groups_are_a_table_with_the_best_first_and_why(run, photos):
    told = run("copies")
    assert told.code == 0
    sizes = {path.name: sized(path.stat().st_size) for path in photos.iterdir() if path.is_file()}
    rows = [line.split("  ") for line in told.lines[:-1]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells[0] == ["group", "how it is a copy", "pixels", "size", "id", "photo"]
    bests = [row for row in cells if row[1:2] == ["best: more pixels"]]
    assert [row[0] for row in bests] == ["1", "2"]
    assert {row[-1] for row in bests} == {str(photos / "1.png"), str(photos / "2.png")}
    first = cells.index(next(row for row in bests if row[-1].endswith("/1.png")))
    assert cells[first][2:4] == ["96×64", sizes["1.png"]]
    assert {(row[0], row[1], row[-1]) for row in cells[first + 1 : first + 3]} == {
        ("same file", "96×64", str(photos / "old" / "1.png")),
        ("smaller, saved anew", "48×32", str(photos / "1-small.png")),
    }
    going = [photos / "1-small.png", photos / "2-small.png", photos / "old" / "1.png"]
    won = sized(sum(path.stat().st_size for path in going))
    assert told.lines[-1] == f"2 groups with 3 copies among 6 photos; {won} could be won"
    assert told.err.splitlines() == [
        "to see what would be moved: lookalike copies --trash, or --move-to FOLDER",
        "to look at them and decide: lookalike serve, then the page /copies",
    ]


def test_the_shown_commands_name_the_collection_of_the_call(run, photos):
    place = os.environ["LOOKALIKE_COLLECTION"]
    told = run("copies", "-c", place)
    assert f"lookalike copies -c {place} --trash" in told.err and f"lookalike serve -c {place}," in told.err


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("file", "no file was found twice among 1 photo"),
        ("photo", "no copies were found among 1 photo"),
        ("scene", "no shots of one scene were found among 1 photo"),
    ],
)
def test_no_groups_are_a_sentence_and_no_failure(run, tmp_path, make_photo, level, said):
    run("add", make_photo(tmp_path / "photos" / "1.png", 1))
    outputs = tmp_path / "out.csv", tmp_path / "out.png", tmp_path / "out.html"
    options = [f"--{option}={path}" for option, path in zip(("csv", "sheet", "report"), outputs, strict=True)]
    told = run("copies", "--level", level, *options)
    assert (told.code, told.lines) == (0, [said])
    assert outputs[0].read_text() == "group,level,best,how,path,bytes,width,height,sha256,taken\n"
    assert not outputs[1].exists() and "there is nothing to show on a sheet" in told.err
    assert f"{said[0].upper()}{said[1:]}." in outputs[2].read_text()
    if level != "scene":
        moved = run("copies", "--level", level, "--trash", "--yes")
        assert (moved.code, moved.lines) == (0, [said, "nothing was moved"])


def test_levels_paths_and_conditions_are_handed_on(run, photos, stand_in):
    told = run("copies", photos / "old", "s3://bucket/a", "--level", "scene", "-w", "width>=10", "--quick")
    assert told.code == 1  # nothing of it is in the collection
    assert stand_in.calls == [
        {
            "level": "scene",
            "paths": (photos / "old", "s3://bucket/a"),
            "against": (),
            "where": ("width>=10",),
            "look": False,
        }
    ]
    file = run("copies", "--level", "file")
    assert file.lines[-1].startswith("1 group with 1 copy among 6 photos; ")
    scene = run("copies", "--level", "scene")
    assert scene.lines[-1] == "2 groups among 6 photos, with 3 further shots of what the best one shows"
    assert "lookalike copies --trash" not in scene.err


def test_json_is_the_contract_and_ends_with_the_total(run, photos, stand_in):
    stand_in.skipped = (Skipped("/gone.jpg", "its file is gone"),)
    told = run("copies", "--json")
    *groups, total = told.json
    assert told.err == ""
    with Collection(os.environ["LOOKALIKE_COLLECTION"], embedder=FakeEmbedder()) as collection:
        report = stand_in(collection)
        assert groups == [copy_group_json(group) for group in report.groups]
        assert total == copies_json(report, choose(report.groups, []))
    assert {key: total[key] for key in ("groups", "copies", "kept", "photos", "looked_at")} == {
        "groups": 2,
        "copies": 3,
        "kept": 0,
        "photos": 6,
        "looked_at": 6,
    }
    assert total["skipped"] == [{"uri": "/gone.jpg", "reason": "its file is gone", "tried_again": False}]
    copies = [each for group in groups for each in group["members"] if not each["is_best"]]
    assert total["bytes_to_win"] == sum(each["bytes"] for each in copies) > 0
    assert run("copies", "--level", "scene", "--json").json[-1]["bytes_to_win"] == 0


def test_csv_has_a_row_for_each_photo(run, photos, tmp_path):
    printed = run("copies", "--csv", "-")
    written = run("copies", "--csv", tmp_path / "copies.csv")
    assert (tmp_path / "copies.csv").read_text(encoding="utf-8") == printed.out
    assert written.lines[0].startswith("group  how") and f"wrote {tmp_path / 'copies.csv'}" in written.err
    assert "2 groups with 3 copies" in printed.err
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert len(rows) == 5 and {row["level"] for row in rows} == {"photo"}
    small = next(row for row in rows if row["path"].endswith("1-small.png"))
    size = (photos / "1-small.png").stat().st_size
    assert [small[key] for key in ("best", "how", "bytes", "width", "height", "taken")] == [
        *("no", "smaller; saved anew", str(size), "48", "32", "")
    ]
    best = next(row for row in rows if row["path"] == str(photos / "1.png"))
    assert best["best"] == "yes" and best["how"] == "more pixels" and best["group"] == small["group"]
    assert len({row["sha256"] for row in rows}) == 4 and len(best["sha256"]) == 64


def test_csv_on_a_terminal_shows_names_safely(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    best = Item(1, "/a\x1b[2J.jpg", bytes(32), FileStamp(0, 0), {"taken": "2019-06-01"})
    group = CopyGroup("file", best, (), (Copy(best, ("same file",)),))
    for stream, shown in ((Terminal(), "/a\\x1b[2J.jpg"), (io.StringIO(), "/a\x1b[2J.jpg")):
        monkeypatch.setattr(sys, "stdout", stream)
        files.print_csv([group])
        rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
        assert [(row["path"], row["taken"]) for row in rows] == [(shown, "2019-06-01")] * 2


def test_the_report_shows_the_groups_with_pictures(run, photos, tmp_path):
    (photos / "2-small.png").unlink()
    told = run("copies", "--report", tmp_path / "copies.html")
    assert told.code == 0 and f"wrote {tmp_path / 'copies.html'}" in told.err
    page = (tmp_path / "copies.html").read_text(encoding="utf-8")
    pictures = findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', page)
    sizes = [(Image.open(io.BytesIO(b64decode(content))).size, alt) for content, alt in pictures]
    assert len(sizes) == 4 and page.count("cannot be read any more") == 1
    assert next(size for size, alt in sizes if "1-small.png" in alt) == (48, 32)
    assert page.count("<b>best</b>") == 2 and "more pixels · 96×64" in page
    assert "2 groups with 3 copies among 6 photos" in page and "<script" not in page


def test_the_sheet_shows_a_row_for_each_group(run, photos, tmp_path):
    told = run("copies", "--sheet", tmp_path / "copies.png")
    assert told.code == 0 and f"wrote {tmp_path / 'copies.png'}" in told.err
    with Image.open(tmp_path / "copies.png") as sheet:
        assert sheet.size == (3 * 234 + 14, 2 * (220 + 40 + 28))


def test_long_lists_are_cut_where_a_person_reads_them(run, photos, tmp_path, make_photo, monkeypatch):
    for number in range(30):
        shutil.copy(photos / "3.png", photos / f"3-{number}.png")
    run("add", photos)
    monkeypatch.setattr("lookalike.faces.cli.copies.files._MOST_IN_SHEET", 1)
    told = run("copies", photos, "--csv", tmp_path / "all.csv", "--sheet", tmp_path / "sheet.png")
    assert sum("3-" in line for line in told.lines) == 19
    assert (
        sum("and 11 more" in line and line.endswith("all are in --csv and --json") for line in told.lines)
        == 1
    )
    assert (tmp_path / "all.csv").read_text().count("/3-") == 30
    assert "the first 1 of 3 groups" in told.err
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height <= 2 * (220 + 40 + 14) + 14


def test_what_is_not_known_is_said_with_the_way_to_know_it(run, photos, stand_in, monkeypatch):
    stand_in.looked_at = 2
    only = "4 of 6 photos were compared by bytes and hashes only"
    monkeypatch.setattr(table, "has_opencv", lambda: False)
    told = run("copies")
    assert only in told.err and "to compare them closely: " in told.err and "copies]" in told.err
    monkeypatch.setattr(table, "has_opencv", lambda: True)
    assert only in (told := run("copies")).err and "install" not in told.err
    assert "to compare all closely, leave out --quick" in run("copies", "--quick").err
    assert only not in run("copies", "--level", "file").err
    stand_in.skipped = tuple(Skipped(f"/{n}\x1b.jpg", "its file is gone") for n in range(12))
    lines = run("copies").err.splitlines()
    assert "12 photos could not be looked at:" in lines and "  /0\\x1b.jpg: its file is gone" in lines
    assert "  and 2 more, which --json names" in lines and not any(only in line for line in lines)


def test_hostile_names_are_shown_safely(run, tmp_path, make_photo):
    strange = tmp_path / "photos" / os.fsdecode(b"1-\xff.png")
    make_photo(tmp_path / "photos" / "1-a\n\x1b[2J\u202e.png", 1)
    make_photo(strange, 1)
    run("add", tmp_path / "photos")
    outs = [run("copies"), run("copies", "--move-to", tmp_path / "out")]
    outs += [run("copies", "--move-to", tmp_path / "out", "--yes"), run("copies", "--undo")]
    for told in outs:
        assert told.code == 0
        assert not any(bad in told.out + told.err for bad in ("\x1b", "\u202e", "\udcff"))
    assert "1-a\\n\\x1b[2J\\u202e.png" in outs[0].out
    assert strange.exists()


@pytest.mark.parametrize("way", ["--trash", "--move-to"])
def test_a_dry_run_says_what_would_be_done_and_does_nothing(run, photos, tmp_path, way):
    before = everything(tmp_path)
    words = [way] if way == "--trash" else [way, tmp_path / "out"]
    (photos / "2-small.png").write_bytes(b"other")
    before["photos/2-small.png"] = b"other"
    told = run("copies", *words)
    assert told.code == 0
    target = "the trash" if way == "--trash" else f"{tmp_path}/out{photos}/old/1.png"
    assert f"keep {photos}/1.png (best: more pixels)" in told.lines
    assert f"  would move {photos}/old/1.png (same file) to {target}" in told.lines
    assert any(line.startswith(f"would stay: {photos}/2-small.png: it has changed") for line in told.lines)
    size = sum((photos / name).stat().st_size for name in ("1-small.png", "old/1.png"))
    place = "the trash" if way == "--trash" else tmp_path / "out"
    assert told.lines[-1] == f"would move 2 files ({sized(size)}) to {place}, 1 file would stay"
    assert told.err.splitlines()[-1] == "nothing was moved yet: to do it, add --yes"
    after = everything(tmp_path)
    assert {name for name in after if "photos.lookalike" not in name} == {
        name for name in before if "photos.lookalike" not in name
    }
    assert after["photos/2-small.png"] == b"other" and f"photos.lookalike/{JOURNAL_FILE}" not in after


def test_copies_are_moved_and_put_back(run, photos, tmp_path):
    before = everything(photos)
    out = tmp_path / "elsewhere" / "out"
    told = run("copies", "--move-to", out, "--yes")
    assert told.code == 0
    assert everything(photos) == {name: before[name] for name in ("1.png", "2.png", "3.png")}
    moved = {name: before[name] for name in ("1-small.png", "2-small.png", "old/1.png")}
    assert everything(out / str(photos).lstrip("/")) == moved
    assert f"moved {photos}/old/1.png to {out}{photos}/old/1.png" in told.lines
    size = sum(map(len, moved.values()))
    last, _, run_id = told.lines[-1].rpartition(": run ")
    assert last == f"moved 3 files ({sized(size)}) to {out}"
    assert told.err.splitlines() == [f"to put them back: lookalike copies --undo {run_id}"]
    assert names() == {"photos/1.png", "photos/2.png", "photos/3.png"}
    assert run("copies").lines == ["no copies were found among 3 photos"]
    back = run("copies", "--undo", run_id)
    assert back.code == 0 and everything(photos) == before and not everything(out)
    assert f"moved back {out}{photos}/old/1.png to {photos}/old/1.png" in back.lines
    assert back.lines[-1] == f"put back 3 files of run {run_id}"
    assert "the items of files that are back come in with the next lookalike add" in back.err
    run("add", photos)
    assert len(names()) == 6


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has another trash")
def test_copies_go_to_the_trash_and_the_last_run_is_undone(run, photos, trash):
    before = everything(photos)
    told = run("copies", "--trash", "--yes", "--level", "file")
    assert told.code == 0 and everything(trash) == {"1.png": before["old/1.png"]}
    assert told.lines[-2] == f"moved {photos}/old/1.png to {trash}/1.png"
    assert run("copies", "--undo", "--yes").code == 0
    assert everything(photos) == before and not everything(trash)
    again = run("copies", "--undo")
    assert again.code == 1 and "there is nothing to undo" in again.err


def test_what_is_refused_stays_with_the_reason_and_is_a_failure(run, photos, tmp_path):
    (photos / "1-small.png").unlink()
    changed = photos / "2-small.png"
    changed.write_bytes(bytes(len(changed.read_bytes())))
    told = run("copies", "--move-to", tmp_path / "out", "--yes")
    assert told.code == 1
    stayed = [line for line in told.lines if line.startswith("stayed: ")]
    assert f"stayed: {photos}/1-small.png: its file is gone" in stayed
    assert any(line.startswith(f"stayed: {changed}: its content is not the one") for line in stayed)
    assert told.err.splitlines()[-1] == "lookalike: 2 files stayed where they were"
    assert changed.exists() and not (photos / "old" / "1.png").exists()
    assert "photos/2-small.png" in names() and "old/1.png" not in names()


def test_what_cannot_be_put_back_stays_with_the_reason(run, photos, tmp_path):
    run("copies", "--level", "file", "--move-to", tmp_path / "out", "--yes")
    (photos / "old" / "1.png").write_bytes(b"new here")
    told = run("copies", "--undo")
    moved = tmp_path / "out" / str(photos / "old" / "1.png").lstrip("/")
    assert told.code == 1
    assert told.lines == [f"stayed: {moved}: something else lies there now", *told.lines[1:]]
    assert told.err.splitlines()[-1] == "lookalike: 1 file stayed where it was"
    assert moved.exists() and (photos / "old" / "1.png").read_bytes() == b"new here"


ENDS = {"the disk is full": (StorageError("the disk is full"), 1), "interrupted": (KeyboardInterrupt(), 130)}


@pytest.mark.parametrize("said", ENDS)
def test_when_it_ends_midway_the_way_back_is_said(run, photos, tmp_path, monkeypatch, said):
    error, code = ENDS[said]

    def removed(self, *targets):
        raise error

    before = everything(photos)
    with monkeypatch.context() as broken:
        broken.setattr(Collection, "remove", removed)
        told = run("copies", "--move-to", tmp_path / "out", "--yes")
    assert told.code == code
    first, *_, last = told.err.splitlines()
    assert first == "it ended midway; to put back what was moved: lookalike copies --undo"
    assert last.startswith(f"lookalike: {said}")
    assert len(everything(photos)) == len(before) - 1
    assert run("copies", "--undo").code == 0 and everything(photos) == before


def decide(run, tmp_path, *decisions):
    """Take in decisions on pairs of photos."""
    lines = []
    for one, verdict, other in decisions:
        hashes = [hashlib.sha256(path.read_bytes()).digest() for path in (one, other)]
        each = in_order(Decision(*hashes, verdict, AT))
        facts = {"first": each.first.hex(), "second": each.second.hex(), "verdict": each.verdict, "at": AT}
        lines.append(json.dumps(facts) + "\n")
    (tmp_path / "decided.jsonl").write_text("".join(lines))
    return run("copies", "--import-decisions", tmp_path / "decided.jsonl")


def test_what_was_decided_to_be_kept_is_left_alone(run, photos, tmp_path, stand_in):
    told = decide(run, tmp_path, (photos / "1.png", "keep both", photos / "1-small.png"))
    assert (told.code, told.lines) == (0, ["took in 1 decision"])
    stand_in.decided = True
    shown = run("copies")
    assert "best: more pixels (decided)" in shown.out
    assert shown.lines[-1] == "2 copies stay: it was decided to keep both"
    assert run("copies", "--json").json[-1]["kept"] == 2
    moved = run("copies", "--move-to", tmp_path / "out", "--yes")
    assert moved.code == 0
    assert sum(line.startswith("moved /") for line in moved.lines) == 1
    assert set(everything(photos)) == {"1.png", "1-small.png", "old/1.png", "2.png", "3.png"}


def test_a_best_one_that_was_chosen_lets_the_others_go(run, photos, tmp_path, stand_in):
    decide(run, tmp_path, (photos / "2.png", "first is best", photos / "2-small.png"))
    stand_in.decided = True
    run("copies", "--move-to", tmp_path / "out", "--yes")
    assert set(everything(photos)) == {"1.png", "2.png", "3.png"}


def test_decisions_go_out_and_come_in_elsewhere(run, photos, tmp_path, monkeypatch):
    decide(
        run,
        tmp_path,
        (photos / "1.png", "keep both", photos / "1-small.png"),
        (photos / "1.png", "different", photos / "3.png"),
    )
    told = run("copies", "--export-decisions", tmp_path / "out.jsonl")
    assert (told.code, told.lines) == (0, [f"wrote 2 decisions to {tmp_path / 'out.jsonl'}"])
    other = tmp_path / "other.lookalike"
    run("add", photos / "3.png", "-c", other)
    assert run("copies", "--import-decisions", tmp_path / "out.jsonl", "-c", other).lines == [
        "took in 2 decisions"
    ]
    with Collection(other, embedder=FakeEmbedder()) as collection:
        assert sorted(each.verdict for each in collection.decisions()) == ["different", "keep both"]
    (tmp_path / "bad.jsonl").write_text('{"first": "00"}\n')
    bad = run("copies", "--import-decisions", tmp_path / "bad.jsonl")
    assert bad.code == 2 and "bad.jsonl, line 1 is no decision" in bad.err
    assert run("copies", "--import-decisions", tmp_path / "none").code == 1


def test_against_a_folder_only_others_are_moved(run, photos, tmp_path):
    shutil.copy(photos / "old" / "1.png", photos / "old" / "1-again.png")
    run("add", photos)
    told = run("copies", "--against", photos / "old", "--move-to", tmp_path / "out", "--yes")
    assert told.code == 0
    assert set(everything(photos)) == {"old/1.png", "old/1-again.png", "2.png", "2-small.png", "3.png"}


def test_copies_moved_beside_the_photos_stay_out_of_an_add_as_it_is_said(run, photos, tmp_path):
    out = photos / "twice"
    for words in ([], ["--yes"]):
        told = run("copies", "--move-to", out, *words)
        said = f"to add a folder that holds {out} brings them in again; a file .nomedia there keeps them out"
        assert told.code == 0 and said in told.err.splitlines()
    (out / ".nomedia").touch()
    run("add", photos)
    assert len(names()) == 3
    (out / ".nomedia").unlink()
    run("add", photos)
    assert len(names()) == 6


def test_a_folder_that_copies_lie_in_already_keeps_them(run, photos, tmp_path):
    told = run("copies", "--move-to", photos / "old")
    assert f"would stay: {photos}/old/1.png: it lies in {photos}/old already" in told.lines
    file = tmp_path / "file"
    file.write_text("")
    refused = run("copies", "--move-to", file)
    assert refused.code == 2 and "is no folder" in refused.err


WRONG = {
    "--yes": "--yes is said to --move-to FOLDER or --trash",
    "--json --yes": "--yes is said to",
    "--trash --move-to out": "--move-to and --trash exclude each other",
    "--trash --undo": "--trash and --undo exclude each other",
    "--export-decisions a --import-decisions b": "--export-decisions and --import-decisions exclude each",
    "--trash --json": "--json prints groups, and --trash what is moved",
    "--move-to out --yes --csv -": "--csv - prints groups, and --move-to what is moved",
    "--csv - --json": "--json and --csv - both print",
    "--level scene --trash": "--trash does not go with --level scene: shots of one scene are different",
    "--undo=x photos": "--undo goes alone, without PATH",
    "--undo --level file --json": "--undo goes alone, without --level, --json",
    "--export-decisions a --yes": "--export-decisions goes alone, without --yes",
    "--import-decisions a -w width>=1": "--import-decisions goes alone, without --where",
    "--report none/x.html": "--report none/x.html: there is no folder none",
    "--csv none/x.csv": "--csv none/x.csv: there is no folder none",
    "--level photos": "'photos' is not one of 'file', 'photo', 'scene'",
    "--move-to=": "an empty path",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_makes_no_sense_is_refused_at_once(run, photos, words, stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = everything(photos)
    told = run("copies", *words.split())
    assert told.code == 2 and WRONG[words] in told.err and told.out == ""
    assert not stand_in.calls and everything(photos) == before


def test_nothing_is_written_over_a_photo_of_the_collection(run, photos, stand_in):
    before = everything(photos)
    for option in ("--csv", "--report", "--sheet", "--export-decisions"):
        told = run("copies", option, photos / "3.png")
        assert told.code == 2 and f"{option} {photos}/3.png would overwrite a photo" in told.err
    assert everything(photos) == before and not stand_in.calls


def test_unknown_runs_and_empty_journals_are_said(run, photos, tmp_path):
    told = run("copies", "--undo")
    assert told.code == 1 and "nothing was moved yet" in told.err
    run("copies", "--level", "file", "--move-to", tmp_path / "out", "--yes")
    told = run("copies", "--undo", "20200101-000000")
    assert told.code == 1 and "the journal has no run '20200101-000000'" in told.err


def test_a_folder_that_cannot_be_made_leaves_all_in_place(run, photos, tmp_path):
    (tmp_path / "file").write_text("")
    before = everything(photos)
    told = run("copies", "--move-to", tmp_path / "file" / "out", "--yes")
    assert told.code == 1 and everything(photos) == before and len(names()) == 6
    assert sum(line.startswith("stayed: ") for line in told.lines) == 3 and "nothing was moved" in told.lines


def test_sizes_are_in_units_that_people_read():
    said = {0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1_000: "1.0 kB", 3_449_000: "3.4 MB", 2e12: "2.0 TB"}
    assert {count: sized(int(count)) for count in said} == said


def test_a_photo_of_which_little_is_known_is_a_row_all_the_same(capsys):
    best, copy = (Item(number, f"/{number}.jpg", bytes(32), FileStamp(0, 0), {}) for number in (7, 8))
    group = CopyGroup("photo", best, (), (Copy(copy, ("cropped",)),))
    table.print_groups(CopiesReport((group,), 2, 2))
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["1", "best", "0", "bytes", "7", "/7.jpg"],
        ["cropped", "0", "bytes", "8", "/8.jpg"],
    ]
