"""Reading texts: what an edit of a file comes to, what is embedded again, and what is lost: nothing."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import numbers
from lookalike.decode.tables import ReadAs
from lookalike.errors import BusyError
from lookalike.ingest.fill import fill_texts
from text_helpers import WatchedTexts, write_csv

WORDS = ["red", "green", "blue", "bus", "train", "boat", "late", "early", "slow", "fast", "old", "new", "cat"]
SENTENCES = [f"{' '.join(random.Random(n).choices(WORDS, k=5))} {n}" for n in range(1500)]


@pytest.fixture
def watched(tmp_path) -> Iterator[WatchedTexts]:
    watched = WatchedTexts(tmp_path / "texts.lookalike")
    yield watched
    watched.close()


@pytest.fixture
def table(tmp_path) -> Path:
    """A table of 1,500 different texts, in a folder of its own."""
    (tmp_path / "in").mkdir()
    return write_csv(tmp_path / "in" / "t.csv", SENTENCES)


def touched(path: Path) -> Path:
    """Make sure that a file's time differs from what it was, however fast it was written anew."""
    stamp = path.stat().st_mtime_ns
    os.utime(path, ns=(stamp + 10**9, stamp + 10**9))
    return path


def test_a_table_is_read_once(watched, table):
    assert numbers(watched.add(table)) == {"added": 1500}
    assert len(watched.embedder.embedded) == 1500
    assert watched.places() == {f"t.csv#{n + 1}": text for n, text in enumerate(SENTENCES)}
    assert [each.uri for each in watched.told] == [f"{table}#{n + 1}" for n in range(1500)]
    assert numbers(watched.add(table)) == {"unchanged": 1500}
    assert watched.told == []
    assert numbers(watched.add(touched(table))) == {"unchanged": 1500}
    assert watched.embedder.embedded == []


def test_equal_rows_are_one_text_with_several_places(watched, tmp_path):
    table = write_csv(tmp_path / "t.csv", ["a b", "c d", "a b", "e", "a b"])
    report = watched.add(table)
    assert (numbers(report), report.copies) == ({"added": 3, "unchanged": 2}, 2)
    assert sorted(watched.embedder.embedded) == ["a b", "c d", "e"]
    report = watched.add(table)
    assert (numbers(report), report.copies) == ({"unchanged": 5}, 2)
    item = watched.store.items.get([watched.items()["a b"]]).popitem()[1]
    assert (item.uri, item.places) == (f"{table}#1", 3)
    other = write_csv(tmp_path / "u.csv", ["c d", "f"])
    report = watched.add(other)
    assert (numbers(report), report.copies) == ({"added": 1, "unchanged": 1}, 1)
    write_csv(table, ["c d", "a b", "e"])  # the duplicates are removed
    assert numbers(watched.add(table)) == {"moved": 2, "unchanged": 1}
    assert watched.embedder.embedded == []
    assert watched.store.items.get([1])[1].places == 1


