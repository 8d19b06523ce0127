"""Commands that messages show work as they are printed, for the collection of the call."""

import re
import shlex
from pathlib import Path

import pytest

from helpers import execute
from lookalike.faces.cli.hints import for_collection
from lookalike.faces.cli.main import cli

SAID = {
    "run: lookalike verify --repair": "run: lookalike verify -c 'my photos' --repair",
    "make one with: lookalike add FOLDER": "make one with: lookalike add -c 'my photos' FOLDER",
    "lookalike models use NAME": "lookalike models use -c 'my photos' NAME",
    "to fetch it: lookalike models add o/n": "to fetch it: lookalike models add -c 'my photos' o/n",
    "run lookalike add once to fill": "run lookalike add -c 'my photos' once to fill",
    "lookalike evaluate votes": "lookalike evaluate votes -c 'my photos'",
    "lookalike search QUERY, or lookalike serve": "lookalike search -c 'my photos' QUERY, or lookalike serve "
    "-c 'my photos'",
    "say lookalike info": "say lookalike info -c 'my photos'",
    # these take none, or have it
    "lookalike models trust /a/folder": None,
    "or bring one in: lookalike models": None,
    "See: lookalike search --help": None,
    "lookalike search -c other photo.jpg": None,
    "lookalike search --collection other photo.jpg": None,
    "lookalike datasets get coco-val2014 coco": None,
    "the model is known to lookalike as x": None,
    "lookalike: no such file": None,
    "mylookalike verify": None,
    "lookalike verifying": None,
}  # fmt: skip


@pytest.mark.parametrize("text", SAID)
def test_a_command_gets_the_collection_if_it_takes_one(tmp_path, text):
    assert for_collection(text, cli, Path("my photos")) == (SAID[text] or text)
    assert for_collection(text, cli, None) == text


@pytest.fixture
def named(tmp_path):
    return tmp_path / "my photos.lookalike"


def commands_in(text):
    """The commands that a message shows."""
    return [
        shlex.split(each)
        for each in re.findall(r"lookalike ((?:add|search|serve|info|verify|models)[^,;:\n]*)", text)
    ]


def test_what_is_shown_after_adding_works_as_it_is(run, photos, named):
    told = run("add", photos, "-c", named)
    assert told.err.splitlines()[-1].startswith(f"the collection is {named}; next: lookalike search -c ")
    shown = commands_in(told.err)
    assert [each[0] for each in shown] == ["info", "search", "serve"]
    assert "notes.dat" in run(*shown[0]).out
    search = [str(photos / "1.png") if each == "QUERY" else each for each in shown[1]]
    assert run(*search).code == 0
    assert "next:" not in run("add", photos, "-c", named, "--json").err


def test_an_error_from_within_shows_it_too(run, photos, named):
    told = run("search", "id:1", "-c", named)
    assert f"lookalike add -c {shlex.quote(str(named))} FOLDER" in told.err
    run("add", photos, "-c", named)
    execute(named, "UPDATE vectors_1 SET vector = zeroblob(128) WHERE item_id = 1")
    told = run("search", "id:1", "-c", named)
    assert f"lookalike verify -c {shlex.quote(str(named))} --repair" in told.err
    told = run("verify", "-c", named)
    assert f"lookalike verify -c {shlex.quote(str(named))} --repair" in told.err


def test_a_collection_of_the_environment_needs_no_option(run, photos):
    assert "-c" not in run("add", photos).err
    assert run("search", "id:99").err == "lookalike: item 99 is not in this collection\n"


def test_where_nothing_came_in_there_is_nothing_next(run, tmp_path, named):
    (tmp_path / "no.jpg").write_text("no photo")
    assert "next:" not in run("add", tmp_path / "no.jpg", "-c", named).err
