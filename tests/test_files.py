"""What is no file is never waited for: a pipe, a socket, a device, a folder wherever a file can be named."""

import ast
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lookalike
from lookalike import files
from lookalike.errors import DamagedError, LookalikeError, ModelError, NotAFileError
from lookalike.index.file import load_index, read_header

sys.path.insert(0, str(Path(__file__).parent / "models"))  # the writer of small ONNX files
from onnx_files import photo_folder, text_folder, towers_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has pipes with names")

ROOT = Path(lookalike.__file__).parent
OPEN = Path("/proc/self/fd")  # on Linux
SECONDS = 60  # of a command; one that waits for a pipe waits for ever


def pipe(path):
    os.mkfifo(path)
    return "a pipe"


def held_pipe(path):
    """A pipe with a writer that never writes; it stays until the tests end."""
    os.mkfifo(path)
    os.open(path, os.O_RDWR | os.O_NONBLOCK)
    return "a pipe"


def listening(path):
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(path.parent)  # its whole name may be too long
        made.bind(path.name)
    return "a socket"


def device(path):
    path.symlink_to("/dev/zero")
    return "a device"


def folder(path):
    path.mkdir()
    return "a folder"


def link_to_a_pipe(path):
    os.mkfifo(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    return "a pipe"


THINGS = [pipe, held_pipe, listening, device, folder, link_to_a_pipe]


@pytest.fixture(autouse=True)
def _back(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # and back in the end


@pytest.mark.parametrize("opened", [files.open_bytes, files.open_text, files.read_bytes, files.read_text])
@pytest.mark.parametrize("make", THINGS)
def test_what_is_no_file_is_refused(tmp_path, make, opened):
    kind = make(tmp_path / "x.csv")
    with pytest.raises(NotAFileError) as refusal:
        opened(tmp_path / "x.csv")
    assert str(refusal.value) == f"{tmp_path / 'x.csv'} is {kind}, not a file"
    assert isinstance(refusal.value, OSError) and refusal.value.strerror == f"it is {kind}, not a file"
    with pytest.raises(NotAFileError):
        files.check_file(tmp_path / "x.csv")


def test_what_is_put_in_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"a file")
    real = os.stat

    def stat_then_swap(*arguments, **options):
        facts = real(*arguments, **options)
        path.unlink()
        os.mkfifo(path)
        return facts

    handles = len(list(OPEN.iterdir())) if OPEN.exists() else None
    monkeypatch.setattr(os, "stat", stat_then_swap)
    with pytest.raises(NotAFileError):
        files.open_bytes(path)
    monkeypatch.undo()
    if handles is not None:
        assert len(list(OPEN.iterdir())) == handles


def test_files_are_read_as_by_open(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.txt")
    path.write_bytes("\ufeffgrün\r\n".encode())
    assert files.read_bytes(path) == path.read_bytes()
    assert files.read_text(path) == path.read_text(encoding="utf-8")
    with files.open_text(str(path), "utf-8-sig", newline="") as file:
        assert file.read() == "grün\r\n"
    with files.open_text(path, "ascii", "replace") as file:
        assert "gr" in file.read()
    with files.open_bytes(path) as file:
        assert os.get_blocking(file.fileno()) and not os.get_inheritable(file.fileno())
    (tmp_path / "link").symlink_to(path)
    assert files.check_file(tmp_path / "link").st_size == len(path.read_bytes())
    for name in ("none", "none/none", "x" * 1000):
        with pytest.raises(OSError, match=r"No such file|too long") as error:
            files.open_bytes(tmp_path / name)
        assert not isinstance(error.value, LookalikeError)


def test_an_index_that_is_a_pipe_is_damaged(tmp_path):
    os.mkfifo(tmp_path / "index")
    with pytest.raises(DamagedError, match="it is a pipe"):
        load_index(tmp_path / "index")
    with pytest.raises(NotAFileError):
        read_header(tmp_path / "index")


@pytest.fixture(scope="module")
def ground(tmp_path_factory, make_photo):
    """A collection of photos and what can be named beside it, for all cases."""
    ground = tmp_path_factory.mktemp("ground")
    for seed in range(4):
        make_photo(ground / "photos" / "ab"[seed % 2] / f"{seed}.png", seed)
    told = command(ground, "add", "photos", "--model", photo_folder(ground / "model"))
    assert told.returncode == 0, told.stderr
    assert command(ground, "export", "exported", "--jsonl").returncode == 0
    (ground / "names.txt").write_text("".join(f"photos/{seed}.png\n" for seed in range(4)))
    return ground


def command(where, *words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "lookalike", *map(str, words)],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent), "LOOKALIKE_COLLECTION": "c.lookalike"}
        | {"HF_HUB_OFFLINE": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


NAMED = {
    "--list": "add --list {}",
    "--labels": "evaluate labels --labels {}",
    "--qrels": "evaluate labels --qrels {}",
    "--import-decisions": "copies --import-decisions {}",
    "x.jpg": "search {}",
    "y.jpg": "search 1 --unlike {}",
    "x.npy": "import {} --names names.txt --photos",
    "x.npz": "import {} --names names.txt --photos",
    "x.faiss": "import {} --names names.txt --photos",
    "names": "import exported/vectors.npy --names {} --photos",
    "names.csv": "import exported/vectors.npy --names {} --photos",
    "names.jsonl": "import exported/vectors.npy --names {} --photos --column uri",
    "names.parquet": "import exported/vectors.npy --names {} --photos",
    "x.keras": "models convert keras:{} --to new",
    "x.h5": "models convert keras:{} --to new",
    "weights.h5": "models convert keras:VGG16 --weights {} --to new",
}


@pytest.mark.parametrize("name", NAMED)
def test_a_pipe_that_is_named_is_refused_in_one_line(ground, tmp_path, name):
    place = tmp_path / name.lstrip("-")
    os.mkfifo(place)
    told = command(ground, *NAMED[name].format(place).split())
    assert told.returncode in (1, 2) and not told.stdout, told
    *_, line = told.stderr.splitlines()
    assert len(told.stderr.splitlines()) == 1 and line.startswith("lookalike: ")
    assert str(place) in line and ("is a pipe" in line or "(a pipe)" in line or "not a regular file" in line)


@pytest.mark.parametrize("name", ["img_emb/img_emb_0.npy", "metadata/metadata_0.parquet"])
def test_a_pipe_in_a_folder_of_vectors_is_refused(ground, tmp_path, name):
    for each in ("img_emb/img_emb_0.npy", "metadata/metadata_0.parquet"):
        place = tmp_path / "clip" / each
        place.parent.mkdir(parents=True)
        os.mkfifo(place) if each == name else place.write_bytes(
            (ground / "exported/vectors.npy").read_bytes()
        )
    told = command(ground, "import", tmp_path / "clip")
    assert told.returncode in (1, 2) and told.stderr.count("\n") == 1 and "a pipe, not a file" in told.stderr


def test_what_is_known_of_fetched_models_may_be_a_pipe(tmp_path):
    home = tmp_path / "models" / "owner--name" / ("0" * 40)
    home.mkdir(parents=True)
    os.mkfifo(home / "lookalike.json")
    os.mkfifo(home.parent / "refs.json")
    models = {"LOOKALIKE_MODELS": str(tmp_path / "models")}
    for wanted in ("owner/name", f"owner/name@{home.name}"):
        told = command(tmp_path, "models", "trust", wanted, **models)
        assert told.returncode == 1 and "a pipe, not a file" in told.stderr
    assert command(tmp_path, "models", **models).returncode == 0


def test_standard_input_is_a_list_that_may_be_a_pipe(ground):
    told = subprocess.run(
        [sys.executable, "-m", "lookalike", "add", "--list", "-", "-c", "listed.lookalike"],
        cwd=ground,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent)},
        input=b"\xef\xbb\xbfphotos/a\nphotos/b\n",
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert told.stdout.startswith(b"found 4 = 4 added"), told