EDITS = {
    "a row at the top": (["new one", *SENTENCES], {"added": 1, "moved": 1500}, 1),
    "many rows at the top": ([*map(str, range(2000)), *SENTENCES], None, 2000),
    "a row in the middle": (
        [*SENTENCES[:700], "new one", *SENTENCES[700:]],
        {"unchanged": 700, "added": 1, "moved": 800},
        1,
    ),
    "a row at the end": ([*SENTENCES, "new one"], {"unchanged": 1500, "added": 1}, 1),
    "a row changed": (
        [*SENTENCES[:5], "new one", *SENTENCES[6:]],
        {"unchanged": 1499, "updated": 1},
        1,
    ),
    "the first row deleted": (SENTENCES[1:], None, 0),
    "the last row deleted": (SENTENCES[:-1], {"unchanged": 1499, "vanished": 1, "pruned": 1}, 0),
    "half of the rows deleted": (SENTENCES[::2], None, 0),
    "sorted": (sorted(SENTENCES), None, 0),
    "turned round": (SENTENCES[::-1], None, 0),
    "every row changed": ([f"{text} and more" for text in SENTENCES], {"updated": 1500}, 1500),
    "a copy of all rows": (SENTENCES * 2, {"unchanged": 3000}, 0),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_embeds_only_what_is_new(watched, table, edit):
    texts, expected, embedded = EDITS[edit]
    watched.add(table)
    before = watched.items()
    write_csv(table, texts)
    report = watched.add(touched(table))
    assert len(watched.embedder.embedded) == embedded
    assert report.found == len(texts)
    assert report.vanished == report.pruned
    if expected is not None:
        assert numbers(report) == expected
    after = watched.items()
    assert {text: before[text] for text in before if text in after}.items() <= after.items()
    assert set(after) == set(texts)
    assert watched.places() == {f"t.csv#{n + 1}": text for n, text in enumerate(texts)}
    assert numbers(watched.add(table)) == {"unchanged": len(texts)}
    assert watched.embedder.embedded == []
    for text in ("new one", SENTENCES[0], SENTENCES[5]):  # words are in step with the texts
        found = watched.store.texts.text_of(watched.store.texts.match(text, 1))
        assert (list(found.values()) == [text]) == (text in texts)


def test_indexes_learn_what_was_removed(watched, table):
    watched.add(table)
    vectors = watched.store.vectors(watched.space)
    seq, doomed = vectors.seq(), watched.items()[SENTENCES[9]]
    write_csv(table, [*SENTENCES[:9], *SENTENCES[10:]])
    watched.add(table)
    assert vectors.changes(seq).removed.tolist() == [doomed]


def test_other_columns_are_facts_that_may_change(watched, tmp_path):
    table = write_csv(tmp_path / "t.csv", ["a", "b", "c"], mood=["glad", "cross", "glad"])
    watched.add(table)
    ids = watched.items()
    write_csv(table, ["a", "b", "c"], mood=["glad", "mild", "glad"])
    assert numbers(watched.add(touched(table))) == {"unchanged": 2, "updated": 1}
    assert watched.embedder.embedded == []
    assert watched.store.items.get([ids["b"]])[ids["b"]].metadata == {"mood": "mild"}
    write_csv(table, ["x", "a", "b"], mood=["-", "sad", "mild"])
    watched.add(touched(table))
    assert watched.store.items.get([ids["a"]])[ids["a"]].metadata == {"mood": "sad"}


def test_a_file_that_is_renamed_keeps_its_texts(watched, table):
    watched.add(table.parent)
    ids = watched.items()
    table.rename(table.with_name("renamed.csv"))
    assert numbers(watched.add(table.parent)) == {"moved": 1500}
    assert watched.embedder.embedded == []
    assert watched.items() == ids
    assert set(watched.places()) == {f"renamed.csv#{n + 1}" for n in range(1500)}
    assert watched.store.database.fetch("SELECT count(*) FROM text_files") == [(1,)]


def test_rows_that_go_to_another_file_keep_their_texts(watched, table):
    watched.add(table.parent)
    ids = watched.items()
    write_csv(table, SENTENCES[:1000])
    write_csv(table.with_name("u.csv"), SENTENCES[1000:])
    assert numbers(watched.add(table.parent)) == {"unchanged": 1000, "moved": 500}
    assert (watched.items(), watched.embedder.embedded) == (ids, [])


def test_a_file_that_is_gone_is_counted_and_removed_only_with_prune(watched, table):
    other = write_csv(table.with_name("u.csv"), [*SENTENCES[:10], "only here"])
    watched.add(table.parent)
    table.unlink()
    assert numbers(watched.add(table.parent)) == {"unchanged": 11, "vanished": 1490}
    assert len(watched.items()) == 1501
    report = watched.add(table.parent, prune=True)
    assert numbers(report) == {"unchanged": 11, "vanished": 1490, "pruned": 1490}
    assert set(watched.items()) == {*SENTENCES[:10], "only here"}
    assert {item.uri for page in watched.store.items.pages() for item in page} == {
        f"{other}#{n + 1}" for n in range(11)
    }
    assert numbers(watched.add(table.parent, prune=True)) == {"unchanged": 11}


def test_an_absent_or_emptied_folder_loses_nothing(watched, table, tmp_path):
    watched.add(table.parent)
    table.rename(tmp_path / "away.csv")
    report = watched.add(table.parent, prune=True)  # a disk that is not mounted looks like this
    assert (numbers(report), report.absent) == ({}, (table.parent,))
    assert len(watched.items()) == 1500
    (tmp_path / "away.csv").rename(table)
    assert numbers(watched.add(table.parent)) == {"unchanged": 1500}


def test_an_emptied_file_loses_its_texts_only_with_prune(watched, table):
    watched.add(table)
    write_csv(table, [])  # as a file is for a moment while it is written anew
    assert numbers(watched.add(table)) == {"vanished": 1500}
    assert len(watched.items()) == 1500
    write_csv(table, SENTENCES)
    assert numbers(watched.add(touched(table))) == {"unchanged": 1500}
    write_csv(table, [])
    assert numbers(watched.add(table, prune=True)) == {"vanished": 1500, "pruned": 1500}
    assert watched.items() == {}


def test_other_files_of_a_folder_are_put_aside_by_kind_or_skipped_with_a_reason(watched, table):
    (table.parent / "photo.jpg").write_bytes(b"no text")
    (table.parent / ".hidden.csv").write_text("text\nhidden\n")
    (table.parent / "note.txt").write_text("a note")
    (table.parent / "strange.xyz").write_text("who knows")
    report = watched.add(table.parent)
    assert numbers(report) == {"added": 1501, "skipped": 1}
    assert (report.aside, report.excluded) == ({"photo": 1}, {"hidden": 1})
    (skipped,) = watched.store.items.skipped()
    assert (skipped.uri, skipped.reason) == (
        f"{table.parent}/strange.xyz",
        "not a file of texts, by its name",
    )
    assert numbers(watched.add(table.parent)) == {"unchanged": 1501, "skipped": 1}
    assert watched.told == []


def test_a_column_that_is_not_there_skips_the_file_until_another_is_asked_for(watched, tmp_path):
    table = write_csv(tmp_path / "t.csv", ["a", "b"], title=["x", "y"])
    assert numbers(watched.add(table, column="body")) == {"skipped": 1}
    (skipped,) = watched.store.items.skipped()
    assert "body" in skipped.reason
    assert "title" in skipped.reason
    assert numbers(watched.add(table, column="body")) == {"skipped": 1}
    assert numbers(watched.add(table, column="title")) == {"added": 2}
    assert list(watched.store.items.skipped()) == []
    assert numbers(watched.add(table, column=None)) == {"unchanged": 2}
    write_csv(table, ["a", "b", "c"], title=["x", "y", "z"])
    assert numbers(watched.add(table, column=None)) == {"unchanged": 2, "added": 1}  # of the column on record
    assert set(watched.items()) == {"x", "y", "z"}
    assert numbers(watched.add(table, column="text")) == {"updated": 3}
    assert set(watched.items()) == {"a", "b", "c"}


def test_a_text_that_was_removed_comes_back_with_the_next_add(watched, table):
    """As a photo does."""
    watched.add(table)
    watched.store.items.remove([watched.items()[SENTENCES[3]]])
    assert numbers(watched.add(table)) == {"unchanged": 1499, "added": 1}
    assert watched.embedder.embedded == [SENTENCES[3]]


def test_long_texts_are_split_and_empty_rows_told(watched, tmp_path):
    long = " ".join(f"word{n}" for n in range(100))
    report = watched.add(write_csv(tmp_path / "t.csv", [long, "", "short", "  "]))
    assert (report.split, report.empty) == (1, 2)
    assert numbers(report) == {"added": 4}
    assert set(watched.places()) == {"t.csv#1.1", "t.csv#1.2", "t.csv#1.3", "t.csv#3"}
    write_csv(tmp_path / "t.csv", [long[:200], "", "short", "  "])
    report = watched.add(tmp_path / "t.csv")
    assert set(watched.places()) == {"t.csv#1", "t.csv#3"}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE texts SET text = 'changed' WHERE item_id = 7",
        "DELETE FROM texts WHERE item_id = 7",
        "UPDATE vectors_1 SET vector = zeroblob(64) WHERE item_id = 7",
        "UPDATE items SET metadata = '{\"x\":1}' WHERE id = 7",
        "UPDATE items SET uri = 'elsewhere' WHERE id = 7",
        "UPDATE items SET content_hash = zeroblob(32) WHERE id = 7",
        "DELETE FROM places WHERE item_id = 7",
        "UPDATE places SET checksum = 5 WHERE item_id = 7",
    ],
)
def test_what_is_damaged_is_restored_from_its_file(watched, table, damage):
    watched.add(table)
    with watched.store.database.writing() as connection:
        connection.execute(damage)
    assert watched.store.items.damaged([7]) or list(watched.store.texts.damage()) or "vector" in damage
    watched.store.texts.mend()
    report = watched.add(table, afresh=True)
    assert report.found == 1500
    assert watched.places() == {f"t.csv#{n + 1}": text for n, text in enumerate(SENTENCES)}
    assert len(watched.embedder.embedded) <= 1
    assert not watched.store.vectors(watched.space).fetch(range(1, 1600)).damaged


