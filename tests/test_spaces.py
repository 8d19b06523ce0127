"""Several spaces in one collection: the one for words beside the first, and further models."""

import numpy as np
import pytest
from PIL import Image

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakePairedEmbedder, FakeWordsEmbedder
from lookalike.errors import ModelMismatchError, NotFoundError, UsageError
from lookalike.records import SearchOptions, Words
from lookalike.search.queries import Example

COLOURS = {"red": (250, 5, 5), "green": (5, 250, 5), "blue": (5, 5, 250), "yellow": (250, 250, 5)}


@pytest.fixture
def colours(tmp_path):
    """A folder with a photo of each of four colours."""
    folder = tmp_path / "colours"
    folder.mkdir()
    for name, colour in COLOURS.items():
        pixels = np.full((60, 60, 3), colour, np.uint8)
        pixels[::7] = np.random.default_rng(len(name)).integers(0, 256, (9, 60, 3))
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def collection(tmp_path):
    with Collection(tmp_path / "c.lookalike", embedder=FakePairedEmbedder()) as collection:
        yield collection


@pytest.fixture
def second(monkeypatch):
    """Make further models, by their names, known to what loads them."""
    made = {"second": FakeEmbedder(dim=16, name="second"), "paired": FakePairedEmbedder(name="paired")}
    made |= {"fake": FakePairedEmbedder(), "texts": FakeWordsEmbedder(name="texts")}
    made["texts"].spec = type(made["texts"].spec)(
        "texts", "0" * 64, made["texts"].spec.view, 32, "text", "texts"
    )
    for name in ("second", "paired"):
        spec = made[name].spec
        made[name].spec = type(spec)(spec.name, spec.model_id, spec.view, spec.dim, "photo", name)
    monkeypatch.setattr(
        "lookalike.embedders.load.load_embedder", lambda reference, device, **_: made[reference]
    )
    return made


def name_of(hit):
    return hit.uri.rsplit("/", 1)[-1].removesuffix(".png")


def spaces(collection):
    return {space.name: space for space in collection.info().spaces}


def test_an_add_fills_both_spaces_with_one_reading_of_each_photo(collection, colours, monkeypatch):
    asked = []
    whole = type(collection._opened.decoder).photos

    def counted(self, requests):
        requests = list(requests)
        asked.extend(request.uri for request in requests)
        return whole(self, iter(requests))

    monkeypatch.setattr(type(collection._opened.decoder), "photos", counted)
    assert collection.add(colours).added == 4
    assert sorted(asked) == sorted(str(colours / f"{name}.png") for name in COLOURS)
    found = spaces(collection)
    assert {name: (each.vectors, each.missing) for name, each in found.items()} == {
        "fake": (4, 0),
        "fake-words": (4, 0),
    }
    assert found["fake"].is_default and not found["fake"].takes_words
    assert found["fake-words"].takes_words and not found["fake-words"].is_default
    assert collection.verify().sound


@pytest.mark.parametrize("colour", COLOURS)
def test_words_are_answered_in_the_space_that_takes_them(collection, colours, colour):
    collection.add(colours)
    result = collection.search(Words(f"something {colour}"), 4)
    assert result.space == "fake-words"
    assert name_of(result[0]) == colour
    assert collection.search(1, 3).space == "fake"


@pytest.mark.parametrize("colour", COLOURS)
def test_the_space_of_a_model_is_searched_by_words_in_the_one_beside_it(collection, colours, second, colour):
    collection.add(colours)
    collection.add_model("second")  # it takes no words
    collection.add_model("paired")
    words = Words(f"something {colour}")
    for named in ("fake", "fake-words"):
        (result,) = collection.answer([words], SearchOptions(4, space=named))
        assert (result.space, name_of(result[0])) == ("fake-words", colour)
        query = [Example(colours / "red.png"), Example(words)]
        (both,) = collection.answer([query], SearchOptions(4, space=named))
        assert both.space == "fake-words"
    assert collection._opened.space("paired", words=True).name == "paired-words"
    (by_item,) = collection.answer([1], SearchOptions(3, space="paired"))
    assert by_item.space == "paired"
    with pytest.raises(UsageError, match="the model second takes no words"):
        collection.answer([words], SearchOptions(4, space="second"))


def test_words_a_photo_and_unlike_examples_are_one_query(collection, colours):
    collection.add(colours)
    query = [Example(colours / "red.png"), Example(Words("green")), Example(Words("yellow"), -0.9)]
    (result,) = collection.answer([query], SearchOptions(4))
    assert result.space == "fake-words"
    assert [name_of(hit) for hit in result][-1] == "yellow"


def test_a_copy_gets_the_vectors_of_its_twin_in_both_spaces(collection, colours):
    collection.add(colours)
    (colours / "again.png").write_bytes((colours / "red.png").read_bytes())
    assert collection.add(colours).added == 1
    assert {space.missing for space in collection.info().spaces} == {0}
    (item,) = collection.items(where="uri=*again.png")
    assert name_of(collection.search(item.id, 1)[0]) == "red"


def test_a_changed_photo_changes_in_both_spaces(collection, colours):
    collection.add(colours)
    (colours / "red.png").write_bytes((colours / "blue.png").read_bytes() + b"\0")
    assert collection.add(colours).updated == 1
    hits = collection.search(Words("blue"), 2)
    assert {name_of(hit) for hit in hits} == {"red", "blue"}


