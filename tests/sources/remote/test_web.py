"""Photos on web servers: lists of addresses, index pages, single files; and other stores that fsspec has."""

from __future__ import annotations

import pytest

from hostile_http import HostileServer, file, first, send, status
from lookalike.sources.remote.patience import Patience
from lookalike.sources.remote.reading import ObjectRequest, read_object, read_objects
from lookalike.sources.remote.troubles import RemoteError
from lookalike.sources.remote.walk import RemoteWalk

HASTY = Patience(attempts=2, seconds=2, first_wait=0.01, longest_wait=0.02)


def walked(address, **how):
    walk = RemoteWalk([address], wanted="photo", patience=HASTY, **how)
    return walk, list(walk.files())


def page(*links):
    body = "".join(f'<a href="{link}">x</a>' for link in links)
    return file(f"<html>{body}</html>".encode(), **{"Content-Type": "text/html; charset=utf-8"})


def test_a_list_of_addresses_is_read_line_by_line():
    with HostileServer({}) as server:
        secret = f"{server.url}/c.jpg?X-Amz-Signature=hunter2secret"
        lines = ["# photos", f"{server.url}/a.jpg", "", f"  {server.url}/b%20c.jpg ", "no address", secret]
        lines += [f"{server.url}/gone.jpg", "s3:///x", "file:///etc/passwd"]
        server.answers |= {
            "/list.txt": file("\r\n".join(["\ufeff" + lines[0], *lines[1:]]).encode()),
            "/a.jpg": file(b"photo a", ETag='"1"'),
            "/b%20c.jpg": file(b"photo b"),
        }
        walk, found = walked(f"{server.url}/list.txt")
        good = [each for each in found if each.stamp]
        assert [each.uri for each in good] == [f"{server.url}/a.jpg", f"{server.url}/b%20c.jpg"]
        assert list(read_objects(ObjectRequest(each.uri, each.stamp) for each in good)) == [
            b"photo a",
            b"photo b",
        ]
        told = {each.uri.removeprefix(server.url): each.problem for each in found if not each.stamp}
        assert (
            told["/list.txt#5"] == "line 5: it is no address"
            and told["/list.txt#9"] == "line 9: it is no address"
        )
        assert "a signature" in told["/list.txt#6"] and "nothing lies there" in told["/gone.jpg"]
        assert "hunter2" not in str(found)
        assert not walk.closed


def test_a_list_that_cannot_be_had_is_told():
    with HostileServer({"/list.txt": status(500)}) as server:
        walk, (found,) = walked(f"{server.url}/list.txt")
        assert found.problem.startswith("the other side answers 500") and walk.closed


def test_an_index_is_followed_below_itself_only():
    with HostileServer({}) as server:
        server.answers |= {
            "/photos/": page(
                "a.jpg", "sub/", "../secret.jpg", "/other/x.jpg", "http://127.0.0.1:1/y.jpg", "?C=N"
            ),
            "/photos": page(),
            "/photos/sub/": page("../", "b.jpg", "c.jpg?token=hunter2", "#top", "video.mp4", "./b.jpg"),
            "/photos/a.jpg": file(b"a"),
            "/photos/sub/b.jpg": file(b"b"),
        }
        walk, found = walked(f"{server.url}/photos/")
        assert [each.uri.removeprefix(server.url) for each in found] == ["/photos/a.jpg", "/photos/sub/b.jpg"]
        assert walk.roots and not walk.closed and walk.aside == {"video": 1}


def test_an_index_of_many_names_one_of_which_is_gone():
    with HostileServer({}) as server:
        names = [f"{n}.jpg" for n in range(100)]
        server.answers |= {"/p/": page(*names), "/p": page()}
        server.answers |= {f"/p/{name}": file(b"x", ETag=f'"{name}"') for name in names[1:]}
        walk, found = walked(f"{server.url}/p")
        assert len(found) == 100 and [each.problem for each in found if each.problem] == [
            "nothing lies there (404)"
        ]
        assert walk.roots


