"""Re-ranked answers of a collection of real photos: the same hits and scores, in a better order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike import Collection
from lookalike.engine.local import LocalEngine
from lookalike.errors import UsageError
from lookalike.records import SearchOptions, Words
from lookalike.search.queries import Example
from lookalike.search.reranking import BEST

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(shared_data, tmp_path_factory):
    """A collection of thirty kinds, twelve photos each."""
    kinds = sorted((shared_data / "caltech50").iterdir())[:30]
    with Collection(tmp_path_factory.mktemp("reranked") / "c.lookalike") as collection:
        for kind in kinds:
            collection.add(*sorted(kind.iterdir())[:12])
        yield collection


def answer(collection, query, *, where=(), **options):
    (found,) = collection.answer([query], SearchOptions(**options), where=where)
    return found


def average_precision(hits, kind):
    right = np.array([Path(hit.uri).parent.name == kind for hit in hits])
    return (np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean()


def test_more_of_what_is_alike_comes_first(photos):
    plain, reranked, first = [], [], []
    for item in photos.items(limit=1_000)[::3]:
        kind = Path(item.uri).parent.name
        both = [answer(photos, item.id, k=359, rerank=rerank).hits for rerank in (False, True)]
        assert {hit.id for hit in both[0]} == {hit.id for hit in both[1]}
        for found, hits in zip((plain, reranked), both, strict=True):
            found.append(average_precision(hits, kind))
        first.append([Path(hits[0].uri).parent.name == kind for hits in both])
    assert np.mean(reranked) > np.mean(plain) + 0.02
    assert np.mean(first, axis=0)[1] >= np.mean(first, axis=0)[0]


def test_scores_stay_cosines(photos):
    query = photos.items(limit=1)[0].id
    plain = {hit.id: hit for hit in answer(photos, query, k=359)}
    reranked = answer(photos, query, k=359, rerank=True).hits
    assert [plain[hit.id] for hit in reranked] == list(reranked)
    scores = [hit.score for hit in reranked]
    assert scores != sorted(scores, reverse=True)
    assert scores[BEST:] == sorted(scores[BEST:], reverse=True)


@pytest.mark.parametrize("where", [(), ("width>=300",)])
def test_pages_are_parts_of_one_order(photos, where):
    query = photos.items(limit=5)[-1].id
    whole = answer(photos, query, k=300, rerank=True, where=where).hits
    assert len(whole) > 100
    paged = [
        hit
        for offset in range(0, 300, 7)
        for hit in answer(photos, query, k=7, offset=offset, rerank=True, where=where)
    ]
    assert [hit.id for hit in paged[: len(whole)]] == [hit.id for hit in whole]


def test_hits_below_the_line_come_after_those_above(photos):
    for item in photos.items(limit=1_000)[::40]:
        found = answer(photos, item.id, k=100, rerank=True, background=True)
        above = [hit.score >= found.background for hit in found]
        assert above == sorted(above, reverse=True)


def test_the_photo_itself_is_first(photos):
    for item in photos.items(limit=1_000)[::30]:
        assert answer(photos, Path(item.uri), k=3, rerank=True).hits[0].id == item.id


def test_every_kind_of_query_is_reranked(photos):
    one, other = (photos.items(limit=40)[at].id for at in (0, 30))
    for query in (
        [Example(one), Example(other, -0.5)],
        Words("a dog"),
        [Example(one), Example(Words("sea"), 0.3)],
    ):
        plain, reranked = (answer(photos, query, k=50, rerank=rerank) for rerank in (False, True))
        assert [hit.id for hit in plain] != [hit.id for hit in reranked]
        assert all(hit.id not in (one, other) for hit in reranked) or isinstance(query, Words)


def test_a_query_alone_and_among_others_is_answered_alike(photos):
    ids = [item.id for item in photos.items(limit=1_000)[::60]]
    options = SearchOptions(k=20, rerank=True)
    together = photos.answer(ids, options)
    for query, found in zip(ids, together, strict=True):
        assert answer(photos, query, k=20, rerank=True).hits == found.hits


def test_it_is_refused_beside_exact_words(photos):
    with pytest.raises(UsageError, match="leave out either hybrid or rerank"):
        answer(photos, photos.items(limit=1)[0].id, k=5, rerank=True, hybrid=True)


def test_every_page_ranks_the_same_candidates(photos, monkeypatch):
    """What an index finds depends on how much is asked of it: pages would overlap, or leave hits out."""
    asked = []
    nearest = LocalEngine.nearest

    def heard(self, space, rows, k, among=None, **options):
        asked.append((k, options.get("reach")))
        return nearest(self, space, rows, k, among, **options)

    monkeypatch.setattr(LocalEngine, "nearest", heard)
    item = photos.items(limit=1)[0].id
    for k, offset in ((1, 0), (40, 0), (40, 40), (10, 150), (100, 100)):
        answer(photos, item, k=k, offset=offset, rerank=True)
    assert len(asked) == 5 and len(set(asked)) == 1 and asked[0][1] > BEST
    answer(photos, item, k=40, offset=180, rerank=True)
    assert asked[-1][0] > 220
