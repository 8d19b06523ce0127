"""Models fetched from a server that imitates the Hub: pinned, verified, resumed, and offline afterwards."""

import hashlib
import json
import os
import shutil
import threading

import pytest
from fake_hub import COMMIT, FakeHub, serving
from onnx_files import beside, photo_folder, photo_model, text_folder, turned_model

from lookalike import Collection
from lookalike.errors import FetchError, ModelError, StorageError, UsageError
from lookalike.models import download
from lookalike.models.find import find_model
from lookalike.models.hub import fetched, find_in_hub

ONNX = "onnx/model.onnx"


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def hub(tmp_path, monkeypatch):
    files = files_of(photo_folder(tmp_path / "source"))
    files[ONNX] += b"\x12\x84\x80\x20" + bytes(65540 * 8 - 4)[:0x80004]  # a producer's name of half a MB
    files |= {"evil.py": b"import os", "pytorch_model.bin": b"pickle", "README.md": b"---\nlicense: mit\n---"}
    monkeypatch.setenv("LOOKALIKE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(download, "PAUSES_S", (0.01, 0.01, 0.01))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving(FakeHub(files)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


@pytest.fixture
def home(tmp_path):
    return tmp_path / "models" / "owner--name"


def test_a_model_is_fetched_pinned_and_recorded(hub, home):
    seen = []
    record = find_model("owner/name", on_progress=lambda there, total: seen.append((there, total)))
    assert record.reference == f"hf:owner/name@{COMMIT}"
    assert (record.name, record.kind, record.dim, record.licence) == ("owner/name", "photo", 3, "apache-2.0")
    assert record.photo.file.read_bytes() == hub.files[ONNX]
    wanted = {"config.json", "preprocessor_config.json", ONNX}
    assert {*files_of(home / COMMIT)} == wanted | {"lookalike.json"}
    facts = json.loads((home / COMMIT / "lookalike.json").read_text())
    sums = {name: hashlib.sha256(hub.files[name]).hexdigest() for name in wanted}
    assert (facts["repository"], facts["revision"], facts["files"]) == ("owner/name", COMMIT, sums)
    total = sum(len(hub.files[name]) for name in wanted)
    assert seen[-1] == (total, total) and seen == sorted(seen)
    assert [(name, commit) for name, commit, _ in fetched()] == [("owner/name", COMMIT)]


def test_a_collection_tells_how_far_its_model_is_fetched(hub, tmp_path, make_photo):
    make_photo(tmp_path / "photos" / "1.png", 1)
    steps = []
    with Collection(tmp_path / "photos.lookalike", model="owner/name") as collection:
        report = collection.add(tmp_path / "photos", on_step=lambda *step: steps.append(step))
    assert report.added == 1
    assert steps[0][0] == "fetching the model"
    there, total = [step[1:] for step in steps if step[0] == "fetching the model"][-1]
    assert there == total > len(hub.files[ONNX])


@pytest.mark.parametrize(
    "again", ["owner/name", "hf:owner/name", f"hf:owner/name@{COMMIT}", "owner/name@main"]
)
def test_afterwards_nobody_is_asked(hub, again):
    first = find_model("owner/name")
    asked = len(hub.asked)
    assert find_model(again) == find_model(again, cached_only=True) == first
    assert len(hub.asked) == asked


def test_a_tag_is_resolved_and_remembered(hub, home):
    assert find_model("owner/name@v1").reference == f"hf:owner/name@{COMMIT}"
    assert json.loads((home / "refs.json").read_text()) == {"v1": COMMIT}


def test_without_leave_nothing_is_fetched(hub, monkeypatch):
    with pytest.raises(
        ModelError, match="owner/name is not on this machine; to fetch it: lookalike models add"
    ):
        find_model("owner/name", cached_only=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="is not on this machine"):
        find_model("owner/name")
    assert not hub.asked


def test_a_second_variant_comes_beside_the_first(hub, home):
    hub.files["onnx/model_fp16.onnx"] = photo_model(size="side")
    plain, half = find_model("owner/name"), find_model("owner/name#fp16")
    assert half.reference == f"hf:owner/name@{COMMIT}#fp16" and half.name == "owner/name#fp16"
    assert half.model_id != plain.model_id
    assert len(hub.gets(ONNX)) == 1 and find_model("owner/name", cached_only=True) == plain
    assert find_model(half.reference, cached_only=True) == half


def test_a_cut_connection_goes_on_where_it_broke(hub):
    hub.cut[ONNX] = [200_000, 100_000]
    find_model("owner/name")
    assert [headers.get("Range") for headers in hub.gets(ONNX)] == [None, "bytes=200000-", "bytes=300000-"]


def test_a_server_without_ranges_starts_again(hub):
    hub.cut[ONNX], hub.ignores_ranges = [200_000], True
    assert find_model("owner/name").photo.file.read_bytes() == hub.files[ONNX]


def test_the_next_run_goes_on_where_the_last_one_ended(hub, home):
    hub.cut[ONNX] = [200_000, 0, 0, 0, 0]
    with pytest.raises(FetchError, match="closed early; run it again to go on"):
        find_model("owner/name")
    assert (home / COMMIT / f"{ONNX}.part").stat().st_size == 200_000
    hub.asked.clear()
    hub.cut.clear()
    find_model("owner/name")
    assert [headers.get("Range") for headers in hub.gets(ONNX)] == ["bytes=200000-"]


def test_a_foreign_beginning_is_thrown_away(hub, home):
    for junk in (b"junk" * 100, b"x" * (len(hub.files[ONNX]) + 1), b"y" * len(hub.files[ONNX])):
        shutil.rmtree(home, ignore_errors=True)
        part = home / COMMIT / f"{ONNX}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(junk)
        seen = []
        record = find_model("owner/name", on_progress=lambda there, total: seen.append((there, total)))  # noqa: B023
        assert record.photo.file.read_bytes() == hub.files[ONNX]
        assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("name", [ONNX, "config.json"])
def test_changed_bytes_are_refused(name, hub, home):
    content = bytearray(hub.files[name])
    content[len(content) // 2] ^= 1
    hub.swapped[name] = bytes(content)
    with pytest.raises(FetchError, match=f"{name} from .* is not the file that was announced"):
        find_model("owner/name")
    assert not (home / COMMIT / name).exists() and not (home / COMMIT / f"{name}.part").exists()
    assert not (home / COMMIT / "lookalike.json").exists()


def test_a_file_larger_than_announced_is_cut_off(hub, home):
    hub.swapped[ONNX] = hub.files[ONNX] + bytes(30 << 20)
    with pytest.raises(FetchError, match=r"is larger than its .* bytes"):
        find_model("owner/name")
    assert (home / COMMIT / f"{ONNX}.part").stat().st_size <= len(hub.files[ONNX])


def test_what_is_missing_or_closed_is_said_in_one_line(hub):
    with pytest.raises(FetchError, match=r"the model owner/other: .* has no such model or revision"):
        find_model("owner/other")
    with pytest.raises(FetchError, match="no such model or revision"):
        find_model("owner/name@nowhere")
    hub.refuse = [401]
    with pytest.raises(FetchError, match="HF_TOKEN holds your token") as refusal:
        find_model("owner/name")
    assert "\n" not in str(refusal.value)


def test_a_busy_server_is_asked_again_and_not_for_ever(hub):
    hub.refuse = [503, 429]
    assert find_model("owner/name").dim == 3
    hub.refuse = [503] * 9
    with pytest.raises(FetchError, match=r"cannot be reached: .*; run it again"):
        find_model("owner/name@v1")


def test_a_server_that_is_not_there(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9 cannot be reached"):
        find_model("owner/name")


def test_the_token_is_shown_to_the_hub_only(hub, monkeypatch):
    find_model("owner/name")
    assert not any("Authorization" in headers for _, _, headers in hub.asked)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    find_model("owner/name@v1")
    shown = {
        host: [headers.get("Authorization") for _, at, headers in hub.asked if at == host]
        for host in ("api", "storage")
    }
    assert "Bearer hf_secret" in shown["api"]
    assert set(shown["storage"]) == {None}


def test_a_redirect_to_another_kind_of_address_is_not_followed(hub, tmp_path):
    hub.redirect_to = f"file://{tmp_path}"
    with pytest.raises(FetchError, match=r"answered 302|unsafe"):
        find_model("owner/name")


@pytest.mark.parametrize("name", ["model.onnx_data", "model.onnx.data", "model.onnx_data_1"])
def test_weights_in_a_second_file_are_fetched_and_pinned(hub, home, name):
    hub.files[ONNX], hub.files[f"onnx/{name}"] = turned_model(beside(name)), bytes(36)
    hub.files |= {"onnx/model_fp16.onnx_data": b"of another one", "model.onnx_data": b"likewise"}
    seen = []
    record = find_model("owner/name", on_progress=lambda there, total: seen.append((there, total)))
    (weights,) = record.photo.file.beside
    assert weights.read_bytes() == bytes(36)
    facts = json.loads((home / COMMIT / "lookalike.json").read_text())
    assert facts["files"][f"onnx/{name}"] == weights.sha256 == hashlib.sha256(bytes(36)).hexdigest()
    assert not [each for each in facts["files"] if "fp16" in each or each == "model.onnx_data"]
    assert seen[-1][0] == seen[-1][1] == sum(len(hub.files[each]) for each in facts["files"])
    assert find_model("owner/name", cached_only=True) == record
    weights.path.write_bytes(b"\1" * 36)
    again = find_model("owner/name", cached_only=True)  # held to what was fetched, when it is used
    with pytest.raises(ModelError, match=f"{name} has sha256 .*, expected"):
        again.photo.file.verify()


def test_weights_that_a_repository_lacks_are_refused(hub, home):
    hub.files[ONNX] = turned_model(beside("model.onnx_data"))
    with pytest.raises(ModelError, match=r"model\.onnx_data"):
        find_model("owner/name")
    assert not (home / COMMIT).exists()


def test_sizes_are_looked_at_before_anything_is_fetched(hub, home, monkeypatch):
    hub.files["config.json"] = b" " * (5 << 20)
    with pytest.raises(ModelError, match=r"config\.json has 5,242,880 bytes; at most"):
        find_model("owner/name")
    hub.announces_size = False
    with pytest.raises(FetchError, match="size and checksum are not announced"):
        find_model("owner/name")
    hub.announces_size, hub.files["config.json"] = True, b"{}"
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: os.terminal_size((0, 0)) and type("Disk", (), {"free": 10})
    )
    with pytest.raises(StorageError, match="0 MiB free"):
        find_model("owner/name")
    assert not (home / COMMIT).exists()


def test_an_unfit_model_leaves_nothing_behind(hub, home):
    hub.files["preprocessor_config.json"] = b"{"
    with pytest.raises(ModelError, match="is not JSON"):
        find_model("owner/name")
    assert not (home / COMMIT).exists()


def test_a_file_changed_on_disk_is_refused_and_a_missing_one_fetched_again(hub, home):
    record = find_model("owner/name")
    path = record.photo.file.path
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match=r"has sha256 .*; install or download it again"):
        find_model("owner/name", cached_only=True).photo.file.read_bytes()
    path.unlink()
    assert find_model("owner/name").photo.file.read_bytes() == hub.files[ONNX]


def test_a_text_model_brings_its_tokenizer(hub, tmp_path):
    hub.files = files_of(text_folder(tmp_path / "texts"))
    hub.files["1_Pooling/config.json"] = b'{"pooling_mode": "cls"}'
    record = find_model("owner/name")
    assert record.kind == "text" and record.text.pooling == "cls"
    assert record.text.tokenizer.read_bytes() == hub.files["tokenizer.json"]


def test_two_at_once_fetch_it_once(hub):
    found = []
    threads = [threading.Thread(target=lambda: found.append(find_in_hub("owner/name"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and len(set(found)) == 1
    assert len(hub.gets(ONNX)) == 1


def test_names_that_are_no_model_are_refused(hub):
    for name in ("vgg16", "a/b/c", "owner/../name", "hf:name", "owner/name@", "", "owner/name#", "../x#y"):
        with pytest.raises((UsageError, ModelError), match=r"no model named|there is no model folder"):
            find_model(name)
    assert not hub.asked


def test_a_pooling_of_the_users_own_is_kept_with_the_reference(hub, tmp_path):
    hub.files.clear()
    hub.files |= files_of(text_folder(tmp_path / "texts"))
    plain, turned = find_model("owner/name"), find_model("owner/name#cls")
    assert (plain.text.pooling, turned.text.pooling) == ("mean", "cls")
    assert turned.reference == f"hf:owner/name@{COMMIT}#cls"
    assert find_model(turned.reference, cached_only=True) == turned
    assert turned.model_id != plain.model_id