def test_two_models_do_not_share_what_is_unchanged(watched, table):
    watched.add(table)
    first, second = watched.space, watched.store.ensure_space("second", "2" * 64, 16, kind="text")
    assert fill_texts(watched.store, second, watched.embedder, lambda *_: None) == 0
    watched.store.use_space(second)
    with pytest.raises(BusyError, match="another model than fake-texts was made the default"):
        watched.add(write_csv(table, [*SENTENCES, "new"]))  # as a process does that began before
    assert watched.store.vectors(second).count_missing() == 0
    watched.space = second
    assert numbers(watched.add(table)) == {"unchanged": 1500, "added": 1}
    assert watched.store.vectors(second).count() == 1501
    assert watched.store.vectors(first).count_missing() == 1


def test_rows_that_cannot_be_read_are_skipped_by_name(watched, tmp_path):
    lines = ['{"text": "a"}', "no JSON", '{"text": "b"}', *["{"] * 150]
    table = tmp_path / "in" / "t.jsonl"
    table.parent.mkdir()
    table.write_text("\n".join(lines))
    report = watched.add(table.parent)
    assert numbers(report) == {"added": 2, "skipped": 101}  # the last one stands for 51 more
    skipped = {each.uri: each.reason for each in watched.store.items.skipped()}
    assert skipped[f"{table}#2"] == "no JSON"
    assert skipped[f"{table}#0"] == "51 more rows cannot be read"
    assert numbers(watched.add(table.parent)) == {"unchanged": 2, "skipped": 101}
    assert len(list(watched.store.items.skipped())) == 101
    table.write_text("\n".join(lines[:3]))
    assert numbers(watched.add(table.parent)) == {"unchanged": 2, "skipped": 1}
    assert [each.uri for each in watched.store.items.skipped()] == [f"{table}#2"]
    table.write_text("\n".join(lines[2:3] * 3))
    watched.add(table.parent)
    assert list(watched.store.items.skipped()) == []


