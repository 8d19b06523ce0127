"""Conditions: what SQL finds is what a plain reading of them finds."""

from __future__ import annotations

import operator
import unicodedata
from re import DOTALL, compile, escape

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.errors import UsageError
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch, Store
from lookalike.store.filters import Filter, parse_filter, to_sql

COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CAMERAS = ["Canon EOS 5D", "canon eos 5d", "NIKON D70", "Caméra Été", "CAMÉRA ÉTÉ", "x[1]", "a?b", "*", ""]
FOLDERS = ["/p", "/p/a", "/p/a b", "/p/ä", "/p-2", "/q/[x]", "/q/%41"]
TAKEN = [
    "2018-12-31T23:59:59",
    "2019-01-01T00:00:00",
    "2019-06-15T12:30:00",
    "2019-06-30T08:00:00",
    "2020-02-29T10:00:00",
]


def facts_of(n: int) -> tuple[str, dict]:
    """Uri and metadata of the n-th item; some facts are missing."""
    dice = np.random.default_rng(n)
    metadata: dict = {"width": int(dice.integers(1, 6)) * 100, "height": int(dice.integers(1, 6)) * 100}
    if n % 5:
        metadata["camera"] = CAMERAS[n % len(CAMERAS)]
    if n % 3:
        metadata["taken"] = TAKEN[n % len(TAKEN)]
    if n % 4 == 0:
        metadata |= {"lat": float(dice.integers(-90, 91)), "lon": float(dice.integers(-180, 181))}
    metadata["format"] = ("JPEG", "PNG", "HEIF")[n % 3]
    return f"{FOLDERS[n % len(FOLDERS)]}/IMG {n}.jpg", metadata


ITEMS = {n + 1: facts_of(n) for n in range(120)}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("filters") / "f.lookalike", create=True)
    space = store.ensure_space("fake", "f" * 64, 4)
    photos = [
        (Photo(uri, FileStamp(n, n), bytes([n]) * 32, None, metadata), np.ones(4, np.float32))
        for n, (uri, metadata) in ITEMS.items()
    ]
    store.commit(space, PhotoBatch(photos), reader="r", is_gone=lambda _: False)
    yield store
    store.close()


def meets(item_id: int, condition: Filter) -> bool:
    """The definition of a filter, in Python."""
    uri, metadata = ITEMS[item_id]
    if condition.field == "folder":
        return uri.startswith(condition.value.rstrip("/") + "/") == (condition.operator == "=")
    facts = {**metadata, "id": item_id, "uri": uri}
    fact = facts.get(condition.field)
    if fact is None:
        return False
    if condition.field in ("id", "width", "height", "lat", "lon"):
        return COMPARE[condition.operator](fact, float(condition.value))
    has_wildcards = bool(set("*?") & set(condition.value))
    if condition.field == "taken" and not has_wildcards:
        fact = fact[: len(condition.value)]
    if condition.operator in ("=", "!="):
        pattern = "".join(
            {"*": ".*", "?": "."}.get(letter, escape(letter)) for letter in condition.value.lower()
        )
        matched = compile(pattern, DOTALL).fullmatch(fact.lower()) is not None
        return matched == (condition.operator == "=")
    return COMPARE[condition.operator](fact.encode(), condition.value.encode())


numbers = st.one_of(st.integers(-200, 700), st.floats(-200, 700, allow_nan=False)).map(str)
letters = st.text(st.sampled_from("canoCAN*?[]% ÉéD57x-^!\\"), max_size=8)
texts = st.one_of(st.sampled_from([*CAMERAS, "canon*", "*é*", "*É*", "?*", "x[[]1]"]), letters)
moments = st.sampled_from(TAKEN).flatmap(lambda t: st.integers(1, len(t)).map(lambda n: t[:n]))
operators = st.sampled_from(list(COMPARE))
conditions = st.one_of(
    st.builds(Filter, st.sampled_from(["id", "width", "height", "lat", "lon"]), operators, numbers),
    st.builds(Filter, st.sampled_from(["camera", "format", "uri"]), operators, texts),
    st.builds(Filter, st.just("taken"), operators, moments),
    st.builds(Filter, st.just("taken"), st.sampled_from(["=", "!="]), st.sampled_from(["*-06-*", "20??"])),
    st.builds(
        Filter,
        st.just("folder"),
        st.sampled_from(["=", "!="]),
        st.sampled_from([*FOLDERS, "/p/", "/", "/none"]),
    ),
)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(conditions, max_size=3))
def test_filters_find_what_their_definition_finds(store, asked):
    expected = [n for n in ITEMS if all(meets(n, condition) for condition in asked)]
    assert store.items.matching(asked).tolist() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("camera=canon*", Filter("camera", "=", "canon*")),
        ("  taken >= 2019-06 ", Filter("taken", ">=", "2019-06")),
        ("width!=100", Filter("width", "!=", "100")),
        ("uri=a=b", Filter("uri", "=", "a=b")),
        ("camera=", Filter("camera", "=", "")),
        ("folder=/a\nb", Filter("folder", "=", "/a\nb")),
        ("lat<-10.5", Filter("lat", "<", "-10.5")),
    ],
)
def test_conditions_are_read(text, expected):
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "camera",
        "=x",
        "a b=c",
        "shutter=1",
        "width=wide",
        "width=nan",
        "width=",
        "folder<a",
        "camera=" + "*" * 60_000,
        "camera=\udce9",
        "taken=",
        "taken>=last year",
        "taken>=06/2019",
        "taken=2019-6",
        "taken=19-06-01",
        "taken<2019*",
        "taken=2019-06-*x",
        "taken=2019-06-15T12:30:00Z",
        "taken=2019-06-15T12:30:00.5",
        "taken=٢٠١٩",
    ],
)
def test_nonsense_is_refused_in_one_line(text):
    with pytest.raises(UsageError) as caught:
        to_sql(parse_filter(text))
    assert "\n" not in str(caught.value)


