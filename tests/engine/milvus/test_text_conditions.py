"""Conditions on texts and the columns of their files find the same in Milvus as in a folder."""

from __future__ import annotations

import random

import pytest
from compared import OPERATORS, check_same, fill_with_texts, made_up, opened_at

from lookalike.engine.milvus.conditions import conditions_of
from lookalike.errors import UsageError
from lookalike.store.filters import Filter, parse_filter

pytest_plugins = ["milvus_fixture", "milvus_places"]

TEXTS = [
    {},
    {"label": "Spam", "likes": 1, "score": 0.5, "ok": True, "day": "2019-06-30", "odd_name": "x"},
    {"label": "spam", "likes": "1", "score": "0.50", "ok": False, "day": "2019-06-30T18:05"},
    {"label": "SPAM_x", "likes": "+1", "score": ".5", "ok": "true", "day": "2020"},
    {"label": "spamXx", "likes": "-1", "score": "-.5", "ok": "FALSE", "day": 2019},
    {"label": "Zoë", "likes": "1.0", "score": "5.", "ok": 1, "day": "abc", "terms": "one; two"},
    {"label": "Zoe\u0308 two", "likes": "1e3", "score": "1_0", "ok": 0, "day": "", "terms": 12},
    {"label": "", "likes": 1e16, "score": 1e-7, "id": 5, "uri": "Elsewhere", "folder": "/x", ".id": "dot"},
    {"label": "\u212aelvin", "likes": 2**53 + 1, "id": "seven", "uri": "/t.csv#1", 'say "x"': "q", "a b": 1},
    {
        "label": "a\0b",
        "likes": -0.0,
        "na\\me": "Back",
        "é": "Accent",
        "": "empty",
        "cut": True,
        "keyworded": 1,
    },
    {
        "label": "x" * 400 + "a",
        "likes": "9" * 400,
        "day": "9" * 30,
        "t-label": "spam",
        "_": "low",
        "places": 3,
    },
    {"label": "x" * 400 + "b", "likes": "0.30000000000000004", "score": 0.1 + 0.2, "terms": "facts", "n": ""},
    {"label": "many", "likes": 7, **{f"column_{at}": "é" * 190 + str(at) for at in range(150)}},
    {"label": "null", "day": "1e5", "score": "1.2.3", "id": "5"},
    {"label": "[b] {0} {}", "likes": "1 ", "day": "٣", "score": "--5"},
]
TEXT_URIS = [
    *("/t/a.csv#1", "/t/a.csv#2", "/t/a.csv#2.3", "/t/A.CSV#10", "/t/b/c.jsonl#1", "/t/b/c.jsonl#2"),
    *("/t/a.csv#x#1", "/t/é.csv#1", "/t/e\u0301.csv#2", "/t/a_.csv#1", "/t/ab.csv#1", "s3://b/t.csv#1"),
    *("/u/a.csv#1", "/u/a.csv#2", '/u/it\'s "odd".csv#1'),
]
FURTHER = [(1, "/v/far.csv#1"), (1, "/v/far.csv#2"), (3, "/t/b/d.csv#9"), (12, "/t/a.csv#77")]
TEXT_CONDITIONS = [
    *(
        "label=spam",
        "label=SPAM*",
        "label!=spam",
        "label=spam_*",
        "label!=spam_*",
        "label=spam?x",
        "label=*x",
    ),
    *("label=zoë", "label=zoe*", "label=Zoë*", "label!=zoë", "label=", "label!=", "label=*", "label=k*"),
    *("label=\u212a*", "label=a", "label=a\0b", "label>spam", "label>=Spam", "label<a", "label<=spam"),
    *(
        "label=" + "x" * 400 + "a",
        "label=" + "x" * 400 + "*",
        "label>" + "x" * 400 + "a",
        "label>" + "x" * 399,
    ),
    *(
        "label=[b]*",
        "label=[b] {0} {}",
        "label>[b] {0}",
        "label<[b] {0} {}",
        "label=null",
        "label>5",
        "label<5",
    ),
    *("likes=1", "likes!=1", "likes>0", "likes>=1", "likes<1", "likes<=-1", "likes=1.0", "likes=1e16"),
    *(
        "likes=9007199254740993",
        "likes>1e15",
        "likes=+1",
        "likes=1*",
        "likes!=1*",
        "likes=1_000",
        "likes=inf",
    ),
    *(
        "likes>1e15",
        "likes<1e15",
        "likes>inf",
        "likes>-1e300",
        "likes=0",
        "likes>1e",
        "likes=nan",
        "likes=-0",
    ),
    *(
        "score=.5",
        "score=0.5",
        "score!=0.5",
        "score>0.3",
        "score=0.30000000000000004",
        "score<=0",
        "score=5.",
    ),
    *("score>=0.0000001", "score=1.0e-07", "score=10", "score>1", "ok=true", "ok=TRUE", "ok!=true", "ok=1"),
    *(
        "ok=false",
        "ok>=1",
        "ok=t*",
        "ok<true",
        "ok!=0",
        "day>=2019",
        "day>2019-06-30",
        "day=2019*",
        "day<2020",
    ),
    *(
        "day=2019",
        "day!=2019",
        "day>5",
        "day<=2019-07",
        "day=100000",
        "day>٢",
        "day=",
        "terms=one*",
        "terms=12",
    ),
    *("terms>5", "terms!=12", ".id=5", ".id!=5", ".id>4", "id>0", ".uri=elsewhere", ".folder=/x", "..id=dot"),
    *(
        'say "x"=q',
        "a b=1",
        "a b>0",
        "na\\me=back",
        "é=accent",
        ".=empty",
        "cut=true",
        "keyworded=1",
        "_=low",
    ),
    *(
        "t-label=spam",
        "places=3",
        "places>2",
        "n=",
        "column_3=É*3",
        "column_3!=x",
        "column_149>a",
        "e\u0301=x*",
    ),
    *("uri=/T/a.csv#1", "uri!=/t/a.csv#1", "uri=/t/a.csv*", "uri=*far*", "uri!=*far*", "uri=/v/far.csv#2"),
    *("uri=/v/*", "uri!=/v/*", "uri>/t/b", "uri<=/t/a.csv#2", "uri=/t/a_*", "uri=/t/e\u0301.csv*", "uri=*"),
    *("folder=/t", "folder!=/t", "folder=/t/a.csv", "folder!=/t/a.csv", "folder=/v", "folder=/v/far.csv"),
    *(
        "folder=/t/b",
        "folder!=/v/far.csv",
        "folder=/t/é.csv",
        "folder=s3://b",
        "folder=/t/A.CSV",
        "folder=/w",
    ),
    *('folder=/u/it\'s "odd".csv', "folder=/t/a.csv#x"),
]


