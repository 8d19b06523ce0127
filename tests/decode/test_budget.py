"""A budget of decoding time: shared by all photos of a request, and of no concern to others."""

from __future__ import annotations

import contextvars
import threading

import pytest
from PIL import Image

from lookalike.decode.budget import DecodeBudget, current_budget, decoding_at_most
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest, ThumbnailRequest
from lookalike.records import Photo, Skipped, View

VIEW = View(32)
SPENT = "decoding what was asked for took longer than 0.2 s in all"


@pytest.fixture
def slow(tmp_path):
    """A small file of 225 million pixels, which takes about a second."""
    path = tmp_path / "slow.png"
    Image.new("L", (15_000, 15_000)).save(path)
    return path


def request(path, **more):
    return PhotoRequest(str(path), str(path), VIEW, **more)


def test_all_who_spend_it_are_stopped_when_it_is_spent():
    budget = DecodeBudget(0.3)
    stopped = [threading.Event() for _ in range(3)]

    def work(event):
        with budget.spending(event.set):
            assert event.wait(30)

    threads = [threading.Thread(target=work, args=[event]) for event in stopped]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert budget.is_spent and all(event.is_set() for event in stopped)
    with pytest.raises(TimeoutError), budget.spending(lambda: None):
        pass


def test_who_has_ended_is_not_stopped():
    budget = DecodeBudget(0.2)
    early, late = threading.Event(), threading.Event()
    with budget.spending(early.set):
        pass
    with budget.spending(late.set):
        assert late.wait(30)
    assert not early.is_set()


def test_it_holds_for_its_block_and_thread_only():
    seen = []
    with decoding_at_most(5) as budget:
        assert current_budget() is budget
        thread = threading.Thread(target=lambda: seen.append(current_budget()))
        thread.start()
        thread.join()
    assert (current_budget(), seen) == (None, [None])


@pytest.mark.parametrize("sent", ["files", "bytes"])
@pytest.mark.parametrize("count", [1, 8, 20])
def test_photos_beyond_it_are_skipped_and_say_why(slow, sent, count):
    content = slow.read_bytes() if sent == "bytes" else None
    with DecodePool(workers=2) as pool:
        with decoding_at_most(0.2) as budget:
            results = list(pool.photos(request(slow, content=content) for _ in range(count)))
        assert budget.is_spent
        assert {(each.reason, each.lasting) for each in results} == {(SPENT, False)}
        assert len(results) == count
        assert isinstance(pool.photo(request(slow)), Photo)  # others have all the time they need


def test_a_thumbnail_beyond_it_is_skipped(slow):
    with DecodePool(workers=1) as pool:
        with decoding_at_most(0.2):
            assert pool.thumbnail(ThumbnailRequest(str(slow), 200)).reason == SPENT
        assert isinstance(pool.thumbnail(ThumbnailRequest(str(slow), 200)), bytes)


def test_what_fits_is_read_as_ever(tmp_path, make_photo):
    files = [make_photo(tmp_path / f"{seed}.png", seed) for seed in range(20)]
    (tmp_path / "a.txt").write_text("no photo")
    with DecodePool(workers=2) as pool, decoding_at_most(30) as budget:
        results = list(pool.photos(map(request, [*files, tmp_path / "a.txt"])))
    assert not budget.is_spent
    assert [type(each) for each in results] == [Photo] * 20 + [Skipped]
    assert results[-1].reason == "not a photo in a format that is read"


def test_another_request_is_not_stopped_with_it(slow, tmp_path, make_photo):
    files = [make_photo(tmp_path / f"{seed}.png", seed) for seed in range(8)]
    outcomes = []

    def others():
        for _ in range(20):
            outcomes.extend(pool.photos(map(request, files)))

    with DecodePool(workers=2) as pool:
        thread = threading.Thread(target=others)
        thread.start()
        while thread.is_alive():
            with decoding_at_most(0.1):
                list(pool.photos(request(slow) for _ in range(3)))
        thread.join()
    assert len(outcomes) == 160 and all(isinstance(each, Photo) for each in outcomes)


def test_what_has_a_budget_holds_up_nothing_that_has_none(tmp_path, make_photo, worker_processes):
    photo = make_photo(tmp_path / "a.png", 1)
    with DecodePool(workers=1) as pool:
        with decoding_at_most(60):
            assert isinstance(pool.photo(request(photo)), Photo)
            (worker,) = worker_processes()
            worker.suspend()
            waiting = pool.photos(request(photo) for _ in range(20))
            first = threading.Thread(target=contextvars.copy_context().run, args=[next, waiting])
            first.start()
        assert isinstance(pool.photo(request(photo)), Photo)
        assert first.is_alive()
        worker.resume()
        first.join(30)
        assert len(list(waiting)) == 19
    assert not worker_processes()