def test_an_operator_is_never_passed_on_as_sql(store):
    with pytest.raises(UsageError, match="operator"):
        store.items.matching([Filter("id", "IN (SELECT id FROM items) OR 1 =", "1")])


def test_a_year_stands_for_all_of_it(store):
    def found(*asked: str) -> set[str]:
        ids = store.items.matching([parse_filter(each) for each in asked]).tolist()
        return {ITEMS[n][1]["taken"] for n in ids}

    assert found("taken=2019") == set(TAKEN[1:4])
    assert found("taken<=2019") == set(TAKEN[:4])
    assert found("taken>2019") == {TAKEN[4]}
    assert found("taken>=2019-06", "taken<=2019-06") == set(TAKEN[2:4])
    assert found("taken!=2019") == {TAKEN[0], TAKEN[4]}


def test_a_moment_may_have_a_space_for_its_t(store):
    expected = store.items.matching([parse_filter("taken=2019-06-15T12")]).tolist()
    assert expected
    for text in ("taken=2019-06-15 12", "taken=2019-06-15t12", "taken=2019-06-15 12*"):
        assert store.items.matching([parse_filter(text)]).tolist() == expected


def test_a_refused_moment_says_what_is_expected():
    with pytest.raises(UsageError, match=r"2019-06-30T18:05:00.*got 'June'"):
        to_sql(parse_filter("taken>=June"))


@pytest.mark.parametrize(
    "metadata", ["'{'", "''", "x'7b7d'", "x'ff'", "CAST(x'7bff7d' AS TEXT)", "17", "'[1]'"]
)
@pytest.mark.parametrize("asked", ["camera=canon*", "camera!=é", "width>0", "taken>=2019", "lat<90"])
def test_a_damaged_row_ends_no_search(tmp_path, metadata, asked):
    store = Store(tmp_path / "f.lookalike", create=True)
    space = store.ensure_space("fake", "f" * 64, 4)
    facts = {"camera": "Canon", "width": 5, "taken": "2019-01-01T00:00:00", "lat": 1.5}
    photos = [
        (Photo(f"/{n}", FileStamp(n, n), bytes([n]) * 32, None, facts), np.ones(4, np.float32))
        for n in (1, 2)
    ]
    store.commit(space, PhotoBatch(photos), reader="r", is_gone=lambda _: False)
    with store.database.writing() as connection:
        connection.execute(f"UPDATE items SET metadata = {metadata} WHERE id = 1")
    assert store.items.matching([parse_filter(asked)]).tolist() == [2]
    store.close()


def test_a_damaged_uri_ends_no_search(tmp_path):
    store = Store(tmp_path / "f.lookalike", create=True)
    space = store.ensure_space("fake", "f" * 64, 4)
    photo = Photo("/é.png", FileStamp(1, 1), b"1" * 32, None, {})
    store.commit(space, PhotoBatch([(photo, np.ones(4, np.float32))]), reader="r", is_gone=lambda _: False)
    with store.database.writing() as connection:
        connection.execute(
            "INSERT INTO items SELECT 2, CAST(x'ff' AS TEXT), content_hash, 1, 1, metadata, 1 FROM items"
        )
    assert store.items.matching([parse_filter("uri=/É*")]).tolist() == [1]
    store.close()


def test_a_folder_filter_uses_the_index(store):
    sql, values = to_sql(Filter("folder", "=", "/p/a"))
    with store.database.reading() as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT id FROM items WHERE {sql}", values).fetchall()
    assert all("SCAN" not in row[3] for row in plan), plan


NAMES = (
    "/p/caf\u00e9/\u00fcber.jpg",
    "/p/cafe\u0301/u\u0308ber.jpg",
    "/p/caf\u00e9/u\u0308ber 2.jpg",
    "/p/cafe/x.jpg",
)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("uri=/p/café/über.jpg", [1, 2]),
        ("uri=/P/CAFÉ/*", [1, 2, 3]),
        ("uri!=*über*", [4]),
        ("folder=/p/café", [1, 2, 3]),
        ("folder=/p/café/über 2.jpg", [3]),
        ("folder!=/p/café", [4]),
        ("camera=CITROËN", [1, 2, 3, 4]),
    ],
)
def test_accents_meet_however_they_are_composed(tmp_path, asked, found, form):
    store = Store(tmp_path / "f.lookalike", create=True)
    space = store.ensure_space("fake", "f" * 64, 4)
    facts = [{"camera": unicodedata.normalize(("NFC", "NFD")[n % 2], "Citroën")} for n in range(4)]
    photos = [
        (Photo(name, FileStamp(n, n), bytes([n]) * 32, None, facts[n]), np.ones(4, np.float32))
        for n, name in enumerate(NAMES)
    ]
    store.commit(space, PhotoBatch(photos), reader="r", is_gone=lambda _: False)
    condition = parse_filter(unicodedata.normalize(form, asked))
    assert store.items.matching([condition]).tolist() == found
    store.close()


def test_a_folder_of_many_accents_is_asked_for_in_few_ways():
    sql, values = to_sql(Filter("folder", "=", "/é" * 200))
    assert len(values) < 50
    assert sql.count("uri = ?") < 50


def test_a_folder_is_removed_however_its_accents_are_composed(tmp_path, fake_collection, make_photo):
    for form in ("NFC", "NFD"):
        make_photo(tmp_path / unicodedata.normalize(form, "été") / "a.png", len(form))
    make_photo(tmp_path / "ete" / "b.png", 9)
    fake_collection.add(tmp_path)
    assert fake_collection.remove(tmp_path / "e\u0301t\u00e9") == 2