def test_nearly_all_conditions_are_looked_up_and_not_read_for():
    found = [conditions_of([parse_filter(each)], texts=True) for each in TEXT_CONDITIONS]
    to_read = [each.filters for each in found if not each.expression]
    assert len(to_read) < len(found) / 50, to_read
    assert not any(" like " in each.expression for each in found)
    for each in ("label=spam", "label!=x*", "likes>=5", "likes=5", "day>2019-01", "ok=true", "uri>/a"):
        assert conditions_of([parse_filter(each)], texts=True).is_exact, each


@pytest.mark.slow
def test_every_condition_finds_the_same_as_in_a_folder(tmp_path, milvus_place):
    filters = [parse_filter(each) for each in TEXT_CONDITIONS]
    found = check_same(
        tmp_path, milvus_place, filters, lambda store: fill_with_texts(store, TEXT_URIS, TEXTS, FURTHER)
    )
    assert sum(1 for names in found.values() if 0 < len(names) < len(TEXTS)) > 100  # they tell items apart


@pytest.mark.slow
def test_made_up_conditions_find_the_same_as_in_a_folder(tmp_path, milvus_place):
    chance = random.Random(7)
    columns = ["label", "likes", "day", "terms", 'odd "name"', "é"]
    facts = [{name: made_up(chance) for name in columns if chance.random() < 0.8} for _ in range(150)]
    uris = [f"/t/{chance.choice('aAb_')}.csv#{at}" for at in range(150)]
    filters = [
        Filter(chance.choice(columns), chance.choice(OPERATORS), made_up(chance, text=True))
        for _ in range(600)
    ]
    found = check_same(tmp_path, milvus_place, filters, lambda store: fill_with_texts(store, uris, facts))
    assert sum(1 for names in found.values() if 0 < len(names) < len(facts)) > 200


@pytest.mark.slow
def test_a_column_that_no_text_has_is_refused_also_where_nothing_is_read(milvus_place):
    engine, store = opened_at(milvus_place)
    fill_with_texts(store, TEXT_URIS[:12], TEXTS[:12])
    for condition in ("lable=spam", "lable>5", "lable=s*m", ".uri2=x"):
        for ask in (engine.select, engine.items.matching):
            with pytest.raises(UsageError, match="no text has a column"):
                ask([parse_filter(condition)])
    for condition in ("label=nothing", "likes<-1e300", "label=n*thing", "uri=/w", 'say "x"=w', "id<0"):
        assert len(engine.select([parse_filter(condition)])) == 0
        assert not len(engine.items.matching([parse_filter(condition)]))