def test_a_file_that_changes_while_it_is_read_is_read_again(watched, table, monkeypatch):
    embed = watched.embedder.embed_texts

    def meddling(texts: list[str]):
        monkeypatch.setattr(watched.embedder, "embed_texts", embed)
        with table.open("a") as file:
            file.write("one more\n")
        return embed(texts)

    monkeypatch.setattr(watched.embedder, "embed_texts", meddling)
    assert watched.add(table).added >= 1500
    assert watched.add(table).found == 1501
    assert set(watched.items()) == {*SENTENCES, "one more"}
    assert numbers(watched.add(table)) == {"unchanged": 1501}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_edited_the_store_says_what_the_files_say(watched, tmp_path, monkeypatch, seed):
    """Random edits of three files with many equal rows, in batches so small that most edits span several."""
    monkeypatch.setattr("lookalike.ingest.texts.BATCH", 7)
    dice = random.Random(seed)
    folder = tmp_path / "in"
    folder.mkdir()
    files: dict[str, list[str]] = {name: [] for name in ("a.csv", "b.csv", "c.csv")}
    made = 0
    for turn in range(25):
        for name in dice.sample(sorted(files), dice.randint(1, 3)):
            rows = files[name]
            for _ in range(dice.randint(1, 4)):
                at = dice.randint(0, len(rows))
                edit = dice.choice(["insert", "insert", "repeat", "delete", "cut", "shuffle", "steal"])
                if edit == "insert":
                    rows[at:at] = [f"text {made + n}" for n in range(dice.choice([1, 2, 20]))]
                    made += 20
                elif edit == "repeat":
                    rows.insert(at, dice.choice(rows or ["first"]))
                elif edit == "delete":
                    del rows[at : at + dice.choice([1, 9])]
                elif edit == "cut":
                    del rows[max(at, 1) :]
                elif edit == "shuffle":
                    dice.shuffle(rows)
                elif edit == "steal":
                    rows[at:at] = dice.choice(list(files.values()))[:10]
            rows = rows or ["never empty"]
            files[name] = rows
            path = write_csv(folder / name, rows)
            os.utime(path, ns=(turn * 10**9, turn * 10**9))
        if dice.random() < 0.2:  # two files change names
            one, two = dice.sample(sorted(files), 2)
            (folder / one).rename(folder / "x") if (folder / one).exists() else None
            (folder / two).rename(folder / one) if (folder / two).exists() else None
            (folder / "x").rename(folder / two) if (folder / "x").exists() else None
            files[one], files[two] = files[two], files[one]
        known = set(watched.items())
        report = watched.add(folder)
        there = {name: rows for name, rows in files.items() if (folder / name).exists()}
        texts = {text for rows in there.values() for text in rows}
        assert set(watched.items()) == texts
        assert watched.places() == {
            f"{name}#{n + 1}": text for name, rows in there.items() for n, text in enumerate(rows)
        }
        assert sorted(watched.embedder.embedded) == sorted(texts - known)
        assert report.found == sum(map(len, there.values()))
        assert report.copies == report.found - len(texts)
        assert report.added + report.updated == len(texts - known)
        assert watched.store.database.fetch("SELECT count(*) FROM loose") == [(0,)]