def test_an_older_collection_gets_its_space_for_words_by_the_next_add(tmp_path, colours):
    path = tmp_path / "c.lookalike"
    with Collection(path, embedder=FakeEmbedder()) as before:
        before.add(colours)
    with Collection(path, embedder=FakePairedEmbedder()) as after:
        with pytest.raises(UsageError, match="run lookalike add once"):
            after.search(Words("red"))
        assert after.add(colours).unchanged == 4
        assert name_of(after.search(Words("red"))[0]) == "red"


def test_a_second_model_is_added_used_and_the_first_dropped(collection, colours, second):
    collection.add(colours)
    space, left = collection.add_model("second")
    assert (space.name, space.dim, left) == ("second", 16, 0)
    assert collection.search(1).space == "fake"  # goes on serving
    assert collection.answer([1], SearchOptions(space="second"))[0].space == "second"
    collection.use_model("second")
    assert collection.search(1).space == "second"
    collection.drop_model("fake")
    assert list(spaces(collection)) == ["second"]
    tables = "SELECT name FROM sqlite_master WHERE name GLOB 'vectors_?'"
    assert len(collection._opened.store().database.fetch(tables)) == 1
    with pytest.raises(NotFoundError, match="no space named 'fake'"):
        collection.use_model("fake")


def test_new_photos_reach_every_space(tmp_path, collection, colours, second, make_photo):
    collection.add(colours)
    collection.add_model("second")
    make_photo(colours / "new.png", 3)
    assert collection.add(colours).added == 1
    assert {space.name: space.vectors for space in collection.info().spaces} == {
        "fake": 5,
        "fake-words": 5,
        "second": 5,
    }
    collection.use_model("second")
    with Collection(collection.path) as plain:  # knows its models by their references
        make_photo(colours / "newer.png", 4)
        assert plain.add(colours).added == 1
        assert spaces(plain)["second"].vectors == 6


def test_photos_that_are_gone_stay_in_the_spaces_they_have(collection, colours, second):
    collection.add(colours)
    (colours / "red.png").unlink()
    (colours / "blue.png").write_bytes((colours / "green.png").read_bytes())
    _, left = collection.add_model("second")
    assert left == 2
    assert spaces(collection)["second"].missing == 2
    assert spaces(collection)["fake"].missing == 0
    assert collection.verify().sound


def test_a_filling_that_is_interrupted_goes_on(collection, colours, second):
    collection.add(colours)

    def stop(name, done, total):
        if name.startswith("filling"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collection.add_model("second", on_step=stop)
    assert spaces(collection)["second"].vectors in range(1, 5)
    assert collection.add_model("second")[1] == 0
    assert spaces(collection)["second"].vectors == 4


def test_the_default_is_not_dropped_and_a_model_of_texts_is_no_model_for_photos(collection, colours, second):
    collection.add(colours)
    with pytest.raises(UsageError, match="is the default; make another one that first"):
        collection.drop_model("fake")
    with pytest.raises(ModelMismatchError, match="holds photos, but texts embeds texts"):
        collection.add_model("texts")
    assert list(spaces(collection)) == ["fake", "fake-words"]


def test_dropping_a_model_drops_the_space_filled_beside_it(collection, colours, second):
    collection.add(colours)
    collection.add_model("paired")
    assert list(spaces(collection)) == ["fake", "fake-words", "paired", "paired-words"]
    collection.drop_model("paired")
    assert list(spaces(collection)) == ["fake", "fake-words"]


def test_a_dropped_space_leaves_nothing_to_the_next_of_its_number(collection, colours, second):
    collection.add(colours)
    collection.add_model("paired")
    before = [name_of(hit) for hit in collection.answer([1], SearchOptions(3, space="paired"))[0]]
    collection.drop_model("paired")
    collection.add_model("second")
    after = collection.answer([1], SearchOptions(3, space="second"))[0]
    assert len(after) == len(before) == 3


def test_damage_in_a_further_space_is_repaired(collection, colours):
    collection.add(colours)
    with collection._opened.store().database.writing() as connection:
        connection.execute("UPDATE vectors_2 SET checksum = checksum + 1 WHERE item_id = 2")
        connection.execute("DELETE FROM vectors_2 WHERE item_id = 3")
    report = collection.verify()
    assert [each.what for each in report.damage] == ["vector of item 2 in fake-words"]
    assert collection.verify(repair=True).sound
    assert {space.missing for space in collection.info().spaces} == {0}


def test_without_its_model_a_space_is_searched_by_items(tmp_path, colours):
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(colours)
    with Collection(tmp_path / "c.lookalike") as plain:
        assert len(plain.search(1, 3)) == 3
        with pytest.raises(UsageError, match="imported without their model"):
            plain.search(colours / "red.png")


def test_words_go_to_a_model_of_their_own_once_all_items_are_in_it(collection, colours, second, monkeypatch):
    """What reads photos and words understands more than the space that is filled beside the default."""
    collection.add(colours)
    of_words = FakeWordsEmbedder(dim=16, name="second")
    of_words.spec = second["second"].spec
    second["second"] = of_words
    space, _ = collection.add_model("second")
    embedders = type(collection._opened.embedders)
    monkeypatch.setattr(embedders, "take_words", lambda _, space: space.name in ("second", "fake-words"))
    with collection.engine.store.database.writing() as connection:
        connection.execute(f"DELETE FROM vectors_{space.id} WHERE item_id = 1")
    found = collection.search(Words("red"), 4)
    assert (found.space, len(found)) == ("fake-words", 4)
    collection.add_model("second")
    assert collection.search(Words("red"), 1).space == "second"
    assert collection.search(Words("red"), 1, space="fake").space == "fake-words"
