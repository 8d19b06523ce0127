"""The installed command in a process of its own, with a real terminal's signals, pipes and bundled model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lookalike.models import bundled_names

HEARS_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
from lookalike.faces.cli.main import main
main()
"""
COMMAND = [sys.executable, "-m", "lookalike"]

pytestmark = pytest.mark.skipif(not bundled_names("photo"), reason="no model is bundled in this checkout")


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "LOOKALIKE_COLLECTION": str(tmp_path / "photos.lookalike")}


@pytest.fixture
def lookalike(environment):
    def run(*arguments, **options):
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=120, **options
        )

    return run


def test_add_and_search(lookalike, photos):
    added = lookalike("add", photos)
    assert added.returncode == 0
    assert added.stdout == "found 7 = 6 added + 0 unchanged + 0 moved + 0 updated + 1 skipped\n"
    assert added.stderr.splitlines()[0] == "see why files were skipped with: lookalike info --skipped"
    found = lookalike("search", photos / "2.png", "-k", 1)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[1].split() == ["1.000", "3", "96×64", str(photos / "2.png")]


def test_a_list_comes_through_a_pipe(lookalike, photos):
    listed = f"{photos / '0.png'}\n{photos / '1.png'}\n"
    added = lookalike("add", "--list", "-", input=listed)
    assert added.stdout == "found 2 = 2 added + 0 unchanged + 0 moved + 0 updated + 0 skipped\n"


def test_an_unknown_model_names_the_known_ones(lookalike, photos):
    refused = lookalike("add", photos, "--model", "nonsense")
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        "lookalike: no model named 'nonsense'; there are fast, better, best, all-minilm-l6-v2, "
    )
    assert refused.stderr.count("\n") == 1


def test_a_terminal_without_our_letters_is_no_failure(lookalike, photos, environment):
    environment["PYTHONIOENCODING"] = "latin-1"
    (photos / "1.png").rename(photos / "ünï 中.png")
    lookalike("add", photos)
    found = lookalike("search", photos / "ünï 中.png", "-k", 1, encoding="latin-1")
    assert (found.returncode, found.stderr) == (0, "")
    assert "ünï \\u4e2d.png" in found.stdout


def test_a_reader_that_goes_away_is_no_failure_worth_a_word(photos, lookalike, environment):
    lookalike("add", photos)
    with subprocess.Popen(
        [*COMMAND, "info", "--skipped"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode in (0, 1)


def test_ctrl_c_keeps_what_was_read_and_the_next_run_goes_on(tmp_path, make_photo, environment, lookalike):
    folder = tmp_path / "photos"
    first = make_photo(folder / "0.jpg", 0, size=(1200, 900)).read_bytes()
    for number in range(1, 600):
        (folder / f"{number}.jpg").write_bytes(first + bytes(str(number), "ascii"))
    program = subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, "add", str(folder), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    with program:
        assert '"added"' in program.stdout.readline()
        workers = psutil.Process(program.pid).children()
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        output, errors = program.communicate(timeout=60)
    assert program.returncode == 130
    assert errors == "\nlookalike: interrupted; what is done is kept, run the same command to go on\n"
    assert not psutil.wait_procs(workers, timeout=30)[1]
    kept = 1 + output.count('"added"')
    assert 0 < kept < 600
    again = lookalike("add", Path(folder))
    assert again.returncode == 0
    found, added, unchanged = (int(again.stdout.split()[at].replace(",", "")) for at in (1, 3, 6))
    assert (found, added + unchanged) == (600, 600)
    assert unchanged >= kept