STEADY = """
import resource, sys
from pathlib import Path
import numpy as np
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.ingest.texts import TextIngest, ingest_texts
from lookalike.store import Store

class Quick(FakeTextEmbedder):
    def embed_texts(self, texts):
        rows = np.random.default_rng(len(texts)).standard_normal((len(texts), 8), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

store = Store(Path(sys.argv[1]), create=True)
embedder = Quick(dim=8)
space = store.ensure_space("quick", embedder.spec.model_id, 8, kind="text")
parts = TextIngest(store, space, lambda *_: None, lambda _: None, embedder)
for path in sys.argv[2:]:
    report = ingest_texts(parts, [Path(path)], "text")
    print(report.found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    """The same file again with a row put in at the top, so that all of its 100,000 places change."""
    pytest.importorskip("resource", reason="this system does not tell how much memory was used")
    rows = [f"text {n} with the word w{n % 5000}" for n in range(100_000)]
    small = write_csv(tmp_path / "small.csv", rows[:5000])
    large = write_csv(tmp_path / "large.csv", rows)
    arguments = [sys.executable, "-c", STEADY, str(tmp_path / "t.lookalike")]

    def run(*paths: Path) -> list[list[int]]:
        ran = subprocess.run([*arguments, *map(str, paths)], capture_output=True, text=True, check=True)
        return [[int(each) for each in line.split()] for line in ran.stdout.splitlines()]

    (_, before), (found, after) = run(small, large)
    assert found == 100_000
    assert after < before + 30, (before, after)
    write_csv(large, ["a new one", *rows])
    ((found, edited),) = run(large)
    assert found == 100_001
    assert edited < before + 30, (before, edited)


def test_what_was_read_before_damage_is_kept_and_counted(watched, tmp_path):
    """A packed file that is cut short, an array that ends too soon: the rest may come with the next copy."""
    packed = gzip.compress(("text\n" + "\n".join(SENTENCES)).encode(), 1)
    table = tmp_path / "t.csv.gz"
    table.write_bytes(packed)
    watched.add(table)
    ids = watched.items()
    table.write_bytes(packed[: len(packed) // 2])
    assert numbers(watched.add(touched(table), prune=True)).get("pruned", 0) == 0
    assert watched.items() == ids
    array = tmp_path / "t.json"
    array.write_text(json.dumps([{"text": "one"}, {"text": "two"}])[:-4])
    report = watched.add(array)
    assert numbers(report) == {"added": 1, "skipped": 1}
    for _ in range(2):
        assert numbers(watched.add(array, prune=True)) == {"unchanged": 1, "skipped": 1}
    assert watched.embedder.embedded == []
    reasons = [each.reason for each in watched.store.items.skipped()]
    assert any("row 2 of its array is no JSON" in reason for reason in reasons)
    array.write_text(json.dumps([{"text": "one"}, {"text": "two"}]))
    assert numbers(watched.add(touched(array))) == {"unchanged": 1, "added": 1}


def test_what_is_said_of_a_file_makes_it_read_again(watched, tmp_path):
    table = tmp_path / "t.csv"
    table.write_bytes("text\nМой телефон сломался\n".encode("cp1251"))
    assert watched.add(table, read_as=ReadAs("cp866")).remarks == ()
    assert "Мой телефон сломался" not in watched.items()
    assert numbers(watched.add(table)) == {"unchanged": 1}
    assert numbers(watched.add(table, read_as=ReadAs("cp1251"))) == {"updated": 1}
    assert set(watched.items()) == {"Мой телефон сломался"}
    report = watched.add(touched(table))
    assert report.remarks == ()  # what was said is kept
    assert numbers(report) == {"unchanged": 1}


def test_what_was_said_of_a_file_holds_until_something_else_is_said(watched, tmp_path):
    """One row that a guess takes for another encoding, and a delimiter that its header does not tell."""
    table = tmp_path / "t.csv"
    rows = "text~n\nGröße~1\nStraße, breit~2\n"
    table.write_bytes(rows.encode("cp437"))
    said = ReadAs("cp437", "~")
    assert numbers(watched.add(table, column="text", read_as=said)) == {"added": 2}
    assert set(watched.items()) == {"Größe", "Straße, breit"}
    assert numbers(watched.add(table, read_as=said)) == {"unchanged": 2}
    table.write_bytes(f"{rows}Äpfel~3\n".encode("cp437"))
    assert numbers(watched.add(touched(table))) == {"unchanged": 2, "added": 1}
    assert set(watched.items()) == {"Größe", "Straße, breit", "Äpfel"}
    table.write_bytes(f"{rows}Äpfel~3\n".encode())  # converted to UTF-8, which only one of both changes
    watched.add(touched(table), read_as=ReadAs("utf-8"))
    assert set(watched.items()) == {"Größe", "Straße, breit", "Äpfel"}
    table.write_bytes(f"{rows}Äpfel~3\n".encode("utf-16"))
    report = watched.add(touched(table), read_as=ReadAs("auto"))
    assert set(watched.items()) == {"Größe", "Straße, breit", "Äpfel"}
    assert numbers(report) == {"unchanged": 3}
    table.write_bytes(f"{rows}Äpfel~3\n".replace("~", ";").encode())
    watched.add(touched(table), read_as=ReadAs(None, "auto"))
    assert set(watched.items()) == {"Größe", "Straße, breit", "Äpfel"}
