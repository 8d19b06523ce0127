"""Conditions find the same items in Milvus as in a folder, whatever their facts are like."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.engine.milvus.conditions import conditions_of
from lookalike.engine.milvus.rows import ItemRow
from lookalike.errors import UsageError
from lookalike.open_collection import OpenCollection, place_of
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch
from lookalike.store.filters import parse_filter

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


@pytest.mark.slow
def test_every_condition_finds_the_same_as_in_a_folder(tmp_path, milvus_place):
    found = {}
    for place in (tmp_path / "c.lookalike", milvus_place):
        opened = OpenCollection(place_of(place), None, None, None)
        store = opened.store(create=True)
        space = store.ensure_space("fake", "ab" * 32, 8)
        rows = np.eye(10, 8, dtype=np.float32) + np.float32(0.1)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        stamp = FileStamp(1, 1)
        photos = [
            (Photo(uri, stamp, b"%032d" % at, None, facts), row)
            for at, (uri, facts, row) in enumerate(zip(URIS, FACTS, rows, strict=True))
        ]
        written = store.commit(space, PhotoBatch(photos), reader="test", is_gone=lambda _: False)
        uris = {each.item_id: each.uri for each in written.committed}
        items = opened.engine().items
        for condition in CONDITIONS:
            filters = [parse_filter(condition)]
            ids = items.matching(filters).tolist()
            among = opened.engine().select(filters)
            assert len(among) == len(ids), condition
            assert among.count_among(list(uris)) == len(ids), condition
            assert set(items.random(filters, 99)) == set(ids), condition
            nearest = opened.engine().nearest(space, rows[:1], 10, among)
            assert (nearest.total, set(nearest.ids[0].tolist())) == (len(ids), set(ids)), condition
            found.setdefault(condition, []).append({uris[each] for each in ids})
        opened.release()
    assert [condition for condition, (one, other) in found.items() if one != other] == []
    assert sum(1 for one, _ in found.values() if 0 < len(one) < len(URIS)) > 40  # they tell items apart
