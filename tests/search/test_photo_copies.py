"""Which photos are folded as copies: those that look the same, whatever they were found by."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lookalike import Collection
from lookalike.embedders import COMPANION
from lookalike.embedders.fake import FakePairedEmbedder
from lookalike.embedders.vectors import unit_length
from lookalike.matching.hashes import ALIKE_BITS, TURN_NAMES, turned
from lookalike.records import Hit, SearchOptions, Space, Words
from lookalike.search.copies import (
    NEAR_COPY,
    NEAR_COPY_OF_PHOTO,
    SAME_PHOTO,
    mark_copies,
    space_of_copies,
)
from lookalike.search.queries import Example

OPTIONS = SearchOptions(30, mark_copies=True)


class OneKind(FakePairedEmbedder):
    """A model to whose words all photos are the same."""

    def __init__(self):
        super().__init__()
        self.companion.embed = lambda pixels: unit_length(np.ones((len(pixels), 12), np.float32))

    def embed_pair(self, pixels):
        return self.embed(pixels), self.companion.embed(pixels)


@pytest.fixture
def collection(tmp_path, make_photo):
    """Twelve photos that words cannot tell apart, and a smaller copy of one."""
    photos = [make_photo(tmp_path / "photos" / f"{seed:02}.png", seed) for seed in range(12)]
    with Image.open(photos[3]) as picture:
        picture.resize((48, 32)).save(tmp_path / "photos" / "03-small.png")
    with Collection(tmp_path / "c.lookalike", embedder=OneKind()) as made:
        made.add(tmp_path / "photos")
        yield made


def folded(result):
    """The names of the hits that are folded into another."""
    return [hit.uri.rsplit("/", 1)[1] for hit in result if hit.copy_of is not None]


@pytest.mark.parametrize(
    ("query", "space"),
    [
        (Words("red"), None),
        ([Example(Words("red")), Example(1)], None),
        ([Example(Words("red")), Example(Words("blue"), -0.5)], None),
        (1, "fake-words"),
        ([Example(1), Example(2)], "fake-words"),
        (1, "fake"),
    ],
)
def test_only_what_looks_the_same_is_folded(collection, query, space):
    (result,) = collection.answer([query], replace(OPTIONS, space=space))
    assert len(result) >= 11
    assert len(folded(result)) == 1 and folded(result)[0].startswith("03")


def test_nor_where_words_are_searched_by_default(collection):
    collection.use_model("fake-words")
    assert len(folded(collection.answer([Words("red")], OPTIONS)[0])) == 1


def spaces(*references, approximate=()):
    return [
        Space(at, f"s{at}", "m", 4, at == 1, "photo", reference, at in approximate)
        for at, reference in enumerate(references, 1)
    ]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (spaces("lite", COMPANION + "lite"), 1),
        (spaces(COMPANION + "lite", "lite"), 2),
        (spaces("lite", "clip", "dino"), 1),
        (spaces("", "clip", approximate=[1]), 2),
        (spaces("", approximate=[1]), None),
        (spaces(COMPANION + "lite"), None),
    ],
)
def test_the_space_that_tells_copies_is_of_looks(there, expected):
    class Engine:
        def spaces(self):
            return there

    for searched in there:
        found = space_of_copies(Engine(), searched)
        assert (found and found.id) == expected
    text = Space(9, "t", "m", 4, True, "text", "minilm")
    assert space_of_copies(Engine(), text) is text


def shots(*taken):
    """Hits that look the same, each with the moment it was taken, and their vectors."""
    hits = [
        Hit(at, f"/{at}.jpg", 0.9, {} if each is None else {"taken": each}, b"")
        for at, each in enumerate(taken, 1)
    ]
    return hits, np.repeat(np.eye(1, 4, dtype=np.float32), len(hits), axis=0)


@pytest.mark.parametrize(
    ("taken", "copies"),
    [
        (("2024-05-01T10:00:00", "2024-05-01T10:00:01"), [None, None]),
        (("2024-05-01T10:00:00", "2024-05-01T10:00:00"), [None, 1]),
        (("2024-05-01T10:00:00", None), [None, 1]),
        ((None, "2024-05-01T10:00:00"), [None, 1]),
        ((None, None, None), [None, 1, 1]),
        (("a", "b", "a", "b", None), [None, None, 1, 2, 1]),
    ],
)
def test_shots_of_different_moments_are_different_photos(taken, copies):
    hits, rows = shots(*taken)
    assert [hit.copy_of for hit in mark_copies(hits, rows)] == copies


def test_the_bar_is_where_it_is_said_to_be():
    def two(score):
        return np.array([[1, 0], [score, np.sqrt(1 - score * score)]], np.float32)

    photos, _ = shots(None, None)
    for hits, bar in ((photos, SAME_PHOTO), ([replace(hit, text="a") for hit in photos], NEAR_COPY)):
        assert mark_copies(hits, two(bar + 1e-4))[1].copy_of == 1
        assert mark_copies(hits, two(bar - 1e-4))[1].copy_of is None


@pytest.mark.parametrize(
    ("score", "differing", "is_copy"),
    [
        (NEAR_COPY_OF_PHOTO + 1e-4, ALIKE_BITS, True),
        (NEAR_COPY_OF_PHOTO - 1e-4, 0, False),
        (0.9999, ALIKE_BITS + 1, False),
        (0.9999, 256, False),
    ],
)
def test_both_score_and_hash_must_say_so(score, differing, is_copy):
    rows = np.array([[1, 0], [score, np.sqrt(1 - score * score)]], np.float32)
    photos, _ = shots(None, None)
    hashes = (f"{0:064x}", f"{(1 << differing) - 1:064x}")
    hits = [replace(hit, metadata={"phash": each}) for hit, each in zip(photos, hashes, strict=True)]
    assert (mark_copies(hits, rows)[1].copy_of == 1) == is_copy


@pytest.mark.parametrize(("turn", "name"), list(enumerate(TURN_NAMES))[1:])
@pytest.mark.parametrize("differing", [0, ALIKE_BITS, ALIKE_BITS + 1])
def test_in_another_position_the_hash_alone_says_so(turn, name, differing):
    bits = np.random.default_rng(turn).integers(0, 256, (1, 32), dtype=np.uint8)
    lying = np.unpackbits(turned(bits, turn), axis=1)
    lying[:, :differing] ^= 1
    facts = [{"phash": each.tobytes().hex()} for each in (bits, np.packbits(lying, axis=1))]
    photos, _ = shots(None, None)
    hits = [replace(hit, metadata=each) for hit, each in zip(photos, facts, strict=True)]
    first, copy = mark_copies(hits, np.eye(2, dtype=np.float32))
    assert (first.copy_of, first.copy_how) == (None, ())
    assert (copy.copy_of, copy.copy_how) == ((1, name) if differing <= ALIKE_BITS else (None, ()))
    taken = [replace(hit, metadata={**hit.metadata, "taken": str(hit.id)}) for hit in hits]
    assert mark_copies(taken, np.eye(2, dtype=np.float32))[1].copy_of is None


def test_alike_in_the_same_position_the_score_decides_though_a_turned_one_were_nearer():
    """A picture that is nearly the same about its diagonal."""
    signs = np.triu(np.random.default_rng(1).integers(0, 2, (16, 16), dtype=np.uint8))
    signs |= signs.T
    signs[0, 1:8] ^= 1
    bits = np.packbits(signs.reshape(1, -1), axis=1)
    about = turned(bits, 5)
    assert np.bitwise_count(bits ^ about).sum() == 14
    facts = [{"phash": each.tobytes().hex()} for each in (bits, about)]
    photos, _ = shots(None, None)
    hits = [replace(hit, metadata=each) for hit, each in zip(photos, facts, strict=True)]
    for score in (NEAR_COPY_OF_PHOTO - 1e-4, NEAR_COPY_OF_PHOTO + 1e-4):
        rows = np.array([[1, 0], [score, np.sqrt(1 - score * score)]], np.float32)
        copy = mark_copies(hits, rows)[1]
        assert (copy.copy_of == 1, copy.copy_how) == (score > NEAR_COPY_OF_PHOTO, ())


@pytest.mark.parametrize("count", [300, 1_100])
def test_far_apart_in_a_long_answer_they_are_found_too(count):
    chance = np.random.default_rng(0)
    bits = chance.integers(0, 256, (count, 32), dtype=np.uint8)
    bits[count - 1] = turned(bits[5:6], 1)
    bits[count - 2] = bits[count - 3]  # of the last of 1,100, none is looked for among the last
    hits = [Hit(at, "", 0.9, {"phash": each.tobytes().hex()}, b"%d" % at) for at, each in enumerate(bits)]
    rows = chance.normal(size=(count, 64)).astype(np.float32)
    rows[count - 2] = rows[count - 3]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked = []
    marked = mark_copies(hits, rows, told=lambda best: asked.append(len(best)) or {})
    found = {hit.id: hit.copy_of for hit in marked if hit.copy_of is not None}
    assert found == {count - 1: 5} | ({count - 2: count - 3} if count == 300 else {})
    assert asked == [min(count, 1_000)]


def test_what_is_known_goes_before_what_hash_and_score_say():
    photos, rows = shots("a", "b", "a", None)
    hits = [replace(hit, content_hash=b"%d" % hit.id) for hit in photos]
    assert [hit.copy_of for hit in mark_copies(hits, rows)] == [None, None, 1, 1]
    known = {(b"2", b"1"): lambda: ("cropped",), (b"3", b"1"): None, (b"4", b"1"): None, (b"4", b"2"): None}
    marked = mark_copies(hits, rows, told=lambda _: known)
    assert [(hit.copy_of, hit.copy_how) for hit in marked] == [
        (None, ()),
        (1, ("cropped",)),
        (None, ()),
        (3, ()),
    ]


@pytest.mark.parametrize("value", ["", "no hash", "12", 7, "f" * 16, "f" * 66])
def test_another_value_of_that_name_is_no_hash(value):
    photos, rows = shots(None, None, None)
    stated = ({"phash": value}, {"phash": "0" * 64}, {})
    hits = [replace(hit, metadata=each) for hit, each in zip(photos, stated, strict=True)]
    assert [hit.copy_of for hit in mark_copies(hits, rows)] == [None, 1, 1]


def test_an_item_without_a_vector_there_is_a_copy_of_nothing(collection):
    engine = collection.engine
    default = next(space for space in engine.spaces() if space.is_default)
    from lookalike.search.copies import rows_of

    rows = rows_of(engine, default, np.array([999, 2, 1], np.int64))
    assert not rows[0].any()
    block = engine.vectors(default).fetch([1, 2])
    assert np.array_equal(rows[1:], block.rows[::-1])


def test_alike_photos_of_a_kind_are_not_folded_and_copies_are(tmp_path, shared_data):
    """Signs, symbols and leopards, which come as near as 0.955, beside one photo in many colour modes.

    Two drawings among them are one, on white and on grey.
    """
    kinds = [shared_data / "caltech50" / name for name in ("yin_yang", "Leopards", "euphonium", "butterfly")]
    with Collection(tmp_path / "c.lookalike") as collection:
        collection.add(*kinds, shared_data / "neardup" / "modes")
        every = [item.id for item in collection.items(limit=200)]
        results = collection.answer(
            [*every, Words("butterfly"), Words("yin yang")], SearchOptions(100, mark_copies=True)
        )
    pairs = {
        (hit.uri, leader.uri)
        for result in results
        for hit in result
        for leader in result
        if hit.copy_of == leader.id
    }
    assert len(pairs) >= 6
    one = {f"{shared_data}/caltech50/yin_yang/image_{number}.jpg" for number in ("0002", "0014")}
    assert all("/modes/" in uri for pair in pairs if set(pair) != one for uri in pair), pairs