SKIPPED = "found {} = 1 added + 0 unchanged + 0 moved + 0 updated + {} skipped\n"
SUFFIXES = ["csv", "tsv", "jsonl", "ndjson", "parquet", "txt", "md", "jpg"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pipe_that_is_added_is_skipped(tmp_path, suffix):
    os.mkfifo(tmp_path / f"x.{suffix}")
    told = command(tmp_path, "add", tmp_path / f"x.{suffix}")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.endswith(f"x.{suffix}: not a regular file (a pipe)\n")
    assert [path.name for path in tmp_path.iterdir()] == [f"x.{suffix}"]


@pytest.mark.parametrize("how", [[], ["--texts"], ["--column", "text"]])
def test_pipes_that_are_found_are_skipped_with_the_reason(tmp_path, how, make_photo):
    (tmp_path / "found").mkdir()
    for suffix in SUFFIXES:
        os.mkfifo(tmp_path / "found" / f"x.{suffix}")
    if how:
        (tmp_path / "found" / "good.csv").write_text("text\na text\n")
    else:
        make_photo(tmp_path / "found" / "good.png", 1)
    told = command(tmp_path, "add", "found", *how)
    found, aside = (8, "1 photo") if how else (2, "7 documents")
    assert told.stdout == SKIPPED.format(found, found - 1), told
    assert f"left aside: {aside}" in told.stderr
    assert command(tmp_path, "info", "--skipped").stdout.count("(a pipe)") == found - 1


FOLDERS = {"photos": photo_folder, "texts": text_folder, "towers": towers_folder}
READ = {
    "photos": ["config.json", "preprocessor_config.json", "onnx/model.onnx", "model.onnx"],
    "texts": [
        *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
        *("1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
        *("modules.json", "onnx/model.onnx"),
    ],
    "towers": ["onnx/vision_model.onnx", "onnx/text_model.onnx", "tokenizer.json"],
}
NOT_NEEDED = ["record.json", "README.md"]


@pytest.fixture
def read_model(tmp_path):
    """Read the folder of a kind of model with a thing in the place of a file, in a limited time."""

    def read(kind, name, make):
        place = FOLDERS[kind](tmp_path / "model") / name
        place.parent.mkdir(exist_ok=True)
        place.unlink(missing_ok=True)
        make(place)
        found = []

        def run():
            from lookalike.models.find import find_model

            try:
                found.append(find_model(str(tmp_path / "model")))
            except LookalikeError as error:
                found.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(SECONDS)
        assert found, f"it waits for {name}"
        return found[0]

    return read


@pytest.mark.parametrize("make", THINGS)
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in READ.items() for name in names])
def test_a_model_with_something_else_than_a_file_is_refused(read_model, kind, name, make):
    answer = read_model(kind, name, make)
    if name == "model.onnx":  # another one is there
        assert answer.name == "model"
        return
    assert isinstance(answer, ModelError), answer
    assert "\n" not in str(answer) and ", not a file" in str(answer) and name in str(answer)


