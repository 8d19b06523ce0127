"""Conditions find the same items in Milvus as in a folder, whatever their facts are like."""

from __future__ import annotations

import json
import random

import pytest
from compared import OPERATORS, check_same, fill_with_photos, made_up, opened_at, rows_of

from lookalike.engine.milvus import items as items_module
from lookalike.engine.milvus.conditions import _after, conditions_of
from lookalike.engine.milvus.facts import facts_of
from lookalike.engine.milvus.rows import ItemRow
from lookalike.errors import UsageError
from lookalike.records import FileStamp
from lookalike.store.filters import Filter, parse_filter
from lookalike.store.rows import encode_metadata

pytest_plugins = ["milvus_fixture", "milvus_places"]

FACTS = [
    {},
    {"camera": "Canon EOS 5D", "width": 640, "height": 480, "taken": "2019-06-30T18:05:00", "iso": 100},
    {"camera": "canon eos 5d", "width": 640.5, "taken": "2019-12-31T23:59:59", "exposure": 0.004},
    {"camera": "NIKON D850", "lens": "50mm f/1.8", "taken": "2020-01-01T00:00:00", "rating": -1},
    {"camera": "Ünïcode Ää", "title": "Straße am Fluß", "keywords": "beach; sea; Zoë", "rating": 5},
    {"camera": "ünïcode ää", "title": 'a "quoted" \\ title', "lat": -33.86, "lon": 151.2},
    {"camera": "per%cent_under", "title": "100%", "format": "JPEG", "lat": 0, "lon": 0},
    {"camera": "", "title": "x" * 1500, "format": "PNG", "width": 2**53 + 1},
    {"camera": "Canon", "title": "line\nbreak\ttab", "keywords": "beachball", "exposure": 30},
    {"camera": "canon*star", "title": "[brackets] {braces}", "format": "webp", "iso": 12800},
    {"title": "IMG_0001", "keywords": "a_b; a%b; x;y", "camera": "Ko\u212a"},
    {"title": "IMGx0001", "keywords": 'say "no"; back\\slash; Zoe\u0308', "camera": "cafe\u0301 one"},
    {"title": "img-0001", "keywords": "sea; a; b; b", "camera": "café two"},
    {"title": "imga", "keywords": "", "camera": "\ud7ff end"},
    {"title": "img`", "keywords": "a;; b", "camera": "\ue000 end", "taken": "2019é", "lens": "İstanbul"},
    {"title": "\U0010ffff\U0010ffffz", "keywords": "K; \u212a", "camera": 5, "lens": 1e16, "width": "wide"},
    {"title": True, "camera": 5.5, "width": True, "taken": 2019, "keywords": 7, "rating": "5"},
    {"title": "IMG\0hidden", "keywords": "one; t\0wo; three", "lens": "x" * 399 + "Y", "format": "~"},
    {"title": "y" * 400 + "z", "lens": "x" * 400 + "y", "taken": "2019-06-30t18", "lat": 1e300},
    {"title": "y" * 400 + "q", "keywords": "; ".join(f"word{at} é" for at in range(50)), "lat": -1e300},
    {"keywords": "; ".join(f"kéyword {at}" for at in range(3_000)), "title": "many", "iso": 2**53},
]
URIS = [
    "/photos/2019/a.jpg",
    "/photos/2019/b.JPG",
    "/photos/2019 summer/c.jpg",
    "/photos/2019%20/d.jpg",
    "/photos/2019/deep/er/é.jpg",
    '/photos/it\'s "odd"/f.jpg',
    "/photos/back\\slash/g.jpg",
    "s3://bucket/key with spaces/h#1.jpg",
    "s3://bucket/фото/и.jpg",
    "/photos0/j.jpg",
    "/photos/a.tar#one.jpg",
    "/photos/a.tar#deep/two.jpg",
    "/photos/a.tar",
    "/photos/a.tar$.jpg",
    "/photos/b.parquet#12",
    "/photos/B.TAR.GZ#x_y.jpg",
    "/photos/e\u0301/\u00e9.tar#1.jpg",
    "/photos/\u00e9/E\u0301.JPG",
    "/photos/a_b.jpg",
    "/photos/aXb.jpg",
    "/photos/" + "long/" * 100 + "end.jpg",
]
CONDITIONS = [
    *("camera=canon*", "camera=canon eos 5d", "camera=CANON*", "camera!=canon*", "camera=*5d", "camera=c*5d"),
    *("camera=*", "camera!=*", "camera=", "camera!=", "camera=?anon", "camera=ünïcode*", "camera=per%*"),
    *("camera=per?cent*", "camera>b", "camera<=canon", "lens=50mm*", "lens!=x", "title=100%", "title=*fluß"),
    *('title=a "quoted" \\ title', "title=line*", "title=x*", "title=" + "x" * 1000, "title=" + "x" * 1500),
    *("title!=" + "x" * 1500, "title=[brackets]*", "keywords=beach", "keywords=ZOË", "keywords!=sea"),
    *("format=jpeg", "format!=jpeg", "format=?peg", "width=640", "width!=640", "width>640", "width>=640.5"),
    *("width<1e300", "width<inf", "width>-inf", "width=9007199254740993", "iso>=100", "exposure<0.01"),
    *("exposure=30", "rating<0", "rating!=5", "lat<0", "lat=0", "lon>151", "taken=2019", "taken!=2019"),
    *("taken>2019", "taken>=2019-12", "taken<2019-12-31", "taken<=2019-06", "taken=2019-06-30 18:05:00"),
    *(
        "taken=*-01-01*",
        "folder=/photos/2019",
        "folder!=/photos/2019",
        "folder=/photos",
        "folder=s3://bucket",
    ),
    *('folder=/photos/it\'s "odd"', "folder=/photos/back\\slash", "folder=s3://bucket/фото", "uri=*.jpg"),
    *("uri=/photos/2019/a.jpg", "uri!=*jpg", "uri=*é*", "uri>/photos0", "uri<=/photos/2019/b.JPG", "id>0"),
    *("id<=0", "id>0.5", "id!=1.5", "id=1.5", "id<1e30", "id>=-3"),
]


