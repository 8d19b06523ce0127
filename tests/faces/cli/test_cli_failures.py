"""Every failure is one line on standard error, and an exit code that scripts can tell apart."""

from __future__ import annotations

import pytest

HEADER_20K = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0N \0\0N \x08\0\0\0\0\xc6\x1b\x19\xe5\0\0\0\x01IDATx\x8c\xdc\xf7\x01"
)


def check_one_line(told, code, *parts):
    assert told.code == code
    assert told.err.startswith("lookalike: ")
    assert told.err.count("\n") == 1 and told.err.endswith("\n")
    for part in parts:
        assert part in told.err


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["search", "missing.jpg"], "cannot search by missing.jpg: no such file"),
        (["search", "notes.dat"], "cannot search by notes.dat: not a photo in a format that is read"),
        (["search", "big.png"], "big.png: 20,000 × 20,000 pixels: over the limit of 250 megapixels"),
        (["search", "."], "cannot search by .: a folder, not a photo"),
        (["search", "empty.jpg"], "cannot search by empty.jpg: empty file"),
        (["search", "9999"], "item 9999 is not in this collection"),
        (["search", "9" * 30], "no such file"),
        (["search", "9" * 300], "File name too long"),
        (
            ["search", "1", "--sheet", "nowhere/x.png"],
            "cannot write the sheet nowhere/x.png: No such file or directory",
        ),
        (["search", "1", "--sheet", "x.unknown"], "unknown file extension: .unknown; use .png or .jpg"),
        (["remove", "9999"], "nothing in the collection matches 9999"),
        (["remove", "missing.jpg"], "nothing in the collection matches missing.jpg"),
        (["add", "missing.jpg"], "no such file or folder: missing.jpg"),
        (
            ["add", ".", "-c", "folder"],
            "folder holds other files; name a new or empty folder for the collection",
        ),
        (["info", "-c", "folder"], "folder is not a lookalike collection (it has no store.sqlite)"),
        (["info", "-c", "notes.dat"], "notes.dat is a file, not a collection folder"),
        (["info", "-c", "nowhere"], "nowhere; make one with: lookalike add -c nowhere FOLDER"),
    ],
)
def test_what_cannot_be_done_ends_with_1(arguments, part, run, photos, monkeypatch):
    monkeypatch.chdir(photos)
    run("add", photos)
    (photos / "big.png").write_bytes(HEADER_20K)
    (photos / "empty.jpg").touch()
    (photos / "folder").mkdir()
    (photos / "folder" / "something").touch()
    check_one_line(run(*arguments), 1, part)


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["add"], "name at least one file or folder to add"),
        (["search"], "name a photo, an item or --words to search by"),
        (["remove"], "Missing argument 'TARGET...'. See: lookalike remove --help"),
        (["search", "1", "-k", "0"], "k is how many hits to return: at least 1, got 0"),
        (["search", "1", "-k", "-3"], "at least 1, got -3"),
        (["search", "1", "-k", "many"], "'many' is not a valid integer. See: lookalike search --help"),
        (["search", "1", "-w", "colour=red"], "no field 'colour'; there are camera, "),
        (["search", "1", "-w", "camera"], "cannot read the condition 'camera'; write FIELD=VALUE"),
        (["search", "1", "-w", "width>wide"], "width is a number; got 'wide'"),
        (["search", "1", "--nonsense"], "--nonsense"),
        (["nonsense"], "No such command 'nonsense'. See: lookalike --help"),
        (["add", "--list", "missing"], "No such file or directory"),
    ],
)
def test_wrong_usage_ends_with_2(arguments, part, run, photos):
    run("add", photos)
    check_one_line(run(*arguments), 2, part)


@pytest.mark.parametrize(
    "arguments", [["search", "1"], ["search", "0.png"], ["info"], ["verify"], ["remove", "1"]]
)
def test_without_a_collection_the_way_to_make_one_is_named(arguments, run, photos, monkeypatch):
    monkeypatch.chdir(photos)
    check_one_line(run(*arguments), 1, "no collection at ", "; make one with: lookalike add FOLDER")


def test_an_emptied_collection_says_so(run, photos):
    run("add", photos)
    run("remove", photos)
    for query in ("1", photos / "0.png"):
        check_one_line(run("search", query), 1, "is empty; bring photos in with: lookalike add FOLDER")
    assert run("info").lines[1] == "items       0 (1 file skipped)"


def test_no_command_shows_the_help(run):
    told = run()
    assert told.code == 2
    assert "Commands:" in told.err


def test_help_and_version_end_with_0(run):
    from lookalike import __version__

    assert run("--version").out == f"lookalike, version {__version__}\n"
    for command in ([], ["add"], ["search"], ["remove"], ["info"], ["verify"]):
        told = run(*command, "-h")
        assert (told.code, told.err) == (0, "")
        assert told.out.startswith(f"Usage: {' '.join(['lookalike', *command])} ")
