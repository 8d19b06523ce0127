"""Labels and judgements from everywhere they come from, and what is odd about them."""

from __future__ import annotations

import csv

import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.errors import NotFoundError, UsageError
from lookalike.evaluate.reading import (
    from_votes,
    labels_by_field,
    labels_by_folder,
    labels_from_csv,
    qrels,
)


@pytest.fixture
def photos(tmp_path, make_photo):
    """Eight photos in three folders, in a collection."""
    for at in range(8):
        make_photo(tmp_path / "photos" / ("cat", "cat", "dog", "lone")[min(at // 2, 3) % 4] / f"{at}.png", at)
    (tmp_path / "photos" / "lone" / "7.png").rename(tmp_path / "photos" / "dog" / "7.png")
    with Collection(tmp_path / "photos.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(tmp_path / "photos")
        yield collection


@pytest.fixture
def items(photos):
    return photos.open_space().items


def id_of(items, name):
    return next(item.id for page in items.pages() for item in page if item.uri.endswith(f"/{name}.png"))


def test_folders_are_labels(items):
    truth = labels_by_folder(items)
    assert truth.names == ("cat", "dog")
    assert truth.label(id_of(items, "0")) == "cat"
    others, grades = truth.relevant(id_of(items, "7"))
    assert others.tolist() == sorted([id_of(items, "4"), id_of(items, "5")])
    assert grades.tolist() == [1.0, 1.0]
    assert truth.problems == ("1 label has only one item, with nothing to be found: lone",)
    assert id_of(items, "6") in truth.candidates.tolist()
    assert id_of(items, "6") not in truth.queries.tolist()


def test_a_field_of_texts_is_a_label(tmp_path):
    rows = [("one", "a"), ("two", "a"), ("three", "b"), ("four", "b"), ("five", "")]
    with (tmp_path / "texts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "category"), *rows])
    with Collection(tmp_path / "t.lookalike", embedder=FakeTextEmbedder()) as texts:
        texts.add(tmp_path / "texts.csv", column="text")
        items = texts.open_space().items
        truth = labels_by_field(items, "category")
        assert truth.names == ("a", "b")
        with pytest.raises(UsageError, match="no item has the field 'kind'; there are: folder, category"):
            labels_by_field(items, "kind")
        with pytest.raises(UsageError, match=r"all items have one label by folder, 'texts.csv'"):
            labels_by_folder(items)


def test_a_csv_names_items_by_id_or_path_and_its_oddities_are_told(items, photos, tmp_path):
    lines = [
        "file,label",
        "photos/cat/0.png,x",
        f"{tmp_path / 'photos' / 'cat' / '1.png'},x",
        "photos/cat/2.png,y",
        "photos/cat/3.png,y",
        "photos/dog/4.png,y",
        "photos/dog/4.png,x",
        "photos/none.png,x",
        ",",
    ]
    (tmp_path / "labels.csv").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    truth = labels_from_csv(tmp_path / "labels.csv", items)
    assert truth.ids.tolist() == sorted(id_of(items, str(at)) for at in range(4))
    assert truth.problems == (
        "labels for items that the collection does not have: 1 (photos/none.png)",
        "items with more than one label, left out: 1",
    )
    (tmp_path / "ids.csv").write_text("label,id\na,1\na,2\nb,3\nb,4\n")
    assert labels_from_csv(tmp_path / "ids.csv", items).ids.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,class\n1,a\n", r"has the columns name, class; it needs label, and id, uri, path or file"),
        ("", r"has the columns \(none\)"),
        ("id,label\n1,a\n2,b\n", r"no two items have the same label by .*2 labels have only one item each"),
        ("id,label\n90,a\n91,a\n", r"no two items .* does not have: 2 \(90, 91\)"),
        (f"id,label\n{'9' * 30},a\n\0,a\n", r"no two items .* does not have: 2 \(9{30}, \0\)"),
        ("id,label\n1,a\n2,a\n", r"all items have one label by .*, 'a': nothing could be wrong"),
    ],
)
def test_labels_that_measure_nothing_are_refused_in_one_line(items, tmp_path, content, said):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(UsageError, match=said) as caught:
        labels_from_csv(tmp_path / "labels.csv", items)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_said(items, tmp_path):
    with pytest.raises(NotFoundError, match="cannot be read: No such file"):
        labels_from_csv(tmp_path / "none.csv", items)
    (tmp_path / "latin.csv").write_bytes(b"id,label\n1,caf\xe9\n")
    with pytest.raises(UsageError, match="no text file in UTF-8"):
        labels_from_csv(tmp_path / "latin.csv", items)


def test_qrels_grade_items_for_queries(items, tmp_path):
    (tmp_path / "some.qrels").write_text("1 0 2 1\n1 0 3 0\n\n1 0 77 1\nphotos/cat/0.png 0 4 2\n")
    truth = qrels(tmp_path / "some.qrels", items)
    assert truth.candidates is None
    first = id_of(items, "0")
    assert set(truth.queries.tolist()) == {1, first}
    assert truth.relevant(1)[0].tolist() == ([2, 4] if first == 1 else [2])
    assert truth.problems == ("names for items that the collection does not have: 1 (77)",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1 0 2\n", "line 1: expected query, 0, item and grade, got '1 0 2'"),
        ("1 0 2 inf\n", "line 1: expected query, 0, item and grade, got '1 0 2 inf'"),
        ("1 0 2 nan\n", "line 1: expected query, 0, item and grade, got '1 0 2 nan'"),
        ("1 0 2 1\n1 0 3 high\n", "line 2: expected query, 0, item and grade, got '1 0 3 high'"),
        ("1 0 2 0\n", "names no relevant item for any query"),
        ("80 0 81 1\n", r"names no relevant item .* does not have: 2 \(80, 81\)"),
    ],
)
def test_qrels_of_another_form_or_without_use_are_refused(items, tmp_path, content, said):
    (tmp_path / "odd.qrels").write_text(content)
    with pytest.raises(UsageError, match=said):
        qrels(tmp_path / "odd.qrels", items)


def test_votes_are_judgements_and_stale_ones_are_left_out(photos, items, make_photo, tmp_path):
    ids = [item.id for item in photos.items()]
    photos.vote(f"item:{ids[0]}", ids[1], 1)
    photos.vote(f"item:{ids[0]}", ids[2], -1)
    same = photos.item(ids[3])
    photos.vote(f"photo:{same.content_hash.hex()[:32]}", ids[4], 1)
    photos.vote('words:"a dog"', ids[5], 1)
    photos.vote(f"item:{ids[0]}", ids[6], 1)
    photos.remove(ids[6])
    truth = from_votes(photos.votes(), items)
    assert truth.grades == {ids[0]: {ids[1]: 1.0, ids[2]: 0.0}, ids[3]: {ids[4]: 1.0}}
    assert truth.only_judged
    assert truth.problems == (
        "votes on items that were removed or have changed, left out: 1",
        "votes on queries that are no single item, left out: 1",
    )


@pytest.mark.parametrize(
    ("folders", "labels", "told"),
    [
        (["2019/holiday", "2020/holiday"], ["2019/holiday", "2020/holiday"], True),
        (["a/x/y", "a/x/z", "a/x/y/deep"], ["y", "y/deep", "z"], False),
        ([".", "cat"], ["cat", "set"], False),
        (["a/b", "b"], ["a/b", "b"], True),
        (["set/set", "set/other"], ["other", "set"], False),
    ],
)
def test_folders_of_one_name_at_two_places_are_two_labels(tmp_path, make_photo, folders, labels, told):
    root = tmp_path / "set"
    for at, folder in enumerate(folders):
        for number in (1, 2):
            make_photo(root / folder / f"{at}-{number}.png", 10 * at + number)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(root)
        truth = labels_by_folder(collection.open_space().items)
    assert sorted(truth.names) == labels
    assert any("labels of their own" in each for each in truth.problems) == told


@pytest.mark.parametrize("singles", [1, 5])
def test_one_pair_among_singles_is_enough(tmp_path, make_photo, singles):
    for name in ("pair/1", "pair/2", *(f"single{at}/x" for at in range(singles))):
        make_photo(tmp_path / "photos" / f"{name}.png", len(name) * 31 + ord(name[-3]))
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(tmp_path / "photos")
        truth = labels_by_folder(collection.open_space().items)
    assert truth.names == ("pair",)
    assert (len(truth.queries), len(truth.candidates)) == (2, 2 + singles)