CONDITIONS += [
    *(
        "title=IMG_*",
        "title!=IMG_*",
        "title=img_0001",
        "title=img*",
        "title=IMG*1",
        "title=img`*",
        "title=true",
    ),
    *(
        "title=1",
        "title=many",
        "title=" + "y" * 400 + "*",
        "title=" + "y" * 400 + "z",
        "title=" + "y" * 399 + "*",
    ),
    *("title=\U0010ffff*", "title!=\U0010ffff*", "title=\U0010ffff\U0010ffff*", "title=IMG\0*", "title>IMG"),
    *("camera=kok", "camera=ko\u212a", "camera=\u212a*", "camera!=ko\u212a", "camera=cafe*", "camera=café*"),
    *("camera=cafe\u0301*", "camera!=café*", "camera!=cafe*", "camera=\ud7ff*", "camera!=\ud7ff*"),
    *("camera=\ue000*", "camera=5", "camera=5.5", "camera=5*", "camera>5", "lens=i*", "lens=İ*", "lens=i̇*"),
    *("lens=1.0e+16", "lens=" + "x" * 399 + "y", "lens=" + "x" * 400 + "y", "lens!=" + "x" * 400 + "y"),
    *("keywords=a_b", "keywords=a?b", "keywords=A%B", "keywords=x;y", 'keywords=say "no"', "keywords=zoë"),
    *("keywords=back\\slash", "keywords=zoe\u0308", "keywords!=zoe\u0308", "keywords!=zoë", "keywords=a; b"),
    *("keywords=", "keywords!=", "keywords=a;", "keywords=k", "keywords=\u212a", "keywords=7"),
    *("keywords=one", "keywords=three", "keywords=word7 É", "keywords=b*", "keywords!=b*", "keywords>b"),
    *("keywords=kéyword 2999", "keywords!=kéyword 2999", "keywords=*", "keywords!=nothing", "keywords=; b"),
    *("width>5", "width<5", "width=1", "width!=1", "rating>=5", "rating=5", "lat<inf", "lat>-inf", "lat=inf"),
    *("lat!=inf", "lat>inf", "lat>=-inf", "lat>1e299", "iso=9007199254740992", "taken=201*", "taken=*t18*"),
    *("taken=2019-06-30T*", "taken!=2019*", "taken>=2019-06-30", "taken<2020", "folder=/photos/a.tar"),
    *(
        "folder!=/photos/a.tar",
        "folder=/photos/b.parquet",
        "folder=/photos/B.TAR.GZ",
        "folder=/photos/b.tar.gz",
    ),
    *(
        "folder=/photos/\u00e9",
        "folder=/photos/e\u0301/e\u0301.tar",
        "folder=/photos/a.jpg",
        "folder=/photos/",
    ),
    *(
        "uri=/PHOTOS/2019/B.jpg",
        "uri!=/photos/2019/a.JPG",
        "uri=/photos/\u00e9/\u00c9.jpg",
        "uri=/photos/A_B.jpg",
    ),
    *(
        "uri=/photos/a_*",
        "uri!=/photos/a_*",
        "uri=/photos/2019*",
        "uri=/photos/*/a.jpg",
        "uri=s3://bucket/ФОТО*",
    ),
    *("uri=/photos/" + "long/" * 100 + "end.jpg", "uri=/photos/" + "long/" * 99 + "*", "uri=/photos/a?b.jpg"),
    *("uri=/photos/e\u0301*", "uri!=/photos/\u00e9*", "uri="),
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_an_expression_cannot_say_is_decided_by_the_store_s_own_sql(condition):
    conditions = conditions_of([parse_filter(condition)])
    assert conditions.is_exact == bool(conditions.expression) or not conditions.is_exact
    stamp = FileStamp(1, 1)
    rows = [ItemRow(at + 1, uri, b"", stamp, "{}") for at, uri in enumerate(URIS)]
    assert conditions.among(rows) <= {row.id for row in rows}


@pytest.mark.parametrize("condition", ["colour=red", "width=wide", "taken=someday", "folder>x", "width~3"])
def test_what_makes_no_sense_is_refused_as_by_the_store(condition):
    with pytest.raises(UsageError):
        conditions_of([parse_filter(condition)])


def test_nearly_all_conditions_are_looked_up_and_not_read_for():
    found = [conditions_of([parse_filter(each)]) for each in CONDITIONS]
    to_read = [each.filters for each in found if not each.expression]
    assert len(to_read) < len(found) / 50, to_read
    assert not any(" like " in each.expression for each in found)
    usual = "title=IMG_* keywords=sea uri=/a/B.jpg uri=/a/* taken=2019 width>5 camera!=canon folder=/a.tar"
    for each in usual.split():
        assert conditions_of([parse_filter(each)]).is_exact, each


@pytest.mark.parametrize(
    ("start", "after"),
    [
        ("a", "b"),
        ("az\x7f", "az\x80"),
        ("\ud7ff", "\ue000"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff\U0010ffff", ""),
        ("", ""),
    ],
)
def test_what_follows_a_beginning_follows_in_bytes(start, after):
    assert _after(start) == after
    if after:
        assert (start + "\U0010ffff" * 3).encode() < after.encode()


def test_facts_fit_into_what_milvus_takes():
    worst = "\x01" * 9_000
    photo = dict.fromkeys(("camera", "lens", "format", "title", "taken", "width"), worst)
    for facts in (photo, {**photo, "keywords": "é; " * 12_000}, {"keywords": worst}):
        for kind in ("photo", "text"):
            found = facts_of(encode_metadata(facts), "/" + "é" * 30_000, kind, ["word"] * 500)
            assert len(json.dumps(found, ensure_ascii=False).encode()) < 65_536


@pytest.mark.slow
@pytest.mark.parametrize("condition", ["camera=c*5d", "width>3 camera=c*5d"])
def test_what_would_read_very_many_items_is_refused_by_its_name(milvus_place, monkeypatch, condition):
    monkeypatch.setattr(items_module, "MOST_READ", 40)
    monkeypatch.setattr(items_module, "_PAGE", 20)
    filters = [parse_filter(each) for each in condition.split()]
    engine, store = opened_at(milvus_place)
    some = [{"camera": f"canon {at} 5d", "width": 5} for at in range(60)]
    fill_with_photos(store, [f"/photos/{at}.jpg" for at in range(60)], some)
    assert len(engine.items.matching(filters, limit=25)) == 25
    for ask in (lambda: engine.items.matching(filters), lambda: engine.select(filters)):
        with pytest.raises(
            UsageError, match=r"cannot look up 'camera=c\*5d', .* more than 40 items"
        ) as refused:
            ask()
        assert "\n" not in str(refused.value)
    assert len(engine.items.matching([*filters, parse_filter("camera=canon 7 5d")])) == 1


@pytest.mark.slow
def test_every_condition_finds_the_same_as_in_a_folder(tmp_path, milvus_place):
    found = {}
    for place in (tmp_path / "c.lookalike", milvus_place):
        engine, store = opened_at(place)
        space, uris = fill_with_photos(store, URIS, FACTS)
        items = engine.items
        for condition in CONDITIONS:
            filters = [parse_filter(condition)]
            ids = items.matching(filters).tolist()
            among = engine.select(filters)
            assert len(among) == len(ids), condition
            assert among.count_among(list(uris)) == len(ids), condition
            assert set(items.random(filters, 99)) == set(ids), condition
            nearest = engine.nearest(space, rows_of(1), len(URIS), among)
            assert (nearest.total, set(nearest.ids[0].tolist())) == (len(ids), set(ids)), condition
            found.setdefault(condition, []).append({uris[each] for each in ids})
    assert [condition for condition, (one, other) in found.items() if one != other] == []
    assert sum(1 for one, _ in found.values() if 0 < len(one) < len(URIS)) > 120  # they tell items apart


@pytest.mark.slow
def test_made_up_conditions_find_the_same_as_in_a_folder(tmp_path, milvus_place):
    chance = random.Random(5)
    fields = ["camera", "lens", "title", "keywords", "taken", "width", "rating"]
    facts = [{name: made_up(chance) for name in fields if chance.random() < 0.8} for _ in range(150)]
    uris = [f"/{at}/{made_up(chance, text=True)}" for at in range(150)]
    filters = [
        Filter(chance.choice([*fields, "uri"]), chance.choice(OPERATORS), made_up(chance, text=True))
        for _ in range(600)
    ]
    found = check_same(tmp_path, milvus_place, filters, lambda store: fill_with_photos(store, uris, facts))
    assert sum(1 for names in found.values() if 0 < len(names) < len(facts)) > 200