@pytest.mark.parametrize("name", NOT_NEEDED)
@pytest.mark.parametrize("make", THINGS)
def test_what_a_model_can_do_without_is_not_waited_for(read_model, name, make):
    assert read_model("photos", name, make).licence == "unknown"


BY_PATH = {
    *("ParquetFile", "read_table", "ZipFile", "File", "InferenceSession", "read_index", "read_model"),
    *("np.load", "np.memmap", "np.fromfile", "np.loadtxt", "np.genfromtxt", "onnx.load", "mmap.mmap"),
    *("Tokenizer.from_file", "click.File", "click.open_file", "read_text", "read_bytes"),
}
"""Calls that may open what they are given a path of, beside `open`: whole names, or the last part of one."""

ALLOWED = {
    "these open what others ask for": {
        "files.py": ["open(path, 'rb'", "open(path, encoding", "os.open(path"],
        "decode/worker.py": ["os.open(path, flags)"],  # likewise, and loads little
    },
    "looked at just before": {
        "decode/parquet_rows.py": ["parquet.ParquetFile(source)"],
        "transfer/importing/arrays.py": ["np.load(path"],
        "transfer/importing/parquet.py": ["parquet.ParquetFile(path)"],
        "transfer/importing/faiss_child.py": ["faiss.read_index(path)"],
        "models/keras/files.py": ["zipfile.ZipFile(path)", "h5py.File(", "archive.open("],
        "embedders/session.py": ["ort.InferenceSession(source"],
    },
    "opened by a call of ours": {
        "models/graph.py": ["mmap.mmap(file.fileno()"],
        "embedders/session.py": ["file.read_bytes()"],
        "embedders/texts.py": ["tower.tokenizer.read_bytes()"],
        "embedders/tokens.py": ["tower.tokenizer.read_bytes()"],
        "models/words.py": ["self.file.read_bytes()", "np.load(io.BytesIO"],
        "cluster/shards.py": ["place.open(name)", "pa.parquet.ParquetFile(file"],
    },
    "standard streams, and nothing": {
        "faces/cli/arguments.py": ["click.open_file(value"],
        "faces/cli/main.py": ["os.open(os.devnull"],
        "decode/serve.py": ["os.open(os.devnull"],
    },
    "comes with lookalike": {
        "install.py": ["metadata.distribution(_NAME).read_text("],
        "models/words.py": ["(_FOLDER / 'record.json').read_text("],
        "faces/notebook/widget.py": ["(_WEB / name).read_text("],
        "faces/report/html.py": ["(_FOLDER / 'report.css').read_text("],
    },
    "it wrote the file itself, or is about to": {
        "durable.py": ["os.open(folder, os.O_DIRECTORY)", "new.open('rb+')"],
        "index/file.py": ["new.open('wb')"],
        "cluster/place.py": ["new.open('xb')"],
        "datasets/pypi_photos.py": ["zipfile.ZipFile(path)"],
        "models/download.py": ["part.open('ab')"],
        "sources/remote/ranges.py": ["path.open('wb')"],
        "models/hub.py": ["(home / '.lock').open('w')", "new.open('w'"],
        "models/keras/convert.py": [
            "np.load(folder / name",
            "ort.InferenceSession(model",
            "path.open('rb+')",
        ],
        "models/keras/graph.py": ["ort.InferenceSession(source", "onnx.load(path)"],
        "transfer/exporting/faiss_index.py": ["np.load(vectors"],
        "transfer/exporting/items.py": ["(folder / self.name).open('w'"],
        "copies/exchange.py": ["new.open('w'"],
        "copies/journal.py": ["os.open(self.path"],
        "copies/moving.py": ["move.part.open('xb')", "path.open('x'"],
        "faces/cli/copies/files.py": ["new.open('w'"],
        "transfer/exporting/run.py": ["(folder / VECTORS_FILE).open('wb')", "path.open('rb+')"],
    },
    "bytes in memory, or over HTTP": {
        "sources/remote/tables.py": ["parquet.ParquetFile(file"],
        "sources/remote/tars.py": ["tarfile.open(fileobj="],
        "faces/sheet.py": ["Image.open(BytesIO"],
        "copies/pictures.py": ["Image.open(BytesIO"],
        "cluster/place.py": ["self._files.open(self._path(name)"],
        "models/download.py": ["self._opener.open(request"],
    },
}