def test_stamps_of_the_web_tell_what_they_can():
    answers = {
        "/tag": file(b"xy", ETag='"1"'),
        "/time": file(b"xy", **{"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        "/neither": file(b"xy"),
        "/nohead": lambda handler: send(
            handler, 405 if handler.command == "HEAD" else 200, b"xy", ETag='"1"'
        ),
        "/packed": file(b"xy", ETag='"1"', **{"Content-Encoding": "gzip"}),
    }
    with HostileServer(answers) as server:
        stamps = {}
        for name, answer in list(answers.items()):
            server.answers[f"{name}.jpg"] = answer
            stamps[name] = [walked(f"{server.url}{name}.jpg")[1][0].stamp for _ in range(2)]
        same = {name: one == other for name, (one, other) in stamps.items()}
        assert same == {"/tag": True, "/time": True, "/neither": False, "/nohead": True, "/packed": True}
        assert stamps["/tag"][0].size == 2 and stamps["/packed"][0].size == 0  # not known


def test_a_head_that_fails_for_a_moment_is_asked_again():
    with HostileServer({"/a.jpg": first(1, status(503), file(b"x", ETag='"1"'))}) as server:
        assert walked(f"{server.url}/a.jpg")[1][0].stamp.size == 1


@pytest.fixture
def memory():
    import fsspec

    files = fsspec.filesystem("memory")
    yield files
    files.rm("/", recursive=True)


def test_any_store_of_fsspec_is_walked_and_read(memory):
    names = [
        "photos/a.jpg",
        "photos/sub/b c.jpg",
        "photos/sub/#d.jpg",
        "photos/.hidden/e.jpg",
        "photos/f.mp4",
    ]
    for name in names:
        memory.pipe(f"/{name}", name.encode())
    walk, found = walked("memory://photos")
    assert [each.uri for each in found] == [f"memory://{name}" for name in (names[0], names[2], names[1])]
    for each in found:
        assert read_object(each.uri) == each.uri.removeprefix("memory://").encode()
        assert each.stamp.size == len(each.uri.removeprefix("memory://"))
    assert walk.excluded == {"hidden": 1} and walk.aside == {"video": 1} and walk.roots
    again = {each.uri: each.stamp for each in walked("memory://photos")[1]}
    assert again == {each.uri: each.stamp for each in found}
    memory.pipe("/photos/a.jpg", b"new")
    assert {each.uri: each.stamp for each in walked("memory://photos")[1]} != again
    assert walked("memory://none")[0].closed or walked("memory://none")[0].empty


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("root", ["hdfs://host:8020", "hdfs://"])
def test_paths_of_a_host_become_its_addresses(tmp_path, root, is_async):
    import fsspec
    from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

    from lookalike.sources.remote.any_store import AnyStore
    from lookalike.sources.remote.patience import persist, run

    files = fsspec.filesystem("file")
    store = AnyStore(AsyncFileSystemWrapper(files) if is_async else files, "hdfs", root)
    for name in ("a.jpg", "sub/b c.jpg", "sub/#.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    mark, found = None, []
    while True:
        listed, mark = run(persist(lambda at=mark: store.page(f"{root}{tmp_path}", at), HASTY))
        found += [each.uri for each in listed]
        if mark is None:
            break
    assert found == [f"{root}{tmp_path}/{name}" for name in ("a.jpg", "sub/#.jpg", "sub/b c.jpg")]
    for uri in found:
        content = run(persist(lambda uri=uri: store.fetch(uri, 100), HASTY))
        assert uri.endswith(content.decode())
        assert run(store.fetch(uri, 100, 1, 3)) == content[1:4]
        assert run(store.look(uri)).size == len(content) and not run(store.is_folder(uri))
    with pytest.raises(RemoteError, match="larger than"):
        run(persist(lambda: store.fetch(found[0], 3), HASTY))
    with pytest.raises(RemoteError, match="nothing lies there"):
        run(persist(lambda: store.look(f"{root}{tmp_path}/none"), HASTY))


@pytest.mark.parametrize(
    "address",
    [
        *("sftp://host.invalid/x", "hdfs://127.0.0.1:1/x", "az://bucket/x"),
        pytest.param("gs://bucket-none/x", marks=pytest.mark.slow),
    ],
)
def test_stores_that_cannot_be_opened_are_one_line(address, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    walk, (found,) = walked(address)
    assert found.problem and "\n" not in found.problem and walk.closed
