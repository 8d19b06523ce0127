"""The command line: what each command prints where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from PIL import Image, ImageOps

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.faces.cli import main as cli
from lookalike.faces.cli import options as cli_options
from lookalike.records import SearchOptions, Skipped

TALLY = r"found (\d+) = (\d+) added \+ (\d+) unchanged \+ (\d+) moved \+ (\d+) updated \+ (\d+) skipped"


def numbers(told):
    """The numbers of the line that an add ends with."""
    found, *parts = map(int, re.fullmatch(TALLY, told.lines[-1]).groups())
    assert found == sum(parts)
    return [found, *parts]


def damage_item_3(folder):
    with closing(sqlite3.connect(folder / "photos.lookalike" / "store.sqlite")) as connection, connection:
        connection.execute("UPDATE vectors_1 SET vector = zeroblob(128) WHERE item_id = 3")


def test_add_counts_every_file(run, photos, make_photo):
    told = run("add", photos)
    assert told.code == 0
    assert told.err.splitlines() == [
        "see why files were skipped with: lookalike info --skipped",
        f"the collection is {photos.parent / 'photos.lookalike'}; next: lookalike search QUERY, or lookalike "
        f"serve",
    ]
    assert numbers(told) == [7, 6, 0, 0, 0, 1]
    (photos / "5.png").rename(photos / "moved.png")
    make_photo(photos / "4.png", 44)
    make_photo(photos / "6.png", 6)
    assert numbers(run("add", photos)) == [8, 1, 4, 1, 1, 1]
    assert numbers(run("add", photos)) == [8, 0, 7, 0, 0, 1]


def test_items_whose_files_are_gone_stay_until_pruned(run, photos):
    run("add", photos)
    (photos / "5.png").unlink()
    told = run("add", photos)
    assert told.code == 0
    assert (
        told.err.splitlines()[-2]
        == "1 item whose file is gone, or another's by a link; to remove them: --prune"
    )
    told = run("add", photos, "--prune")
    assert told.lines[-1] == "removed 1 item whose file is gone or left out now"
    assert run("info").lines[1] == "items       5 (1 file skipped)"


def test_absent_paths_are_a_failure_after_the_rest_is_read(run, photos, tmp_path):
    told = run("add", photos, tmp_path / "nowhere")
    assert told.code == 1
    assert numbers(told)[1] == 6
    absent = f"lookalike: absent or empty, so nothing of theirs was changed: {tmp_path / 'nowhere'}"
    assert told.err.splitlines()[-1] == absent


def test_add_reads_paths_from_a_list(run, photos, tmp_path, monkeypatch):
    strange = photos / "caf\udce9.png"
    (photos / "3.png").rename(strange)
    monkeypatch.chdir(tmp_path)
    listed = b"photos/1.png\n\n%s\nphotos/caf\xe9.png\n" % bytes(photos / "2.png")
    (tmp_path / "list").write_bytes(listed)
    assert numbers(run("add", "--list", tmp_path / "list")) == [3, 3, 0, 0, 0, 0]
    uris = {line.split()[-1] for line in run("search", photos / "1.png").lines[1:]}
    assert uris == {str(photos / "1.png"), str(photos / "2.png"), f"file://{photos}/caf%E9.png"}


def test_search_prints_a_line_per_hit_best_first(run, photos):
    run("add", photos)
    told = run("search", photos / "3.png", "-k", 4)
    assert (told.code, told.err) == (0, "")
    assert told.lines[0].split() == ["score", "id", "facts", "photo"]
    rows = [line.split() for line in told.lines[1:]]
    assert rows[0] == ["1.000", "4", "96×64", str(photos / "3.png")]
    scores = [float(row[0]) for row in rows]
    assert len(rows) == 4 and scores == sorted(scores, reverse=True)


def test_search_reranks_where_that_is_asked_for(run, photos, make_photo):
    for seed in range(6, 20):
        make_photo(photos / f"{seed}.png", seed)
    run("add", photos)
    plain, reranked = (run("search", "--json", "4", "-k", 30, *more).json[0] for more in ((), ("--rerank",)))
    with Collection(photos.parent / "photos.lookalike", embedder=FakeEmbedder()) as collection:
        expected = collection.answer([4], SearchOptions(30, rerank=True))[0]
    assert [hit["id"] for hit in reranked["hits"]] == [hit.id for hit in expected]
    assert {hit["id"] for hit in plain["hits"]} == {hit["id"] for hit in reranked["hits"]}
    told = run("search", "4", "--rerank", "--hybrid")
    assert (told.code, told.err) == (
        2,
        "lookalike: hits are re-ranked by meaning alone: leave out either hybrid or rerank\n",
    )


def test_search_by_id_leaves_the_item_out(run, photos):
    run("add", photos)
    hits = {line.split()[-1] for line in run("search", "4").lines[1:]}
    assert hits == {str(photos / f"{seed}.png") for seed in (0, 1, 2, 4, 5)}


def test_a_file_whose_name_is_a_number_is_never_mixed_up_with_an_item(run, photos, monkeypatch):
    run("add", photos)
    shutil.copy(photos / "5.png", photos / "1")
    monkeypatch.chdir(photos)
    for command in ("search", "remove"):
        told = run(command, "1")
        assert told.code == 2
        assert "1 is a file here and could be an item: write ./1 or id:1" in told.err
    assert run("search", "./1", "-k", 1).lines[1].split()[-1] == str(photos / "5.png")
    assert run("remove", "id:1").out == "removed 1 item\n"


def test_an_empty_word_is_no_path(run, photos, monkeypatch):
    run("add", photos)
    monkeypatch.chdir(photos)
    for words in (("remove", ""), ("add", ""), ("search", ""), ("info", "-c", "")):
        told = run(*words)
        assert (told.code, told.out) == (2, "")
        assert "an empty path" in told.err
    assert json.loads(run("info", "--json").out)["items"] == 6


def test_a_bad_query_does_not_cost_the_others_their_answers(run, photos):
    run("add", photos)
    told = run("search", "--json", photos / "2.png", "no.png", "id:999", "3")
    assert told.code == 1
    assert [json.loads(line)["query"] for line in told.lines] == [str(photos / "2.png"), "3"]
    first, second = told.err.splitlines()
    assert (
        first.endswith("no.png: no such file") and second == "lookalike: item 999 is not in this collection"
    )


def test_a_sheet_never_overwrites_the_query(run, photos):
    run("add", photos)
    before = (photos / "2.png").read_bytes()
    told = run("search", photos / "2.png", "--sheet", photos / "2.png")
    assert (told.code, told.out) == (2, "")
    assert "would overwrite the query" in told.err
    assert (photos / "2.png").read_bytes() == before


def test_a_list_from_windows_loses_no_path(run, photos, tmp_path):
    paths = tmp_path / "list.txt"
    paths.write_bytes("\r\n".join(str(photos / f"{n}.png") for n in (1, 2)).encode("utf-8-sig"))
    assert numbers(run("add", "--list", paths)) == [2, 2, 0, 0, 0, 0]


def test_several_queries_have_a_title_each(run, photos):
    run("add", photos)
    told = run("search", "1", photos / "2.png", "-k", 1)
    assert [line for line in told.lines if line.endswith(":")] == ["1:", f"{photos / '2.png'}:"]


def test_conditions_narrow_the_hits(run, photos, make_photo):
    make_photo(photos / "wide.jpg", 9, size=(200, 50))
    run("add", photos)
    assert [line.split()[-1] for line in run("search", "1", "-w", "width>=150").lines[1:]] == [
        str(photos / "wide.jpg")
    ]
    told = run("search", "1", "-w", "format=GIF")
    assert (told.code, told.out) == (0, "nothing meets the conditions\n")


def test_copies_are_printed_with_what_they_are_copies_of_and_how(run, photos, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC)
    picture.save(photos / "a.png")
    run("add", photos)
    ImageOps.mirror(picture).resize((80, 60)).save(photos / "b.png")
    run("add", photos)
    hits = json.loads(run("search", "1", "--json").out)["hits"]
    first, copy = (hit for hit in hits if hit["uri"].endswith(("a.png", "b.png")))
    assert copy["copy_of"] == first["id"] and "copy_of" not in first
    how = "mirrored, smaller" if copy["uri"].endswith("b.png") else "mirrored, larger"
    assert copy["copy_how"] == how.split(", ")
    lines = [line for line in run("search", "1").lines if "copy of" in line]
    assert len(lines) == 1
    assert f"  copy of {first['id']}: {how}  " in lines[0] and lines[0].endswith(copy["uri"])


def test_a_photo_is_found_any_way_up(run, photos, tmp_path):
    run("add", photos)
    with Image.open(photos / "3.png") as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png")
    plain = run("search", tmp_path / "turned.png", "--json").json[0]["hits"]
    found = run("search", tmp_path / "turned.png", "--any-way-up", "--json").json[0]
    assert found["hits"][0]["uri"] == str(photos / "3.png") and "reranked" not in found
    assert found["hits"][0]["score"] > 0.99 > plain[0]["score"]
    told = run("search", "1", "--unlike", "2", "--any-way-up")
    assert told.code != 0 and "one photo or one item" in told.err


@pytest.mark.parametrize("name", ["hits.png", "hits.jpg"])
def test_a_sheet_is_a_picture_of_the_query_and_its_hits(name, run, photos, tmp_path):
    run("add", photos)
    told = run("search", photos / "1.png", "2", "-k", 3, "--sheet", tmp_path / name)
    assert (told.code, told.err) == (0, f"wrote {tmp_path / name}\n")
    with Image.open(tmp_path / name) as sheet:
        assert sheet.width > 4 * 200 and sheet.height > 2 * 200  # a query and three hits, two rows
        cell = np.asarray(sheet.convert("RGB").crop((20, 150, 220, 220)), int)
    assert cell.std() > 20  # there is a photo where the query belongs


@pytest.mark.parametrize("way", ["itself", "a link to it", "a linked folder", "a folder that was linked"])
def test_a_sheet_never_overwrites_a_photo_of_the_collection(run, photos, tmp_path, way):
    sheet = added = photos / "2.png"
    if way == "a link to it":
        sheet = tmp_path / "hits.png"
        sheet.symlink_to(photos / "2.png")
    elif way == "a linked folder":
        (tmp_path / "way").symlink_to(photos)
        sheet = tmp_path / "way" / "2.png"
    elif way == "a folder that was linked":
        (tmp_path / "way").symlink_to(photos)
        added = tmp_path / "way" / "2.png"
    run("add", added.parent)
    before = (photos / "2.png").read_bytes()
    for command in (["search", "3"], ["evaluate", "labels", "--by", "folder"]):
        told = run(*command, "--sheet", sheet)
        assert (told.code, told.out) == (2, "")
        assert told.err.endswith(f"--sheet {sheet} would overwrite a photo of the collection\n")
    assert (photos / "2.png").read_bytes() == before
    (tmp_path / "other.png").write_bytes(b"something older")
    assert run("search", "3", "--sheet", tmp_path / "other.png").code == 0


def test_a_sheet_shows_a_gap_for_a_photo_that_is_gone(run, photos, tmp_path):
    run("add", photos)
    (photos / "0.png").unlink()
    assert run("search", "2", "--sheet", tmp_path / "hits.png").code == 0
    with Image.open(tmp_path / "hits.png") as sheet:
        sheet.load()


def test_remove_takes_ids_paths_and_folders(run, photos):
    run("add", photos)
    told = run("remove", "1", photos / "1.png")
    assert (told.code, told.out, told.err) == (0, "removed 2 items\n", "")
    assert run("remove", photos).out == "removed 4 items\n"
    assert sorted(path.name for path in photos.iterdir())[:2] == ["0.png", "1.png"]  # the files stay


def test_info_and_its_skipped_files(run, photos):
    run("add", photos)
    told = run("info")
    assert told.lines[0].endswith("photos.lookalike")
    assert told.lines[1] == "items       6 (1 file skipped)"
    assert told.lines[3] == "space       fake: 6 vectors of 32 numbers"
    assert told.lines[4] == "index       exact, finds 100.0 % of the true 10 nearest"
    skipped = f"{photos / 'notes.dat'}\tnot a photo in a format that is read\n"
    assert run("info", "--skipped").out == skipped


def test_verify_says_when_all_is_sound(run, photos):
    run("add", photos)
    told = run("verify")
    assert (told.code, told.out, told.err) == (0, "sound: 6 items, 6 vectors\n", "")


def test_verify_names_damage_and_repairs_it(run, photos, tmp_path):
    run("add", photos)
    damage_item_3(tmp_path)
    told = run("verify")
    assert told.code == 1
    assert told.out.startswith("damaged: vector of item 3 in fake: ")
    assert told.err == "lookalike: 1 damaged; run: lookalike verify --repair\n"
    told = run("verify", "--repair")
    assert told.code == 0
    assert told.lines[0].startswith("repaired: vector of item 3 in fake: ")
    assert told.lines[-1] == "sound: 6 items, 6 vectors"


def test_search_says_what_damage_it_leaves_out(run, photos, tmp_path):
    run("add", photos)
    damage_item_3(tmp_path)
    told = run("search", "1")
    assert (told.code, told.err) == (0, "left out 1 damaged vector; run: lookalike verify --repair\n")


def test_names_cannot_move_the_cursor(run, tmp_path, make_photo):
    folder = tmp_path / "photos"
    name = "a\n\x1b[2J\x07\u202egnp.b"
    make_photo(folder / "x.png", 1).rename(folder / f"{name}.png")
    (folder / f"{name}.dat").write_text("no photo")
    shown = "a\\n\\x1b[2J\\x07\\u202egnp.b"
    run("add", folder)
    for told in (
        run("search", folder / f"{name}.png"),
        run("search", folder / f"{name}.png", folder / f"{name}.png"),
        run("search", folder / f"{name}.dat"),
        run("info", "--skipped"),
        run("remove", folder / f"{name}.jpg"),
        run("add", folder / f"{name}.jpg"),
        run("add", folder / f"{name}.jpg", folder),
        run("search", "1", "-w", "id>0", "--sheet", tmp_path / f"{name}.jpg"),
        run("search", "1", "-w", f"{name}"),
        run("search", "1", "--json", "-k", f"{name}"),
    ):
        printed = told.out + told.err
        assert shown in printed
        assert all(line.isprintable() for line in printed.replace("\t", " ").splitlines())


def test_output_that_is_no_terminal_gets_no_control_characters(run, photos):
    for command in (("add", photos), ("add", photos, "--json"), ("search", "1"), ("info",), ("verify",)):
        told = run(*command)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", told.out + told.err), command


def test_the_collection_option_wins_over_the_environment(run, photos, tmp_path):
    assert run("add", photos, "-c", tmp_path / "other.lookalike").code == 0
    assert (tmp_path / "other.lookalike" / "store.sqlite").is_file()
    assert not (tmp_path / "photos.lookalike").exists()
    assert run("info", "--collection", tmp_path / "other.lookalike").lines[1].startswith("items       6 ")


def test_without_either_the_collection_is_in_the_data_folder(run, photos, tmp_path, monkeypatch):
    monkeypatch.delenv("LOOKALIKE_COLLECTION")
    monkeypatch.setattr(cli_options, "_default_folder", lambda: tmp_path / "data" / "photos.lookalike")
    assert run("add", photos).code == 0
    assert (tmp_path / "data" / "photos.lookalike" / "store.sqlite").is_file()


def test_an_unexpected_failure_is_one_line_or_the_whole_story(run, photos, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(cli_options, "open_collection", fail)
    told = run("info")
    assert told.code == 1
    assert (
        told.err
        == r"lookalike: unexpected RuntimeError: first\nsecond (set LOOKALIKE_DEBUG=1 for the details)" + "\n"
    )
    monkeypatch.setenv("LOOKALIKE_DEBUG", "1")
    monkeypatch.setattr("sys.argv", ["lookalike", "info"])
    with pytest.raises(RuntimeError):
        cli.main()


def test_an_interruption_says_what_is_kept(run, photos, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_options, "open_collection", interrupt)
    told = run("add", photos)
    assert told.code == 130
    assert told.err == "\nlookalike: interrupted; what is done is kept, run the same command to go on\n"


@pytest.mark.parametrize("given", ["photos", "photos/notes.dat"])
def test_nothing_to_take_in_is_a_failure_that_makes_no_collection(run, tmp_path, given):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.dat").write_text("no photo")
    before = sorted(tmp_path.rglob("*"))
    told = run("add", tmp_path / given)
    assert (told.code, told.out) == (1, "")
    assert told.err.endswith("no collection was made: notes.dat: not a photo in a format that is read\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_made_for_the_collection_stays_empty(run, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "nothing").mkdir()
    told = run("add", tmp_path / "nothing", "-c", tmp_path / "new")
    assert (told.code, told.err.rpartition(": ")[2]) == (1, "there are no files\n")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_collection_that_was_emptied_is_no_new_one(run, photos):
    run("add", photos)
    run("remove", photos)
    told = run("add", photos / "notes.dat")
    assert told.code == 0
    assert run("info").lines[1] == "items       0 (1 file skipped)"


def test_what_is_left_out_or_aside_is_told_in_a_line_each(run, photos):
    for name in ("a.mp4", "b.mov", "1.xmp", ".hidden.png"):
        (photos / name).write_bytes(b"x")
    told = run("add", photos, "--exclude", "[45].png", "--exclude", "!5.png")
    assert (told.code, numbers(told)) == (0, [6, 5, 0, 0, 0, 1])
    assert told.err.splitlines()[-3:-1] == [
        "left out: 1 hidden, 1 by patterns",
        "left aside: 2 videos, 1 sidecar",
    ]
    assert run("add", photos, "--exclude", "[z-a]").code == 2


def test_photos_or_texts_can_be_asked_for(run, tmp_path, photos):
    (photos / "caption.txt").write_text("a red bus on a bridge")
    assert run("add", photos, "--photos", "--texts").code == 2
    assert run("add", photos, "--photos", "-c", tmp_path / "p").lines[0].startswith("found 7 = 6 added")
    assert json.loads(run("info", "-c", tmp_path / "p", "--json").out)["kind"] == "photo"


def test_words_for_photos_are_told_where_they_go(run, photos):
    assert run("add", photos).code == 0
    told = run("search", "a red bus")
    assert (told.code, told.err) == (
        2,
        "lookalike: there is no file a red bus; by words: --words 'a red bus'\n",
    )
    assert run("search", "bus.jpg").err.endswith("bus.jpg: no such file\n")


def test_verifying_files_ends_with_a_failure_that_names_them(run, photos):
    run("add", photos)
    assert run("verify", "--files").lines == ["sound: 6 items, 6 vectors"]
    (photos / "1.png").unlink()
    told = run("verify", "--files")
    assert (told.code, told.lines) == (1, [f"file: {photos / '1.png'}: it is gone"])
    assert told.err == "lookalike: 1 file not what was read\n"
    told = run("verify", "--files", "--json")
    assert (told.code, told.json[0]["sound"]) == (1, True)
    assert told.json[0]["files"] == [{"uri": str(photos / "1.png"), "detail": "it is gone"}]
    assert run("verify").code == 0


def test_relocating_tells_numbers_and_what_is_left(run, photos, tmp_path):
    run("add", photos)
    photos.rename(tmp_path / "new")
    photos.mkdir()
    (tmp_path / "new" / "1.png").unlink()
    told = run("relocate", photos, tmp_path / "new")
    assert told.lines == [f"left: {photos / '1.png'}: no file is there", "moved 5 items, left 1"]
    assert (told.code, told.err) == (1, "lookalike: 1 item left where it was\n")
    told = run("relocate", tmp_path / "new", photos, "--json")
    assert (told.code, told.json[0]["moved"], len(told.json[0]["left"])) == (1, 0, 5)
    (tmp_path / "new").rename(tmp_path / "back")
    told = run("relocate", tmp_path / "new", tmp_path / "back")
    assert (told.code, told.lines) == (0, ["moved 5 items, left 0"])


def test_add_afresh_reads_what_looks_unchanged(run, photos, monkeypatch):
    monkeypatch.setattr("lookalike.files.HAS_CHANGE_TIME", False)
    run("add", photos)
    facts, content = (photos / "1.png").stat(), (photos / "2.png").read_bytes()
    (photos / "1.png").write_bytes(content[: facts.st_size].ljust(facts.st_size, b"\0"))
    os.utime(photos / "1.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert numbers(run("add", photos))[2] == 6
    assert numbers(run("add", photos, "--afresh"))[2] == 5


def test_photos_that_an_extra_would_read_are_told_in_the_last_line(run, photos, monkeypatch):
    reason = "HEIC photos need an optional package: pip install 'lookalike[heic]'"
    skipped = [Skipped(f"/x/{n}.heic", reason) for n in range(3)]
    monkeypatch.setattr("lookalike.collection.Collection.skipped", lambda _: skipped)
    told = run("add", photos)
    assert told.err.splitlines()[-1].startswith("3 files would be read with: ")
    assert "[heic]" in told.err.splitlines()[-1] or "pillow-heif" in told.err.splitlines()[-1]
    assert all(
        "lookalike[heic]" not in line or "install -e" in line for line in run("info", "--skipped").lines
    )
