"""The commands below evaluate: what they print, write and refuse."""

from __future__ import annotations

import html
import sys

import numpy as np
import pytest
from PIL import Image

from lookalike.transfer.transfer import ImportRequest

COLOURS = ((250, 10, 10), (10, 250, 10), (10, 10, 250))


@pytest.fixture
def labelled(run, tmp_path):
    """60 photos of three colours in three folders, in a collection, and vectors of noise beside them."""
    random = np.random.default_rng(0)
    for at in range(60):
        folder = tmp_path / "photos" / ("red", "green", "blue")[at % 3]
        folder.mkdir(parents=True, exist_ok=True)
        noise = random.integers(-10, 10, (32, 48, 3))
        pixels = np.clip(np.array(COLOURS[at % 3]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{at:02}.png")
    assert run("add", tmp_path / "photos").code == 0
    names = sorted(str(path) for path in (tmp_path / "photos").rglob("*.png"))
    (tmp_path / "list.txt").write_text("\n".join(names) + "\n")
    np.save(tmp_path / "noise.npy", random.normal(size=(60, 6)).astype(np.float32))
    from lookalike import Collection
    from lookalike.embedders.fake import FakeEmbedder

    with Collection(tmp_path / "photos.lookalike", embedder=FakeEmbedder()) as collection:
        collection.import_vectors(ImportRequest(tmp_path / "noise.npy", tmp_path / "list.txt", name="noise"))
        (tmp_path / "ids.txt").write_text("\n".join(str(item.id) for item in collection.items(limit=60)))
    return tmp_path


def test_labels_are_measured_by_folder_with_a_sheet_and_a_report(run, labelled):
    out, sheet = labelled / "out.html", labelled / "worst.png"
    told = run("evaluate", "labels", "--by", "folder", "--space", "noise", "--report", out, "--sheet", sheet)
    assert told.code == 0, told.err
    assert told.lines[0] == "noise: 60 queries, 60 candidates"
    assert told.lines[1].split() == ["measure", "mean", "(95", "%", "interval)"]
    assert [line.split()[0] for line in told.lines[2:7]] == [
        "map",
        "precision@10",
        "recall@10",
        "ndcg@10",
        "mrr",
    ]
    assert {line.split()[0] for line in told.lines[-3:]} == {"red", "green", "blue"}
    page = out.read_text(encoding="utf-8")
    assert "How well noise finds what is alike" in page
    assert page.count("✗ wrong") > 10
    with Image.open(sheet) as picture:
        assert picture.width > 1000


ODD = ("$x_{$", "b\udcff$", "_c", "two\nlines <b>&amp;", "\u202eback 日本")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes for a name")
def test_labels_with_odd_names_are_shown_on_one_line(run, tmp_path, make_photo):
    for at in range(3 * len(ODD)):
        make_photo(tmp_path / "photos" / ODD[at % len(ODD)] / f"{at}.png", at)
    assert run("add", tmp_path / "photos").code == 0
    out, sheet = tmp_path / "out.html", tmp_path / "worst.png"
    told = run("evaluate", "labels", "--by", "folder", "--report", out, "--sheet", sheet)
    assert (told.code, told.err.splitlines()[-2:]) == (0, [f"wrote {sheet}", f"wrote {out}"])
    shown = {"$x_{$", r"b\udcff$", "_c", r"two\nlines <b>&amp;", r"\u202eback 日本"}
    assert {line.split("  ")[0] for line in told.lines[-len(ODD) :]} == shown
    page = out.read_text(encoding="utf-8")
    assert {name for name in shown if page.count(html.escape(name)) > 3} == shown


def test_colours_are_told_apart_and_noise_is_not(run, labelled):
    (good,) = run("evaluate", "labels", "--by", "folder", "--json").json
    (bad,) = run("evaluate", "labels", "--by", "folder", "--space", "noise", "--json").json
    assert (good["queries"], good["space"], bad["space"]) == (60, "fake", "noise")
    assert good["overall"]["map"]["mean"] > 0.95
    assert bad["overall"]["map"]["high"] < 0.5
    assert len(good["worst"]) == 12


def test_a_csv_of_labels_and_qrels_are_read(run, labelled):
    ids = (labelled / "ids.txt").read_text().split()
    (labelled / "labels.csv").write_text(
        "id,label\n" + "".join(f"{each},{at % 2}\n" for at, each in enumerate(ids))
    )
    told = run("evaluate", "labels", "--labels", labelled / "labels.csv", "--queries", "10")
    assert told.lines[0] == "fake: 10 queries of 60, drawn by chance, 60 candidates"
    (labelled / "some.qrels").write_text(f"{ids[0]} 0 {ids[1]} 1\n{ids[2]} 0 {ids[3]} 2\n{ids[2]} 0 9999 1\n")
    told = run("evaluate", "labels", "--qrels", labelled / "some.qrels")
    assert told.lines[0] == "fake: 2 queries, 60 candidates"
    assert "names for items that the collection does not have: 1 (9999)" in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what is alike: --by folder, --by FIELD, --labels FILE, --qrels FILE or --votes"),
        (("--by", "folder", "--votes"), "say one of --by, --labels, --qrels and --votes"),
        (("--by", "mood"), "no item has the field 'mood'; there are: folder, format, height, phash, width"),
        (("--votes",), "there are no votes to go by yet: vote in the page, or rate at /rate"),
        (("--labels", "none.csv"), "none.csv cannot be read: No such file or directory"),
        (("--by", "folder", "--space", "other"), "no space named 'other'; there are fake, noise"),
    ],
)
def test_labels_that_lead_nowhere_are_one_clear_line(run, labelled, words, said):
    told = run("evaluate", "labels", *words)
    assert told.code in (1, 2)
    assert told.err == f"lookalike: {said}\n"