OWN_FILES = "store"
"""This room keeps to files of its own, in ways of its own: what SQLite needs, locks, appending."""


def opening_calls(path):
    """Yield each call in a file of the package that may open a path."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name, written = ast.unparse(node.func), ast.unparse(node)
            last = name.rpartition(".")[2]
            is_ours = name in ("read_bytes", "read_text", "open_bytes", "open_text")
            if (last == "open" and (node.args or node.keywords)) or (
                (name in BY_PATH or last in BY_PATH) and not is_ours
            ):
                yield written


def test_the_package_opens_what_a_user_names_by_the_calls_of_one_module():
    allowed = [
        (name, start) for group in ALLOWED.values() for name, starts in group.items() for start in starts
    ]
    used, unknown = set(), []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(f"{OWN_FILES}/"):
            continue
        for call in opening_calls(path):
            found = {each for each in allowed if each[0] == name and call.startswith(each[1])}
            used |= found
            unknown += [] if found else [f"{name}: {call}"]
    assert not unknown, "use lookalike.files, or say here why not"
    assert used == set(allowed)


def test_a_call_that_opens_a_path_is_seen(tmp_path):
    path = tmp_path / "x.py"
    seen = ["open(x)", "x.open('rb')", "x.open(encoding='ascii')", "x.read_text()", "Path(x).read_bytes()"]
    seen += ["np.load(x)", "parquet.ParquetFile(x)", "ParquetFile(x)", "os.open(x, 0)", "click.File()"]
    path.write_text("\n".join([*seen, "index.open()", "json.load(x)", "read_bytes(x)", "open_text(x)"]))
    assert list(opening_calls(path)) == seen
