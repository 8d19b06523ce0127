"""Two models that answer in turns, what is credited to whom, and what is to be rated next."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from starlette.testclient import TestClient

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import NotFoundError, UsageError
from lookalike.evaluate.votes import evaluate_votes
from lookalike.faces.server.access import Access
from lookalike.faces.server.app import ServerOptions, build_app
from lookalike.faces.server.rounds import Pair
from lookalike.records import Credit, SearchOptions
from lookalike.transfer.transfer import ImportRequest

COUNT = 40
PAIR = Pair("fake", "other")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_photo):
    """40 photos in two spaces, of which the second knows no model: it answers by items only."""
    folder = tmp_path_factory.mktemp("rounds")
    for seed in range(COUNT):
        make_photo(folder / "photos" / f"{seed:02}.png", seed)
    names = [str(folder / "photos" / f"{seed:02}.png") for seed in range(COUNT)]
    (folder / "list.txt").write_text("\n".join(names) + "\n")
    np.save(folder / "rows.npy", np.random.default_rng(5).normal(size=(COUNT, 6)).astype(np.float32))
    with Collection(folder / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(folder / "photos")
        collection.import_vectors(ImportRequest(folder / "rows.npy", folder / "list.txt", name="other"))
    return folder


@pytest.fixture
def served(tmp_path, folder):
    shutil.copytree(folder / "c.lookalike", tmp_path / "c.lookalike")
    collection = Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder())
    app = build_app(collection, Access.listening("127.0.0.1", 8000), ServerOptions(fetch=False, ab=PAIR))
    with TestClient(app, "http://127.0.0.1:8000") as made:
        made.collection = collection
        yield made


def ask(served, item, **options):
    answer = served.post("/api/search", json={"examples": [{"item": item}], **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids_by(collection, space, item, k):

    return [hit.id for hit in collection.answer([item], SearchOptions(k, space=space))[0]]


def team_of(collection, told, item, k=10):
    """Who a hit must have come from, as far as the rankings tell."""
    rankings = {name: ids_by(collection, name, item, k) for name in ("fake", "other")}
    return [{name for name, ids in rankings.items() if hit["id"] in ids} for hit in told["hits"]]


def test_hits_come_from_both_in_turns_and_nobody_is_told_from_which(served):
    assert served.get("/api/collection").json()["ab"] is True
    told = ask(served, 3, k=10)
    found = [hit["id"] for hit in told["hits"]]
    assert len(set(found)) == 10
    both = {*ids_by(served.collection, "fake", 3, 10), *ids_by(served.collection, "other", 3, 10)}
    assert set(found) < both
    firsts = {ids_by(served.collection, name, 3, 1)[0] for name in ("fake", "other")}
    assert set(found[:2]) == firsts
    assert not any("team" in hit for hit in told["hits"])


def test_further_pages_of_a_round_hold_further_hits(served):
    first = ask(served, 3, k=10)
    second = ask(served, 3, k=10, offset=10, round=first["round"])
    assert second["round"] == first["round"]
    ids = [hit["id"] for hit in first["hits"] + second["hits"]]
    assert len(set(ids)) == 20
    everything = ask(served, 3, k=100)
    assert {hit["id"] for hit in everything["hits"]} == set(range(1, COUNT + 1)) - {3}


def test_a_click_counts_once_for_who_found_the_hit_and_keeps_nothing_else(served):
    told = ask(served, 3, k=10)
    first = told["hits"][0]["id"]
    for _ in range(2):
        answer = served.post(f"/api/rounds/{told['round']}/clicks", json={"item": first})
        assert (answer.status_code, answer.json()) == (200, {"item": first})
    (credit,) = served.collection.credits()
    own = next(name for name in ("fake", "other") if ids_by(served.collection, name, 3, 1) == [first])
    assert credit == Credit(
        told["round"], "item:3", own, ({"fake", "other"} - {own}).pop(), first, "click", 1, credit.day
    )
    assert len(credit.day) == 10  # a date, no time


def test_votes_count_too_and_can_be_withdrawn(served):
    told = ask(served, 3, k=10)
    hit = told["hits"][1]["id"]
    vote = {"query": told["query"], "item": hit, "vote": -1, "round": told["round"]}
    assert served.put("/api/votes", json=vote).status_code == 200
    assert [(each.kind, each.value) for each in served.collection.credits()] == [("vote", -1)]
    assert [each.value for each in served.collection.votes()] == [-1]
    assert served.put("/api/votes", json=vote | {"vote": 0}).status_code == 200
    assert (served.collection.credits(), served.collection.votes()) == ([], [])


@pytest.mark.parametrize(("round_id", "item"), [("never-shown", 5), (None, 3), (None, 4_000)])
def test_what_was_not_shown_earns_nothing(served, round_id, item):
    told = ask(served, 3, k=10)
    answer = served.post(f"/api/rounds/{round_id or told['round']}/clicks", json={"item": item})
    assert answer.status_code == 404
    assert "was not shown" in answer.json()["error"]["message"]
    assert served.collection.credits() == []


def test_what_only_one_can_answer_is_answered_by_the_default_and_no_round(served, folder):
    content = (folder / "photos" / "04.png").read_bytes()
    told = served.post("/api/search", files={"photo": ("a.png", content)}).json()
    assert "round" not in told
    assert told["hits"][0]["score"] == 1
    assert "round" not in ask(served, 3, space="other")  # a space was named


def test_a_query_that_nobody_can_answer_fails_as_it_would(served):
    answer = served.post("/api/search", json={"examples": [{"item": 4_000}]})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("pair", "error", "said"),
    [
        (Pair("fake", "fake"), UsageError, "--ab compares two models, got fake twice"),
        (Pair("fake", "none"), NotFoundError, "no space named 'none'; there are fake, other"),
    ],
)
def test_a_pair_needs_two_models_of_the_collection(served, pair, error, said):
    with pytest.raises(error, match=said):
        pair.named(served.collection)


def test_rounds_are_forgotten_in_the_end(served, monkeypatch):
    monkeypatch.setattr("lookalike.faces.server.rounds._MOST", 3)
    first = ask(served, 3)
    for item in range(4, 8):
        ask(served, item)
    answer = served.post(f"/api/rounds/{first['round']}/clicks", json={"item": first["hits"][0]["id"]})
    assert answer.status_code == 404


def test_a_vote_on_a_hit_of_a_forgotten_round_is_kept_and_credits_nobody(served):
    vote = {"query": "item:3", "item": 3}  # which is no hit of its own round
    for value, round_id in ((1, "never-shown"), (-1, ask(served, 3)["round"])):
        answer = served.put("/api/votes", json=vote | {"vote": value, "round": round_id})
        assert (answer.status_code, answer.json()) == (200, vote | {"vote": value, "credited": False})
    assert [each.value for each in served.collection.votes()] == [-1]
    assert served.collection.credits() == []


def test_the_one_whose_hits_are_opened_wins(served):
    random = np.random.default_rng(0)
    for item in [*range(1, 21)] * 2:
        told = ask(served, item, k=6)
        best = set(ids_by(served.collection, "fake", item, 6)) - set(
            ids_by(served.collection, "other", item, 6)
        )
        opened = [hit["id"] for hit in told["hits"] if hit["id"] in best]
        if opened and random.random() < 0.9:
            served.post(f"/api/rounds/{told['round']}/clicks", json={"item": opened[0]})
    (duel,) = evaluate_votes(served.collection).pairwise_results
    assert (duel.a, duel.b, duel.wins_b) == ("fake", "other", 0)
    assert duel.wins_a > 25
    assert duel.p < 0.001 and duel.needed == 0


def rate(served, **query):
    answer = served.get("/api/rate", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_both_find_first_is_to_be_rated(served):
    told = rate(served, depth=3)
    query = told["query"]["id"]
    pool = {*ids_by(served.collection, "fake", query, 3), *ids_by(served.collection, "other", query, 3)}
    assert {item["id"] for item in told["candidates"]} == pool
    assert (told["key"], told["judged"], told["left"]) == (f"item:{query}", 0, len(pool))
    assert (told["queries"], told["queries_judged"]) == (40, 0)
    assert rate(served, depth=3) == told  # the same order each time


def test_what_was_rated_is_not_asked_again_until_all_is_done(served):
    seen = []
    for _ in range(1_000):
        told = rate(served, depth=1)
        if told["query"] is None:
            break
        for item in told["candidates"]:
            seen.append((told["key"], item["id"]))
            vote = {"query": told["key"], "item": item["id"], "vote": 1}
            assert served.put("/api/votes", json=vote).status_code == 200
    assert (told["key"], told["candidates"], told["queries_judged"]) == (None, [], 40)
    assert len(seen) == len(set(seen))
    assert len({key for key, _ in seen}) == 40
    report = evaluate_votes(served.collection)
    assert report.judgements == len(seen)
    assert {one.space for one in report.spaces} == {"fake", "other"}
    assert all(one.measures["map"].mean == 1.0 for one in report.spaces)  # all was liked


def test_a_query_can_be_passed_over_and_comes_again_in_the_end(served):
    first = rate(served, depth=1)
    for item in first["candidates"]:
        served.put("/api/votes", json={"query": first["key"], "item": item["id"], "vote": 1})
    begin = told = rate(served, depth=1)
    seen = []
    for _ in range(39):
        assert told["queries_judged"] == 1
        seen.append(told["query"]["id"])
        told = rate(served, depth=1, after=told["query"]["id"])
    assert len(set(seen) - {first["query"]["id"]}) == 39
    assert told == begin
    assert served.get("/api/rate", params={"space": "none"}).status_code == 404
