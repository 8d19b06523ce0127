"""Buckets on the command line, as a person types them, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from itertools import islice
from pathlib import Path

import pytest

import lookalike
from hostile_http import HostileServer, file

ROOT = Path(lookalike.__file__).parents[1]
SECRET = "hunter2secret"


@pytest.fixture(scope="module")
def bucket(s3_server, tmp_path_factory, make_photo):
    """A bucket of four photos, a film and a broken file."""
    name = f"b{uuid.uuid4().hex}"
    folder = tmp_path_factory.mktemp("photos")
    objects = {f"photos/{n}.png": make_photo(folder / f"{n}.png", n).read_bytes() for n in range(4)}
    s3_server.bucket(name, {**objects, "photos/film.mp4": b"x", "photos/bad.jpg": b"x"})
    return name, folder


def run(where, environment, *words):
    told = subprocess.run(
        [sys.executable, "-W", "error", "-m", "lookalike", *map(str, words)],
        cwd=where,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT), "LOOKALIKE_COLLECTION": "c.lookalike"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in told.stderr and "Unclosed" not in told.stderr, told.stderr
    return told


def test_a_bucket_is_added_searched_and_looked_at(bucket, s3_server, tmp_path):
    name, folder = bucket
    address, told = f"s3://{name}/photos", s3_server.environment
    added = run(tmp_path, told, "add", address)
    assert added.stdout == "found 5 = 4 added + 0 unchanged + 0 moved + 0 updated + 1 skipped\n", added
    assert "left aside: 1 video" in added.stderr
    (tmp_path / "list").write_text(f"{address}\n{folder}\n")
    again = run(tmp_path, told, "add", "--list", "list", "--json")
    assert json.loads(again.stdout.splitlines()[-1])["unchanged"] == 4
    found = run(tmp_path, told, "search", f"{address}/1.png", "-k", "1", "--json", "-w", f"folder={address}")
    (hit,) = json.loads(found.stdout)["hits"]
    assert hit["uri"] == f"{address}/1.png" and hit["score"] > 0.999
    assert run(tmp_path, told, "search", "1", "--sheet", "sheet.jpg").returncode == 0
    assert (tmp_path / "sheet.jpg").stat().st_size > 1000
    assert "s3://" in run(tmp_path, told, "info", "--skipped").stdout
    assert run(tmp_path, told, "verify", "--files").stdout.startswith("sound: 8 items")
    assert run(tmp_path, told, "remove", address).stdout == "removed 4 items\n"


def test_what_cannot_be_reached_is_one_line(s3_server, tmp_path):
    told = {**s3_server.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    added = run(tmp_path, told, "add", "s3://bucket/photos")
    assert added.returncode == 1 and added.stderr.count("\n") == 1
    assert "photos: nobody can be reached at that address" in added.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["add", "search", "remove"])
@pytest.mark.parametrize(
    "address",
    [
        f"s3://me:{SECRET}@bucket/x",
        f"https://host/x.jpg?X-Amz-Signature={SECRET}",
        f"https://{SECRET}@h/x.jpg",
    ],
)
def test_credentials_in_an_address_are_refused_in_one_line(tmp_path, make_photo, command, address):
    make_photo(tmp_path / "p" / "1.png", 1)
    assert run(tmp_path, {}, "add", "p").returncode == 0
    told = run(tmp_path, {}, command, address)
    assert told.returncode in (1, 2) and told.stderr.count("\n") == 1 and not told.stdout
    assert "environment" in told.stderr and SECRET not in told.stderr
    assert not any(
        SECRET.encode() in path.read_bytes()
        for path in (tmp_path / "c.lookalike").rglob("*")
        if path.is_file()
    )


def test_keys_of_the_environment_are_never_shown_or_written(bucket, s3_server, tmp_path):
    name, _ = bucket
    told = {**s3_server.environment, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ACCESS_KEY_ID": SECRET}
    for words in (["add", f"s3://{name}/photos"], ["add", f"s3://{name}-none"], ["info", "--skipped"]):
        done = run(tmp_path, told, *words)
        assert SECRET not in done.stdout + done.stderr
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_list_on_the_web_is_added(tmp_path, make_photo):
    photo = make_photo(tmp_path / "photo.png", 1).read_bytes()
    with HostileServer({"/a.png": file(photo, ETag='"1"')}) as server:
        server.answers["/list.txt"] = file(f"{server.url}/a.png\n{server.url}/b.png\n".encode())
        added = run(tmp_path, {}, "add", f"{server.url}/list.txt", "--photos")
        assert added.stdout.startswith("found 2 = 1 added"), added
        assert "b.png\tnothing lies there (404)" in run(tmp_path, {}, "info", "--skipped").stdout


def test_without_the_extra_the_install_line_is_shown(tmp_path):
    (tmp_path / "fsspec.py").write_text("raise ImportError('not here')\n")
    told = subprocess.run(
        [sys.executable, "-m", "lookalike", "add", "s3://bucket/photos", "-c", "c.lookalike"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1 and told.stderr.count("\n") == 1, told.stderr
    assert "reading s3:// addresses needs an optional package" in told.stderr and "remote" in told.stderr
    assert not (tmp_path / "c.lookalike").exists()


def test_folders_and_searches_load_nothing_of_it(tmp_path, make_photo):
    make_photo(tmp_path / "p" / "1.png", 1)
    script = (
        "import sys; from lookalike.faces.cli.main import cli; cli.main(sys.argv[1:], standalone_mode=False);"
        "heavy = ('fsspec', 's3fs', 'aiohttp', 'asyncio', 'pyarrow');"
        "print([name for name in sys.modules if name.split('.')[0] in heavy"
        " or name.startswith('lookalike.sources.remote.')])"
    )
    light = "['lookalike.sources.remote.addresses']"
    for words in (["add", "p"], ["add", "p"], ["search", "1"], ["search", "p/1.png"]):
        told = subprocess.run(
            [sys.executable, "-c", script, *words, "-c", "c.lookalike"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert told.stdout.splitlines()[-1] == light, words


@pytest.mark.slow
def test_killed_at_any_moment_each_object_is_in_once(s3_server, tmp_path, make_photo):
    name = f"b{uuid.uuid4().hex}"
    photos = [make_photo(tmp_path / "p" / f"{n}.png", n, (24, 16)) for n in range(120)]
    s3_server.bucket(name, {path.name: path.read_bytes() for path in photos})
    environment = {**os.environ, **s3_server.environment, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "lookalike", "add", f"s3://{name}", "-c", "c.lookalike", "--json"]
    acknowledged: set[str] = set()
    for lines in (1, 30, 25):
        running = subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in islice(running.stdout, lines):
            acknowledged.add(json.loads(line).get("uri", ""))
        running.kill()
        running.wait()
        running.stdout.close()
    done = run(tmp_path, s3_server.environment, "add", f"s3://{name}", "--json")
    *each, total = map(json.loads, done.stdout.splitlines())
    assert total["added"] + total["unchanged"] == 120 and len(acknowledged) > 40
    assert not acknowledged & {one["uri"] for one in each if one["outcome"] == "added"}
    listed = json.loads(run(tmp_path, s3_server.environment, "info", "--json").stdout)
    assert listed["items"] == 120
