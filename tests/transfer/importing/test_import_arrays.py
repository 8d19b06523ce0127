"""Names and an array of vectors become a collection; whatever does not fit is refused in one line."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
from import_helpers import Imported, listed, random_rows, saved, unit

from helpers import CountingDecoder
from lookalike import Collection
from lookalike.decode.pool import DecodePool
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import DamagedError, LookalikeError, ModelMismatchError, NotFoundError, UsageError
from lookalike.store import Store
from lookalike.transfer.importing.arrays import open_npy, unit_rows
from lookalike.transfer.importing.checks import check_model
from lookalike.transfer.importing.context import ImportContext
from lookalike.transfer.importing.run import import_vectors
from lookalike.transfer.importing.source import ImportRequest, open_source


@pytest.fixture
def imported(tmp_path):
    return Imported(tmp_path / "c.lookalike")


@pytest.fixture
def photos(tmp_path, make_photo):
    """Thirty photos, in the order of their list."""
    for seed in range(30):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    return [f"{seed}.png" for seed in range(30)]


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_neighbours_are_those_of_the_array(tmp_path, imported, dtype, order):
    rows = random_rows(700)
    array = saved(tmp_path / "vgg.saved_predictions.npy", np.asarray(rows * 50, dtype, order=order))
    names = listed(tmp_path / "images.txt", [f"photo {at}.jpg" for at in range(700)])
    report = imported.add(array, names)
    assert (report.added, report.without_file, report.space.name) == (700, 700, "vgg")
    assert not report.space.approximate
    ids = [imported.uris()[str(tmp_path / f"photo {at}.jpg")] for at in range(700)]
    scores = unit(rows) @ unit(rows)[5]
    expected = [ids[at] for at in np.argsort(-scores)[1:6]]  # the item itself is no hit
    assert [item_id for item_id, _ in imported.hits(ids[5])] == expected
    assert imported.is_sound()


def test_run_again_nothing_is_doubled(tmp_path, imported):
    array = saved(tmp_path / "v.npy", random_rows(300))
    names = listed(tmp_path / "names.txt", [f"{at}.jpg" for at in range(300)])
    imported.add(array, names)
    before = imported.uris()
    report = imported.add(array, names)
    assert (report.added, report.unchanged) == (0, 300)
    assert imported.uris() == before


def test_a_run_that_broke_off_goes_on(tmp_path, imported):
    array = saved(tmp_path / "v.npy", random_rows(700))
    names = listed(tmp_path / "names.txt", [f"{at}.jpg" for at in range(700)])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with open_source(ImportRequest(array, names)) as source:
        store = Store(imported.folder, create=True)
        with pytest.raises(KeyboardInterrupt):
            import_vectors(ImportContext(store, CountingDecoder(), on_step=stop), source)
        store.close()
    assert len(imported.uris()) == 256
    report = imported.add(array, names)
    assert (report.added, report.unchanged) == (444, 256)
    assert len(imported.uris()) == 700


def test_photos_that_are_there_are_known_to_add_afterwards(tmp_path, imported, photos):
    rows = random_rows(30, 32)
    report = imported.add(
        saved(tmp_path / "v.npy", rows), listed(tmp_path / "photos" / "list.txt", photos), name="theirs"
    )
    assert (report.added, report.without_file) == (30, 0)
    with Collection(imported.folder) as collection:
        item = collection.items(limit=1)[0]
        assert item.uri == str(tmp_path / "photos" / "0.png")
        assert (item.metadata["width"], item.metadata["format"]) == (96, "PNG")
        assert collection.thumbnail(item.id)
        with pytest.raises(UsageError, match="without their model"):
            collection.search(tmp_path / "photos" / "0.png")


def test_with_their_model_photos_search_them_and_add_goes_on(tmp_path, imported, photos, make_photo):
    embedder = FakeEmbedder()
    with Collection(tmp_path / "made.lookalike", embedder=embedder) as made:
        made.add(tmp_path / "photos")
        rows = {item.uri: item.id for item in made.items(limit=100)}
    vectors = Imported(made.path).vectors("fake")
    ordered = np.stack([vectors[rows[str(tmp_path / "photos" / name)]] for name in photos])
    array = saved(tmp_path / "v.npy", ordered * 3)
    names = listed(tmp_path / "names.txt", photos)
    report = imported.add(array, names, base=tmp_path / "photos", model=embedder.spec)
    assert (report.added, report.space.name) == (30, "fake")
    make_photo(tmp_path / "photos" / "new.png", 99)
    with Collection(imported.folder, embedder=embedder) as collection:
        result = collection.search(tmp_path / "photos" / "7.png", 1)
        assert result[0].uri.endswith("7.png")
        assert result[0].score == pytest.approx(1, abs=1e-6)
        again = collection.add(tmp_path / "photos")
        assert (again.unchanged, again.added) == (30, 1)


def test_vectors_of_another_model_are_told_apart_from_its_own(tmp_path, imported, photos):
    embedder = FakeEmbedder()
    names = listed(tmp_path / "photos" / "names.txt", photos)
    request = ImportRequest(saved(tmp_path / "v.npy", random_rows(30, 32)), names)
    with (
        DecodePool(1) as decoder,
        open_source(request, embedder.spec) as source,
        pytest.raises(ModelMismatchError, match=r"not those of the model fake: .* 5 of the same photos"),
    ):
        check_model(source, embedder, decoder)


def test_known_items_get_a_second_space_and_new_ones_wait_for_the_first(tmp_path, imported, photos):
    embedder = FakeEmbedder()
    with Collection(imported.folder, embedder=embedder) as collection:
        collection.add(*(tmp_path / "photos" / name for name in photos[:20]))
    before = imported.uris()
    names = listed(tmp_path / "photos" / "list.txt", [*photos, "gone.png"])
    report = imported.add(saved(tmp_path / "v.npy", random_rows(31)), names, name="second")
    # The fake has no reference, so that nothing could embed further items in its space.
    assert (report.filled, report.added, report.skipped) == (20, 0, 11)
    assert imported.uris() == before
    assert imported.is_sound()
    again = imported.add(tmp_path / "v.npy", names, name="second")
    assert (again.filled, again.unchanged) == (0, 20)
    with Collection(imported.folder, embedder=embedder) as collection:
        assert [space.name for space in collection.info().spaces] == ["fake", "second"]
        reasons = {each.reason for each in collection.skipped()}
    assert reasons == {"not in the collection, and fake has no model that could embed it"}


def test_new_items_are_whole_in_the_first_space_from_their_first_commit(tmp_path, imported, photos):
    embedder = FakeEmbedder()
    with Collection(imported.folder, embedder=embedder) as collection:
        collection.add(*(tmp_path / "photos" / name for name in photos[:20]))
    names = listed(tmp_path / "photos" / "list.txt", [*photos, "gone.png"])
    told = []

    def stop(committed):
        told.append(committed)
        if committed.outcome == "added":
            raise KeyboardInterrupt

    array = saved(tmp_path / "v.npy", random_rows(31))
    with pytest.raises(KeyboardInterrupt):
        imported.add(array, names, name="second", default=embedder, on_commit=stop)
    with Collection(imported.folder, embedder=embedder) as collection:
        assert {space.name: space.missing for space in collection.info().spaces} == {"fake": 0, "second": 0}
        assert collection.verify().sound
    report = imported.add(array, names, name="second", default=embedder)
    assert (report.filled, report.unchanged, report.added, report.skipped) == (0, 30, 0, 1)
    with Collection(imported.folder, embedder=embedder) as collection:
        assert [space.vectors for space in collection.info().spaces] == [30, 30]
        assert collection.verify().sound
        fresh = next(item for item in collection.items() if item.uri.endswith(photos[25]))
        with Collection(tmp_path / "alone.lookalike", embedder=embedder) as alone:
            alone.add(tmp_path / "photos")
            twin = next(item for item in alone.items() if item.uri == fresh.uri)
            hits = [(hit.uri, hit.score) for hit in collection.search(fresh.id, 5)]
            assert hits == [(hit.uri, hit.score) for hit in alone.search(twin.id, 5)]


def test_rows_without_a_direction_are_skipped_with_the_reason(tmp_path, imported):
    rows = random_rows(6)
    rows[1], rows[2, 3], rows[4, 0] = 0, np.nan, np.inf
    names = listed(tmp_path / "names.txt", [f"{at}.jpg" for at in range(6)])
    report = imported.add(saved(tmp_path / "v.npy", rows), names)
    assert (report.added, report.skipped) == (3, 3)
    with Collection(imported.folder) as collection:
        reasons = {each.uri.rpartition("/")[2]: each.reason for each in collection.skipped()}
    assert "all zeros" in reasons["1.jpg"]
    assert "no finite number" in reasons["2.jpg"]
    assert "no finite number" in reasons["4.jpg"]


def test_huge_and_tiny_numbers_keep_their_direction():
    rows, problems = unit_rows(np.array([[3e300, 4e300], [3e-300, 4e-300]]))
    assert not problems
    assert rows == pytest.approx(np.array([[0.6, 0.8], [0.6, 0.8]]))


@pytest.mark.parametrize("names", [299, 301])
def test_another_length_is_refused_with_both_numbers(tmp_path, imported, names):
    array = saved(tmp_path / "v.npy", random_rows(300))
    with pytest.raises(UsageError, match=rf"300 vectors, but .*list\.txt has {names} names"):
        imported.add(array, listed(tmp_path / "list.txt", [f"{at}.jpg" for at in range(names)]))
    assert not imported.folder.exists()


def write_object_array(path):
    np.save(path, np.array([{"a": 1}, None]), allow_pickle=True)


UNFIT = {
    "objects.npy": (write_object_array, UsageError, "pickles"),
    "pickle.npy": (lambda path: path.write_bytes(pickle.dumps([1.0])), UsageError, "is a pickle"),
    "vectors.pkl": (lambda path: path.write_bytes(pickle.dumps([1.0])), UsageError, "is a pickle"),
    "old.npy": (lambda path: path.write_bytes(pickle.dumps([1.0], 2)), UsageError, "is a pickle"),
    "empty.npy": (lambda path: path.write_bytes(b""), UsageError, "no .npy file"),
    "some.npz": (lambda path: np.savez(path, a=random_rows(3)), UsageError, "an .npz archive"),
    "ints.npy": (lambda path: np.save(path, np.ones((3, 4), int)), UsageError, "int64 values"),
    "flat.npy": (lambda path: np.save(path, np.ones(3, "f4")), UsageError, r"shape \(3,\)"),
    "deep.npy": (lambda path: np.save(path, np.ones((3, 4, 5), "f4")), UsageError, r"shape \(3, 4, 5\)"),
    "none.npy": (lambda path: np.save(path, np.ones((0, 4), "f4")), UsageError, r"shape \(0, 4\)"),
    "wide.npy": (lambda path: np.save(path, np.ones((1, 70_000), "f2")), UsageError, "70,000 numbers"),
    "header.npy": (
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': [[[[[["),
        DamagedError,
        "is damaged",
    ),
    "absent.npy": (lambda path: None, NotFoundError, "no such file"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_array_of_vectors_is_refused(tmp_path, imported, name):
    write, kind, words = UNFIT[name]
    write(tmp_path / name)
    with pytest.raises(kind, match=words) as caught:
        imported.add(tmp_path / name, listed(tmp_path / "list.txt", ["a.jpg"]))
    assert "\n" not in str(caught.value)
    assert not imported.folder.exists()


@pytest.mark.parametrize("cut", [7, 11, 60, 127, 128, 500, 128 + 4 * 16 * 300 - 1])
def test_an_array_cut_short_is_refused(tmp_path, imported, cut):
    array = saved(tmp_path / "v.npy", random_rows(300))
    array.write_bytes(array.read_bytes()[:cut])
    with pytest.raises(DamagedError, match="is damaged"):
        imported.add(array, listed(tmp_path / "list.txt", ["a.jpg"] * 300))
    assert not imported.folder.exists()


def test_an_array_that_shrinks_while_it_is_read_does_not_end_the_process(tmp_path):
    array = open_npy(saved(tmp_path / "v.npy", random_rows(3000)))
    blocks = array.blocks(500)
    next(blocks)
    os.truncate(array.path, 20_000)
    with pytest.raises(DamagedError, match="became shorter"):
        list(blocks)


def test_a_header_may_claim_more_than_there_is(tmp_path):
    path = tmp_path / "v.npy"
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 4096)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(1000))
    with pytest.raises(DamagedError, match="is damaged"):
        open_npy(path)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickled_list_is_refused(tmp_path, imported, protocol):
    path = tmp_path / "images.txt"
    path.write_bytes(pickle.dumps(["a.jpg"], protocol))
    with pytest.raises(UsageError, match="is a pickle, which may run any program"):
        imported.add(saved(tmp_path / "v.npy", random_rows(1)), path)


def test_a_list_of_other_bytes_is_refused(tmp_path, imported):
    path = tmp_path / "images.list"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UsageError, match="is no list"):
        imported.add(saved(tmp_path / "v.npy", random_rows(1)), path)


def test_names_in_tables_with_facts(tmp_path, imported):
    array = saved(tmp_path / "v.npy", random_rows(3))
    table = tmp_path / "t.csv"
    table.write_text('id,file,caption\n1,a.jpg,one\n2,b.jpg,"two\n lines"\n3,c.jpg,three\n')
    assert imported.add(array, table, column="file").added == 3
    lines = tmp_path / "t.jsonl"
    lines.write_text(
        "".join(json.dumps({"file": name, "score": 2}) + "\n" for name in ("a.jpg", "x.jpg", "y.jpg"))
    )
    report = imported.add(array, lines, name="t2")
    assert (report.filled, report.skipped) == (1, 2)
    with Collection(imported.folder) as collection:
        captions = {item.uri.rpartition("/")[2]: item.metadata.get("caption") for item in collection.items()}
    assert captions == {"a.jpg": "one", "b.jpg": "two\n lines", "c.jpg": "three"}


def test_addresses_stay_addresses(tmp_path, imported):
    names = ["https://example.org/a.jpg", "http://example.org/b.jpg?x=1", "c.jpg"]
    report = imported.add(saved(tmp_path / "v.npy", random_rows(3)), listed(tmp_path / "n.txt", names))
    assert report.without_file == 3
    assert set(imported.uris()) == {*names[:2], str(tmp_path / "c.jpg")}
    assert imported.is_sound()


@pytest.mark.skipif(os.name != "posix", reason="names that are bytes")
def test_names_that_are_not_utf8_find_their_files(tmp_path, imported, make_photo):
    made = make_photo(tmp_path / "a.png", 1)
    made.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    (tmp_path / "names.txt").write_bytes(b"caf\xe9.png\r\nb.png\r\n")
    report = imported.add(saved(tmp_path / "v.npy", random_rows(2)), tmp_path / "names.txt")
    assert (report.added, report.without_file) == (2, 1)


def test_a_name_listed_twice_is_one_item(tmp_path, imported):
    names = listed(tmp_path / "n.txt", ["a.jpg", "b.jpg", "a.jpg", "./a.jpg"])
    report = imported.add(saved(tmp_path / "v.npy", random_rows(4)), names)
    assert (report.added, report.unchanged) == (2, 2)


def test_a_file_that_is_no_photo_is_skipped(tmp_path, imported, make_photo):
    make_photo(tmp_path / "a.png", 1)
    (tmp_path / "b.png").write_text("no photo")
    names = listed(tmp_path / "n.txt", ["a.png", "b.png"])
    report = imported.add(saved(tmp_path / "v.npy", random_rows(2)), names)
    assert (report.added, report.skipped) == (1, 1)


def test_other_vectors_under_the_same_name_are_refused_unless_it_is_said(tmp_path, imported):
    one, two = listed(tmp_path / "1.txt", ["a.jpg"]), listed(tmp_path / "2.txt", ["b.jpg"])
    array = saved(tmp_path / "v.npy", random_rows(1, seed=1))
    imported.add(array, one)
    saved(array, random_rows(1, seed=2))
    with pytest.raises(ModelMismatchError, match="other vectors"):
        imported.add(array, two)
    assert imported.add(array, two, name="v").added == 1  # a second part of the same
    saved(array, random_rows(1, 8))
    with pytest.raises(ModelMismatchError, match=r"a dimension that contradicts: .* 8 numbers, .* v 16"):
        imported.add(array, two, name="v")
    with pytest.raises(ModelMismatchError, match=r"a dimension that contradicts: .* 8 numbers, .* fake 32"):
        imported.add(array, two, model=FakeEmbedder().spec)


def test_whether_names_or_texts_must_be_clear(tmp_path, imported):
    array = saved(tmp_path / "v.npy", random_rows(2))
    unclear = listed(tmp_path / "n.txt", ["one", "two"])
    with pytest.raises(UsageError, match="--photos or --texts"):
        imported.add(array, unclear)
    assert imported.add(array, unclear, kind="text").added == 2
    with pytest.raises(UsageError, match="holds texts"):
        imported.add(array, unclear, kind="photo", name="p")


@pytest.mark.parametrize("names", [None, "absent.txt"])
def test_a_list_must_be_there(tmp_path, imported, names):
    with pytest.raises(LookalikeError):
        imported.add(saved(tmp_path / "v.npy", random_rows(2)), names and tmp_path / names)