def test_the_index_is_measured_with_others_beside_it(run, labelled):
    plot = labelled / "plot.svg"
    told = run("evaluate", "index", "--try", "IVF4,Flat", "--try", "Nonsense", "--plot", plot)
    assert told.code == 0, told.err
    assert told.lines[0] == "fake: 60 vectors of 32 numbers, 60 queries"
    assert any(line.split()[:2] == ["*", "exact"] or line.split()[:1] == ["exact"] for line in told.lines)
    assert "Nonsense: Faiss makes no index 'Nonsense' for 32 numbers" in told.err
    assert "IVF4,Flat" in plot.read_text()
    (shown,) = run("evaluate", "index", "-k", "3", "--json").json
    (row,) = shown["indexes"]
    assert (shown["k"], row["index"], row["current"], row["recall"]["mean"]) == (3, "exact", True, 1.0)


def test_two_models_are_compared(run, labelled):
    out = labelled / "out.html"
    told = run("evaluate", "compare", "noise", "fake", "--by", "folder", "--report", out)
    assert told.code == 0, told.err
    assert told.lines[0].startswith("fake is better: its mean average precision is 0.")
    assert "noise and fake compared" in out.read_text(encoding="utf-8")
    (shown,) = run("evaluate", "compare", "noise", "fake", "--json").json
    assert shown["measures"] == []
    assert shown["overlap"]["mean"] < 0.5


def test_the_reranked_order_is_compared_with_the_plain_one(run, labelled):
    told = run("evaluate", "compare", "noise", "noise@rerank", "--by", "folder")
    assert told.code == 0, told.err
    (shown,) = run("evaluate", "compare", "noise", "noise@rerank", "--by", "folder", "--json").json
    first = shown["measures"][0]
    assert (shown["a"], shown["b"], first["measure"]) == ("noise", "noise@rerank", "map")
    assert first["better"] + first["worse"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fake", "fake"), "fake is compared with itself; name two"),
        (("fake", "none"), "no space named 'none'; there are fake, noise"),
    ],
)
def test_sides_that_do_not_exist_are_one_clear_line(run, labelled, words, said):
    told = run("evaluate", "compare", *words)
    assert told.code in (1, 2)
    assert told.err == f"lookalike: {said}\n"


def test_votes_come_to_a_verdict(run, labelled):
    assert run("evaluate", "votes").err.startswith("lookalike: no votes yet: vote in the page")
    from lookalike import Collection
    from lookalike.embedders.fake import FakeEmbedder
    from lookalike.records import Credit

    with Collection(labelled / "photos.lookalike", embedder=FakeEmbedder()) as collection:
        ids = [item.id for item in collection.items(limit=60)]
        for at in range(12):
            won, lost = ("fake", "noise") if at else ("noise", "fake")
            collection.credit(Credit(f"r{at}", f"item:{ids[0]}", won, lost, ids[1], "click", 1, "2026-11-27"))
        for item in ids[1:9]:
            same = collection.item(item).uri.split("/")[-2] == collection.item(ids[0]).uri.split("/")[-2]
            collection.vote(f"item:{ids[0]}", item, 1 if same else -1)
    told = run("evaluate", "votes")
    assert told.code == 0, told.err
    assert told.lines[0] == "fake is better: fake won 11 rounds, noise 1, 0 were even (p = 0.0063)."
    assert told.lines[1].startswith(
        "On 8 judgements of 1 queries, fake ranks best: mean average precision 1.000"
    )
    (shown,) = run("evaluate", "votes", "--json").json
    assert (shown["duels"][0]["wins_a"], shown["duels"][0]["more_needed"]) == (11, 0)
    assert [one["model"] for one in shown["models"]] == ["fake", "noise"]
    assert run("evaluate", "labels", "--votes").lines[0].startswith("fake: 1 queries")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_sweep_tells_what_it_has_before_it_ends(run, labelled, form):
    told = run("evaluate", "index", "--sweep", "--seconds", "0", *form)
    assert told.code == 0
    assert "exact as in use: recall 1.0000" in told.err
    assert "SQ8: not tried: the time for other indexes was over" in told.err
