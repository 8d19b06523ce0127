"""Workers end with their parent, however it ends, and never run or disturb the caller's program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

DECODE_FOR_EVER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.records import View

def requests():
    while True:
        yield PhotoRequest("", sys.argv[1], View(64))

try:
    with DecodePool(workers=2) as pool:
        results = pool.photos(requests())
        for each in results:
            print("read", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

UNGUARDED = """
import sys
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder

print("started")
collection = Collection(sys.argv[1], embedder=FakeEmbedder())
print(collection.add(sys.argv[2]).added)
collection.close()
"""


def both_workers(program):
    """The first photo may be read before the second worker has started."""
    for _ in range(600):
        if len(workers := psutil.Process(program.pid).children()) == 2:
            return workers
        time.sleep(0.05)
    raise AssertionError(f"{len(workers)} workers after 30 seconds")


@pytest.fixture
def decoding(tmp_path, make_photo, request):
    """A program that decodes a photo again and again, and its workers."""
    photo = make_photo(tmp_path / "photo.jpg", 1, size=getattr(request, "param", (2000, 1500)))
    program = subprocess.Popen(
        [sys.executable, "-c", DECODE_FOR_EVER, str(photo)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout.readline() == "read\n"
    workers = both_workers(program)
    yield program, workers
    for process in (program, *workers):
        if process.poll() is None if process is program else process.is_running():
            process.kill()
    program.communicate()


def is_read_by_two(path, workers):
    return len(workers) == 2 and all(str(path) in {each.path for each in w.open_files()} for w in workers)


def check_gone(workers):
    gone, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    assert len(gone) == 2


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGTERM"])
def test_no_worker_survives_its_parent(signal_name, decoding):
    program, workers = decoding
    program.send_signal(getattr(signal, signal_name))
    program.communicate()
    check_gone(workers)


def test_a_worker_in_the_middle_of_a_long_photo_does_not_survive_its_parent(huge_png):
    program = subprocess.Popen([sys.executable, "-c", DECODE_FOR_EVER, str(huge_png)], stdout=subprocess.PIPE)
    with program:
        while not is_read_by_two(huge_png, workers := psutil.Process(program.pid).children()):
            time.sleep(0.05)
        program.kill()
    check_gone(workers)


def test_ctrl_c_is_heard_by_the_parent_alone(decoding):
    program, workers = decoding
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does
    output, errors = program.communicate(timeout=60)
    assert output.endswith("interrupted\n")
    assert errors == ""
    assert program.returncode == 0
    check_gone(workers)


def test_ctrl_c_while_workers_start_leaves_no_trace_of_them(tmp_path, make_photo):
    photo = make_photo(tmp_path / "photo.jpg", 1)
    code = DECODE_FOR_EVER.replace("results =", 'print("scheduled", flush=True); results =')
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(photo)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with program:
        assert program.stdout.readline() == "scheduled\n"
        os.killpg(program.pid, signal.SIGINT)
        output, errors = program.communicate(timeout=60)
    assert output.endswith("interrupted\n")
    assert errors == ""


def test_a_script_without_a_main_guard_works(tmp_path, make_photo):
    for seed in range(20):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    command = [sys.executable, str(script), str(tmp_path / "c.lookalike"), str(tmp_path / "photos")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr, run.returncode) == ("started\n20\n", "", 0)


def test_a_program_that_forgets_to_close_ends_all_the_same(tmp_path, make_photo):
    photo = make_photo(tmp_path / "photo.jpg", 1)
    code = DECODE_FOR_EVER.replace('print("read", flush=True)', 'print("read", flush=True); break').replace(
        "with DecodePool(workers=2) as pool:", "if pool := DecodePool(workers=2):"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(photo)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.stdout, run.stderr, run.returncode) == ("read\n", "", 0)


def test_files_in_the_current_folder_are_never_run(tmp_path, make_photo, read, monkeypatch):
    from lookalike.decode.pool import DecodePool
    from lookalike.decode.requests import PhotoRequest
    from lookalike.records import Photo, View

    photo = make_photo(tmp_path / "photo.png", 1)
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\nraise SystemExit"
    for name in ("PIL", "json", "lookalike", "sitecustomize", "queue"):
        (tmp_path / f"{name}.py").write_text(trap)
    monkeypatch.chdir(tmp_path)
    with DecodePool(workers=1) as pool:
        assert isinstance(pool.photo(PhotoRequest("", str(photo), View(64))), Photo)
    assert not (tmp_path / "sprung").exists()


def test_workers_hold_no_file_of_their_parent(tmp_path, make_photo, worker_processes):
    from lookalike.decode.pool import DecodePool
    from lookalike.decode.requests import PhotoRequest
    from lookalike.records import View

    photo = make_photo(tmp_path / "photo.png", 1)
    secret = tmp_path / "secret"
    with secret.open("w") as file, DecodePool(workers=2) as pool:
        os.set_inheritable(file.fileno(), True)
        list(pool.photos(PhotoRequest("", str(photo), View(64)) for _ in range(50)))
        held = {Path(each.path) for worker in worker_processes() for each in worker.open_files()}
    assert secret not in held
