"""Stores and web servers that fail: what may pass is tried again, and all else is one line."""

from __future__ import annotations

import time

import pytest

from hostile_http import (
    HostileServer,
    cut,
    endless,
    file,
    first,
    redirect,
    s3_error,
    send,
    silent,
    slow,
    status,
)
from lookalike.records import FileStamp, Skipped
from lookalike.sources.remote.fetching import Ahead, Stretch, read_stretch
from lookalike.sources.remote.patience import Patience
from lookalike.sources.remote.presence import absent_of, is_absent
from lookalike.sources.remote.reading import ObjectRequest, read_object, read_objects
from lookalike.sources.remote.troubles import RemoteError
from lookalike.sources.remote.walk import RemoteWalk

HASTY = Patience(attempts=3, seconds=1.5, first_wait=0.01, longest_wait=0.02, bytes_per_second=1 << 30)
CONTENT = b"a photo, or so" * 100


def outcome(server, path, **how):
    """What reading one object comes to, and how often it was asked for."""
    server.asked.clear()
    (result,) = read_objects([ObjectRequest(server.url + path)], patience=HASTY, **how)
    return (result if isinstance(result, bytes) else (result.reason, result.lasting)), len(server.asked)


def shown(reason, times=1, *, lasting=False):
    return (f"{reason}, {times} times in a row" if times > 1 else reason, lasting), times


def test_each_fault_of_a_web_server_is_met(monkeypatch):
    answers = {
        "/good": file(CONTENT),
        "/403": status(403),
        "/401": status(401),
        "/404": status(404),
        "/410": status(410),
        "/500": status(500),
        "/500-twice": first(2, status(500), file(CONTENT)),
        "/503-once": first(1, status(503), file(CONTENT)),
        "/429-once": first(1, status(429), file(CONTENT)),
        "/418": status(418),
        "/cut": cut(CONTENT, 100),
        "/cut-once": first(1, cut(CONTENT, 100), file(CONTENT)),
        "/slow": slow(b"x" * 100, 0.1),
        "/silent": silent(6),
        "/silent-once": first(1, silent(6), file(CONTENT)),
        "/endless": endless(b"x" * 65536),
        "/large": file(b"x" * 5000),
        "/loop": redirect("/loop"),
        "/away": redirect("/good"),
        "/to-file": redirect("file:///etc/passwd"),
        "/empty": file(b""),
        "/garbage": lambda handler: handler.wfile.write(b"no http\r\n\r\n"),
    }
    with HostileServer(answers) as server:
        assert outcome(server, "/good") == (CONTENT, 1)
        assert outcome(server, "/403") == shown(
            "access is denied (403); credentials are taken from the environment alone"
        )
        assert outcome(server, "/401")[0][0].startswith("access is denied (401)")
        assert outcome(server, "/404") == shown("nothing lies there (404)")
        assert outcome(server, "/410") == shown("nothing lies there (410)")
        assert outcome(server, "/500") == shown("the other side answers 500", 3)
        assert outcome(server, "/500-twice") == (CONTENT, 3)
        assert outcome(server, "/503-once") == outcome(server, "/429-once") == (CONTENT, 2)
        assert outcome(server, "/418") == shown("the other side answers 418")
        assert outcome(server, "/cut") == shown("its body was cut short", 3)
        assert outcome(server, "/cut-once") == (CONTENT, 2)
        assert outcome(server, "/slow") == shown("it took too long to answer", 3)
        assert outcome(server, "/silent") == shown("it took too long to answer", 3)
        assert outcome(server, "/silent-once") == (CONTENT, 2)
        assert outcome(server, "/endless", most_bytes=1 << 20) == shown("larger than 1 MiB", lasting=True)
        assert outcome(server, "/large", most_bytes=4000) == shown("larger than 0 MiB", lasting=True)
        assert outcome(server, "/loop")[0] == ("it is redirected too often", False)
        assert outcome(server, "/away") == (CONTENT, 2)
        reason, lasting = outcome(server, "/to-file")[0]
        assert "\n" not in reason and "root:" not in reason and not lasting
        assert outcome(server, "/empty") == shown("empty file", lasting=True)
        reason, lasting = outcome(server, "/garbage")[0]
        assert "\n" not in reason and not lasting


