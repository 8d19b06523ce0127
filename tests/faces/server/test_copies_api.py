"""Copies over HTTP: pages that stay, decisions that are kept, removal where it is allowed."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from live_server import eventually
from starlette.testclient import TestClient

from fake_copies import CollectionWithCopies, Family, Found
from lookalike.decode.pool import DecodePool
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import BusyError, StorageError, UsageError
from lookalike.faces.server.access import Access
from lookalike.faces.server.app import ServerOptions, build_app

BASE = "http://127.0.0.1:8000"
MAPPING = (0.5, 0.0, 0.0, 0.5, 0.25, 0.125)
SMALLER = (("smaller",), None)


def pair(at: int, **more) -> Family:
    return Family(f"{2 * at:02}.png", {f"{2 * at + 1:02}.png": SMALLER}, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("copies")
    for seed in range(14):
        make_photo(folder / "photos" / f"{seed:02}.png", seed)
    shutil.copy(folder / "photos" / "12.png", folder / "photos" / "same.png")
    with CollectionWithCopies(folder / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(folder / "photos")
    return folder


@pytest.fixture
def collection(tmp_path, folder):
    """Pairs 00–01 to 08–09 are copies, and 10 has three: 11, and 12 twice."""
    shutil.copytree(folder / "c.lookalike", tmp_path / "c.lookalike")
    made = CollectionWithCopies(tmp_path / "c.lookalike", embedder=FakeEmbedder(), decoder=DecodePool(1))
    three = {"11.png": (("cropped", "smaller"), MAPPING), "12.png": SMALLER, "same.png": SMALLER}
    families = [*(pair(at) for at in range(5)), Family("10.png", three, ("more pixels", "original facts"))]
    made.found = Found(families, is_looked_at=True)
    return made


@pytest.fixture
def api(collection):
    with client(collection, remove=collection.trash_copies) as made:
        yield made


def client(collection, **options):
    app = build_app(collection, Access.listening("127.0.0.1", 8000), ServerOptions(**options))
    made = TestClient(app, BASE)
    made.ids = {Path(item.uri).name: item.id for item in collection.items()}
    return made


def listed(api, **asked):
    answer = api.get("/api/copies", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(told):
    return [[Path(each["item"]["uri"]).name for each in group["members"]] for group in told["groups"]]


def bests(told):
    return [group[0] for group in names(told)]


def decide(api, verdict, *files, best=None):
    given = {"verdict": verdict, "items": [api.ids[name] for name in files]}
    if best is not None:
        given["best"] = api.ids[best]
    return api.post("/api/copies/decisions", json=given)


def kept(collection):
    """Verdicts by file names, those of the two contents in the order of their hashes."""
    named = {item.content_hash: Path(item.uri).name for item in collection.items() if "same" not in item.uri}
    return {(named[each.first], named[each.second]): each.verdict for each in collection.decisions()}


def check_error(answer, status, code, said):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code and said in error["message"]


def test_a_group_tells_all_of_its_members(api):
    told = listed(api, offset=5)
    assert (told["total"], told["decided"], told["more"]) == (6, 0, False)
    (group,) = told["groups"]
    assert (group["level"], group["why_best"], group["is_decided"], group["size"]) == (
        "photo",
        ["more pixels", "original facts"],
        False,
        4,
    )
    best, cropped = group["members"][:2]
    assert best["item"] == api.get(f"/api/items/{api.ids['10.png']}").json()
    assert (best["is_best"], best["how"], best["mapping"]) == (True, [], None)
    assert (cropped["is_best"], cropped["how"], cropped["mapping"]) == (
        False,
        ["cropped", "smaller"],
        list(MAPPING),
    )
    assert best["bytes"] == Path(best["item"]["uri"]).stat().st_size


def test_pages_neither_skip_nor_repeat_while_groups_are_decided(api):
    first = listed(api, limit=2)
    assert (bests(first), first["next"], first["more"]) == (["00.png", "02.png"], 2, True)
    decide(api, "keep both", "00.png", "01.png")
    decide(api, "different", "02.png", "03.png")
    decide(api, "different", "04.png", "05.png")
    second = listed(api, limit=2, offset=first["next"])
    assert (bests(second), second["next"], second["more"]) == (["06.png", "08.png"], 5, True)
    last = listed(api, limit=2, offset=second["next"])
    assert (bests(last), last["more"], last["next"]) == (["10.png"], False, 6)
    assert (last["total"], last["decided"]) == (6, 3)
    assert bests(listed(api, state="decided")) == ["00.png", "02.png", "04.png"]
    assert bests(listed(api, state="all", limit=3)) == ["00.png", "02.png", "04.png"]


def test_what_is_left_of_a_group_keeps_its_place(api):
    assert decide(api, "different", "10.png", "11.png").status_code == 200
    assert names(listed(api, offset=5)) == [["10.png", "12.png", "same.png"]]
    assert decide(api, None, "10.png", "11.png").status_code == 200
    assert names(listed(api, offset=5)) == [["10.png", "11.png", "12.png", "same.png"]]


def test_a_withdrawn_decision_opens_the_group_where_it_was(api):
    listed(api)
    decide(api, "different", "02.png", "03.png")
    assert "02.png" not in bests(listed(api))
    decide(api, None, "02.png", "03.png")
    assert bests(listed(api))[1] == "02.png"
    assert listed(api)["decided"] == 0


def test_groups_whose_photos_are_gone_are_gone_too(api, collection):
    assert listed(api)["total"] == 6
    decide(api, "different", "02.png", "03.png")
    collection.remove(api.ids["03.png"], api.ids["04.png"])
    told = listed(api, state="all")
    assert (bests(told), told["total"], told["decided"]) == (["00.png", "06.png", "08.png", "10.png"], 4, 0)


def test_groups_are_looked_up_anew_only_when_something_changed(api, collection, tmp_path, make_photo):
    for _ in range(3):
        listed(api)
        listed(api, offset=2)
    assert collection.found.quick == 1
    decide(api, "keep both", "00.png", "01.png")
    listed(api)
    assert collection.found.quick == 2
    collection.add(make_photo(tmp_path / "new.png", 99))
    listed(api)
    assert collection.found.quick == 3


def test_a_decision_by_another_program_is_seen(api, collection):
    listed(api)
    with client(collection) as other:
        decide(other, "keep both", "00.png", "01.png")
        assert listed(api)["decided"] == 1


def test_every_pair_is_decided(api, collection):
    answer = decide(api, "keep both", "10.png", "11.png", "12.png", "same.png")
    assert answer.json() == {
        "verdict": "keep both",
        "items": [api.ids[name] for name in ("10.png", "11.png", "12.png", "same.png")],
        "pairs": 3,
    }
    assert {frozenset(names) for names in kept(collection)} == {
        frozenset(two) for two in (("10.png", "11.png"), ("10.png", "12.png"), ("11.png", "12.png"))
    }
    assert set(kept(collection).values()) == {"keep both"}
    assert all(each.first < each.second for each in collection.decisions())


def test_the_best_one_is_decided_against_each_other_one(api, collection):
    assert decide(api, "best", "10.png", "11.png", "12.png", best="11.png").json()["pairs"] == 2
    for (first, second), verdict in kept(collection).items():
        assert verdict == ("first is best" if first == "11.png" else "second is best")
        assert "11.png" in (first, second)


@pytest.mark.parametrize(("verdict", "best"), [("best", "12.png"), ("different", None), ("keep both", None)])
def test_nothing_is_decided_about_the_same_file(api, collection, verdict, best):
    answer = decide(api, verdict, "12.png", "same.png", best=best)
    check_error(answer, 422, "wrong_items", "these are the same file")
    assert decide(api, verdict, "10.png", "12.png", "same.png", best=best).json()["pairs"] == 1
    assert len(kept(collection)) == 1


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"verdict": "different", "items": [1, 9999]}, 404, "item 9999 is not in this collection"),
        ({"verdict": "different", "items": [1, 1]}, 422, "given twice"),
        ({"verdict": "best", "items": [1, 2]}, 422, "`best` comes with"),
        ({"verdict": "different", "items": [1, 2], "best": 1}, 422, "`best` comes with"),
        ({"verdict": "best", "items": [1, 2], "best": 3}, 422, "item 3, is not among"),
        ({"verdict": "different", "items": [1]}, 400, "length >= 2"),
        ({"verdict": "same", "items": [1, 2]}, 400, "Invalid enum value 'same'"),
        ({"items": [1, 2]}, 400, "missing required field `verdict`"),
        ({"verdict": None, "items": list(range(1, 502))}, 400, "length <= 500"),
    ],
)
def test_wrong_decisions_are_refused_and_nothing_is_kept(api, collection, given, status, said):
    answer = api.post("/api/copies/decisions", json=given)
    assert answer.status_code == status and said in answer.json()["error"]["message"], answer.text
    assert kept(collection) == {}


def test_a_store_that_is_written_to_is_told_as_busy(api, collection, monkeypatch):
    def busy(_):
        raise BusyError("the collection is being written to; try again in a moment")

    monkeypatch.setattr(collection, "decide", busy)
    answer = decide(api, "keep both", "00.png", "01.png")
    check_error(answer, 503, "busy", "being written to")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize("level", ["file", "scene"])
def test_each_level_has_its_own_groups(api, collection, level):
    collection.found.families.append(pair(0, level=level))
    assert bests(listed(api, level=level)) == ["00.png"]
    assert len(bests(listed(api))) == 6


def test_conditions_choose_the_items(api):
    assert bests(listed(api, where=["id<=4"])) == ["00.png", "02.png"]
    answer = api.get("/api/copies", params={"where": "nonsense"})
    assert answer.status_code == 400


def test_an_empty_collection_says_how_to_fill_it(api, collection):
    collection.remove(*api.ids.values())
    check_error(api.get("/api/copies"), 404, "not_found", "lookalike add FOLDER")


def test_looking_goes_on_behind_and_shows_what_it_found(api, collection):
    found = collection.found
    found.is_looked_at, found.families[1].is_hidden = False, True
    first = listed(api)
    assert bests(first) == ["00.png", "04.png", "06.png", "08.png", "10.png"]
    assert first["progress"] == {
        **{"looked_at": 7, "photos": 15, "skipped": 0, "is_looking": True, "problem": None},
        **{"done": first["progress"]["done"], "total": first["progress"]["total"]},
    }
    assert eventually(lambda: listed(api)["progress"]["done"] == 2)
    assert listed(api)["progress"]["total"] == 4
    assert found.looks == 1
    found.go_on.set()
    assert eventually(lambda: not listed(api)["progress"]["is_looking"])
    told = listed(api)
    assert bests(told) == ["00.png", "04.png", "06.png", "08.png", "10.png", "02.png"]
    assert told["progress"]["looked_at"] == told["progress"]["photos"] == 15
    assert found.looks == 1


def test_where_photos_can_never_be_looked_at_it_ends_all_the_same(api, collection, monkeypatch):
    monkeypatch.setattr(type(collection), "_look", lambda self, on_step: setattr(self.found, "looks", 1))
    collection.found.is_looked_at = False
    assert eventually(lambda: listed(api)["progress"]["looked_at"] == 7 and collection.found.looks == 1)
    monkeypatch.setattr(type(collection), "_look", lambda self, on_step: pytest.fail("looked again"))
    assert eventually(lambda: not listed(api)["progress"]["is_looking"])
    assert not listed(api)["progress"]["is_looking"]
    assert listed(api)["progress"]["problem"] is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StorageError("the disk is full"), "the disk is full"),
        (OSError(5, "Input/output error"), "something cannot be read: Input/output error"),
        (ZeroDivisionError("oops"), "something went wrong here; the server's log says what"),
    ],
)
def test_what_ends_looking_is_told(api, collection, error, said, caplog):
    collection.found.is_looked_at, collection.found.error = False, error
    listed(api)
    assert eventually(lambda: listed(api)["progress"]["problem"] is not None)
    told = listed(api)["progress"]
    assert (told["problem"], told["is_looking"]) == (said, False)
    assert collection.found.looks == 1
    assert ("oops" in caplog.text) == isinstance(error, ZeroDivisionError)


def test_what_went_wrong_is_tried_again_later(api, collection, monkeypatch):
    found = collection.found
    found.is_looked_at, found.error = False, StorageError("the disk is full")
    listed(api)
    assert eventually(lambda: listed(api)["progress"]["problem"] is not None)
    found.error = None
    found.go_on.set()
    monkeypatch.setattr("lookalike.faces.server.looking.AGAIN_SECONDS", 0.0)
    listed(api)
    assert eventually(lambda: listed(api)["progress"]["looked_at"] == 15)
    assert listed(api)["progress"]["problem"] is None


def test_looking_ends_with_the_server(collection):
    collection.found.is_looked_at = False
    with client(collection) as api:
        listed(api)
        assert eventually(lambda: collection.found.looks == 1)
    assert collection.found.was_stopped
    assert "looking" not in {thread.name for thread in threading.enumerate()}


@pytest.fixture
def own_files(collection, tmp_path, folder):
    """Photos that may go."""
    with collection:
        collection.remove(*(item.id for item in collection.items()))
        shutil.copytree(folder / "photos", tmp_path / "photos")
        collection.add(tmp_path / "photos")
    return tmp_path / "photos"


def remove(api, *files, keep, **more):
    given = {"items": [api.ids[name] for name in files], "keep": api.ids[keep], **more}
    return api.post("/api/copies/remove", json=given)


def test_copies_go_to_the_trash_and_the_one_that_is_kept_stays(own_files, collection):
    with client(collection, remove=collection.trash_copies) as api:
        assert api.get("/api/collection").json()["can_remove"] is True
        answer = remove(api, "10.png", "12.png", "same.png", keep="11.png")
        assert answer.json() == {
            "removed": [api.ids[name] for name in ("10.png", "12.png", "same.png")],
            "left": [],
        }
        assert collection.found.trashed == [["10.png", "12.png", "same.png"]]
        assert (own_files / "11.png").exists() and not (own_files / "10.png").exists()
        told = listed(api)
        assert (told["total"], "10.png" in bests(told)) == (5, False)


def test_a_file_that_cannot_go_is_told(own_files, collection):
    collection.found.stay = {"11.png": "it is not what was recorded"}
    with client(collection, remove=collection.trash_copies) as api:
        told = remove(api, "11.png", "12.png", keep="10.png").json()
    assert told == {
        "removed": [api.ids["12.png"]],
        "left": [{"id": api.ids["11.png"], "reason": "it is not what was recorded"}],
    }
    assert (own_files / "11.png").exists()


def test_nothing_goes_unless_the_server_was_started_for_it(collection):
    with client(collection) as api:
        assert api.get("/api/collection").json()["can_remove"] is False
        check_error(remove(api, "01.png", keep="00.png"), 403, "removal_is_off", "--allow-removal")
    assert collection.found.trashed == []


@pytest.mark.parametrize(
    ("files", "keep", "said"),
    [
        (["00.png"], "00.png", "the one that is kept is none of them"),
        (["01.png", "01.png"], "00.png", "each item is given once"),
        (["00.png", "01.png"], "02.png", "item 1 is in no group of copies with item 3"),
        (["03.png"], "00.png", "item 4 is in no group"),
        (["01.png"], "13.png", "item 14 is in no group of copies"),
    ],
)
def test_what_is_no_copy_never_goes(api, collection, files, keep, said):
    check_error(remove(api, *files, keep=keep), 422, "wrong_items", said)
    assert collection.found.trashed == []


def test_what_was_decided_to_be_different_never_goes(api, collection):
    listed(api)
    decide(api, "different", "10.png", "11.png")
    check_error(remove(api, "11.png", keep="10.png"), 422, "wrong_items", "is in no group")
    assert collection.found.trashed == []


def test_copies_of_another_level_go_only_by_it(api, collection, own_files):
    collection.found.families = [pair(0, level="scene")]
    api.ids = {Path(item.uri).name: item.id for item in collection.items()}
    check_error(remove(api, "01.png", keep="00.png"), 422, "wrong_items", "is in no group")
    assert remove(api, "01.png", keep="00.png", level="scene").status_code == 200


@pytest.mark.parametrize("target", ["/api/copies/decisions", "/api/copies/remove"])
def test_other_origins_and_strangers_change_nothing(collection, target):
    given = {"items": [2], "keep": 1} if "remove" in target else {"verdict": "different", "items": [1, 2]}
    options = ServerOptions(remove=collection.trash_copies)
    access = Access.listening("0.0.0.0", 8000, token="a-token-of-my-own-1234")
    with TestClient(build_app(collection, access, options), BASE) as api:
        assert api.post(target, json=given).status_code == 401
        shown = {"Authorization": "Bearer a-token-of-my-own-1234"}
        for forged in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert api.post(target, json=given, headers={**shown, **forged}).status_code == 403
        assert api.post(target, json=given, headers={**shown, "Host": "evil.example"}).status_code == 421
        assert api.post(target, content=b"x", headers=shown).status_code == 415
        assert not list(collection.decisions()) and collection.found.trashed == []
        assert api.post(target, json=given, headers=shown).status_code == 200


@pytest.mark.parametrize(
    "access",
    [
        Access(frozenset({"photos.example:8000"})),
        Access(frozenset({"127.0.0.1:8000"}), any_ip_port=8000),
        Access(frozenset({"127.0.0.1"}), https=True),
    ],
)
def test_files_are_never_removed_by_whoever_comes_along(collection, access):
    build_app(collection, access)
    with pytest.raises(UsageError, match="without a token"):
        build_app(collection, access, ServerOptions(remove=collection.trash_copies))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_this_machine_no_token_is_needed_for_it(collection, host):
    build_app(collection, Access.listening(host, 8000), ServerOptions(remove=collection.trash_copies))
    build_app(collection, Access.listening(host, 80), ServerOptions(remove=collection.trash_copies))