@pytest.fixture
def hostile_s3(monkeypatch):
    """A server that answers as S3 does, where it answers."""
    names = {"AWS_ACCESS_KEY_ID": "hunter2secret", "AWS_SECRET_ACCESS_KEY": "hunter2secret"}
    for name, value in {**names, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with HostileServer({}) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def test_each_fault_of_a_store_is_met_and_shows_no_key(hostile_s3):
    answers = {
        "denied": s3_error(403, "AccessDenied"),
        "expired": s3_error(400, "ExpiredToken"),
        "bad-key": s3_error(403, "InvalidAccessKeyId"),
        "none": s3_error(404, "NoSuchKey"),
        "slow-down": first(2, s3_error(503, "SlowDown"), file(CONTENT)),
        "always-slow": s3_error(503, "SlowDown"),
        "internal": first(1, s3_error(500, "InternalError"), file(CONTENT)),
        "cut": cut(CONTENT, 100),
        "cut-once": first(1, cut(CONTENT, 100), file(CONTENT)),
        "silent": silent(6),
        "endless": endless(b"x" * 65536),
        "garbage": lambda handler: handler.wfile.write(b"no http\r\n\r\n"),
    }
    hostile_s3.answers.update({f"/bucket/{name}": answer for name, answer in answers.items()})
    told, asked = {}, {}
    for name in answers:
        hostile_s3.asked.clear()
        (result,) = read_objects([ObjectRequest(f"s3://bucket/{name}")], patience=HASTY, most_bytes=1 << 20)
        told[name] = result if isinstance(result, bytes) else result.reason
        asked[name] = len(hostile_s3.asked)
    assert told["denied"].startswith("access is denied (403 AccessDenied)") and asked["denied"] == 1
    assert told["bad-key"].startswith("access is denied") and told["expired"].startswith(
        "the credentials of the environment have expired"
    )
    assert told["none"] == "nothing lies there (404 NoSuchKey)" and asked["none"] == 1
    assert told["slow-down"] == told["internal"] == told["cut-once"] == CONTENT
    assert (asked["slow-down"], asked["internal"], asked["cut-once"]) == (3, 2, 2)
    assert told["always-slow"] == "the other side answers 503 SlowDown, 3 times in a row"
    assert told["cut"] == "its body was cut short, 3 times in a row"
    assert told["silent"] == "it took too long to answer, 3 times in a row"
    assert told["endless"] == "larger than 1 MiB"
    assert "hunter2" not in str(told) and not any("\n" in str(each) for each in told.values())


def listing(keys, token=""):
    objects = "".join(
        f"<Contents><Key>{key}</Key><Size>3</Size><ETag>&quot;{key}&quot;</ETag></Contents>" for key in keys
    )
    more = (
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        if token
        else ""
    )
    body = f"<ListBucketResult>{objects}{more}</ListBucketResult>"
    return lambda handler: send(handler, 200, body.encode(), **{"Content-Type": "application/xml"})


def test_a_listing_that_breaks_off_is_not_whole(hostile_s3):
    def answer(handler):
        page = listing(["a.jpg", "b.jpg"], "next")
        (s3_error(500, "InternalError") if "continuation-token" in handler.path else page)(handler)

    hostile_s3.answers["/bucket"] = answer
    walk = RemoteWalk(["s3://bucket"], wanted="photo", patience=HASTY)
    found = list(walk.files())
    assert [each.uri for each in found if each.stamp] == ["s3://bucket/a.jpg", "s3://bucket/b.jpg"]
    assert walk.closed == ["s3://bucket"] and not walk.roots
    assert found[-1].problem == "the other side answers 500 InternalError, 3 times in a row"


@pytest.mark.parametrize("token", ["", "same"])
def test_a_listing_that_does_not_end_is_not_taken_for_whole(hostile_s3, token):
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    body = f"<ListBucketResult><Contents><Key>a.jpg</Key><Size>3</Size></Contents>{more}</ListBucketResult>"
    hostile_s3.answers["/bucket"] = lambda handler: send(handler, 200, body.encode())
    walk = RemoteWalk(["s3://bucket"], wanted="photo", patience=HASTY)
    assert next(reversed(list(walk.files()))).problem == "its listing does not say how it goes on"
    assert walk.closed and not walk.roots


def test_a_page_of_a_listing_is_asked_for_again(hostile_s3):
    hostile_s3.answers["/bucket"] = first(2, s3_error(503, "SlowDown"), listing(["a.jpg"]))
    walk = RemoteWalk(["s3://bucket"], wanted="photo", patience=HASTY)
    assert [each.uri for each in walk.files()] == ["s3://bucket/a.jpg"] and walk.roots


@pytest.mark.parametrize(
    "answer", [s3_error(403, "AccessDenied"), silent(6), s3_error(301, "PermanentRedirect")]
)
def test_a_listing_that_cannot_be_had_is_closed(hostile_s3, answer):
    hostile_s3.answers["/bucket"] = answer
    walk = RemoteWalk(["s3://bucket/photos"], wanted="photo", patience=HASTY)
    (found,) = walk.files()
    assert found.problem and "\n" not in found.problem and "hunter2" not in found.problem
    assert walk.closed == ["s3://bucket/photos"] and not walk.roots


def test_only_who_says_so_has_lost_something(hostile_s3):
    answers = {"here": file(b"x"), "none": status(404), "denied": status(403), "broken": status(500)}
    hostile_s3.answers.update({f"/bucket/{name}": answer for name, answer in answers.items()})
    uris = {name: f"s3://bucket/{name}" for name in answers}
    assert absent_of(list(uris.values())) == {uri: name == "none" for name, uri in uris.items()}
    assert is_absent(uris["none"]) and not is_absent("http://127.0.0.1:1/x.jpg")


def test_many_are_read_in_order_and_never_more_than_allowed_at_once():
    running, most = [0], [0]

    def answer(number):
        def send_it(handler):
            running[0] += 1
            most[0] = max(most[0], running[0])
            time.sleep(0.02 if number % 3 else 0.06)
            running[0] -= 1
            send(handler, 200, b"%d" % number * 100)

        return send_it

    with HostileServer({f"/{n}": answer(n) for n in range(40)}) as server:
        requests = [ObjectRequest(f"{server.url}/{n}", FileStamp(100, 0)) for n in range(40)]
        found = list(read_objects(requests, ahead=Ahead(4, 1 << 20)))
        assert found == [b"%d" % n * 100 for n in range(40)]
        assert 2 <= most[0] <= 4
        most[0] = 0
        assert list(read_objects(requests, ahead=Ahead(32, 150))) == found
        assert most[0] <= 2  # so many bytes and one object more


def test_who_stops_taking_stops_the_reading():
    with HostileServer({f"/{n}": file(b"x") for n in range(100)}) as server:
        reading = read_objects((ObjectRequest(f"{server.url}/{n}") for n in range(100)), ahead=Ahead(4))
        next(reading)
        reading.close()
        assert len(server.asked) <= 6


def test_one_that_hangs_costs_the_others_nothing():
    with HostileServer({"/bad": silent(3), **{f"/{n}": file(b"x") for n in range(5)}}) as server:
        requests = [ObjectRequest(f"{server.url}/{name}") for name in ("0", "bad", "1", "2", "3", "4")]
        found = list(read_objects(requests, patience=Patience(attempts=1, seconds=0.5)))
        assert [isinstance(each, Skipped) for each in found] == [False, True, False, False, False, False]


def test_a_stretch_is_read_also_where_ranges_are_not_known():
    content = bytes(range(256)) * 10_000
    with HostileServer(
        {"/ranges": file(content), "/whole": lambda handler: send(handler, 200, content)}
    ) as server:
        for name in ("/ranges", "/whole"):
            assert read_stretch(Stretch(server.url + name, 1_500_000, 1000)) == content[1_500_000:1_501_000]
        with pytest.raises(RemoteError, match="cut short"):
            read_stretch(Stretch(server.url + "/whole", len(content) - 10, 100), patience=HASTY)


def test_what_answers_too_slowly_is_left_in_time():
    with HostileServer({"/slow": slow(b"x" * 1000, 0.05)}) as server:
        started = time.monotonic()
        with pytest.raises(RemoteError, match="too long"):
            read_object(f"{server.url}/slow", patience=Patience(attempts=1, seconds=0.3))
        assert time.monotonic() - started < 20  # else it would have gone on for 50 s
