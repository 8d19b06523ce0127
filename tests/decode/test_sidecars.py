"""Facts in files beside photos: XMP sidecars, and the JSON of Google Takeout."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from helpers import numbers
from lookalike.decode.sidecars import with_sidecars
from lookalike.records import FileStamp, Photo
from lookalike.sources.sidecars import Sidecars
from lookalike.store import PhotoBatch

pytest_plugins = ["store_fixtures"]

XMP = """<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:Rating="{rating}"
 exif:GPSLatitude="33,51.4S" exif:GPSLongitude="151,12.9E" exif:DateTimeOriginal="2019-07-06T05:04:03+02:00">
 <dc:subject><rdf:Bag><rdf:li>harbour</rdf:li><rdf:li>bridge</rdf:li></rdf:Bag></dc:subject>
 <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Sydney</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>"""

STATED = {
    "rating": 4,
    "lat": pytest.approx(-33.85667, abs=1e-5),
    "lon": pytest.approx(151.215, abs=1e-5),
    "taken": "2019-07-06T05:04:03",
    "keywords": "harbour; bridge",
    "title": "Sydney",
}

TAKEOUT = {
    "title": "IMG_1.jpg",
    "description": "On the pier",
    "photoTakenTime": {"timestamp": "1562382243", "formatted": "Jul 6, 2019, 3:04:03 AM UTC"},
    "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0},
    "geoDataExif": {"latitude": 52.5, "longitude": -13.25},
    "people": [{"name": "Ada"}, {"name": "Grace"}],
}


PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def put(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "sidecar"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.xmp"),
        ("IMG_1.JPG", "IMG_1.jpg.XMP"),
        ("IMG_1.CR2", "IMG_1.xmp"),
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("PXL_20230102_030405678.PORTRAIT.jpg", "PXL_20230102_030405678.PORTRAIT.jpg.supplement.json"),
        (
            "a-name-of-a-photo-that-is-very-very-long-0123456789.jpg",
            f"{'a-name-of-a-photo-that-is-very-very-long-0123456789.jpg'[:46]}.json",
        ),
        ("IMG(1)(2).png", "IMG(1).png(2).json"),
    ],
)
def test_the_sidecar_of_a_photo_is_found_by_its_name(tmp_path, name, sidecar):
    put(tmp_path / sidecar, "{}")
    put(tmp_path / "other.jpg.json", "{}")
    assert Sidecars().of(str(tmp_path / name)) == (str(tmp_path / sidecar),)


@pytest.mark.parametrize(
    "sidecar", ["IMG_1.png.xmp", "IMG_10.xmp", "IMG_1.jpg.txt", "IMG_1.jpg(2).json", "IMG_1.json"]
)
def test_those_of_others_are_not(tmp_path, sidecar):
    put(tmp_path / sidecar, "{}")
    assert Sidecars().of(str(tmp_path / "IMG_1.jpg")) == ()


def test_the_names_in_the_documentation_are_found(tmp_path):
    table = PAGE.read_text(encoding="utf-8").partition("### Sidecars\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(IMG[^`(]*\.(?:xmp|json))`", table))
    assert named == {"IMG.jpg.xmp", "IMG.xmp", "IMG.jpg.json", "IMG.jpg.supplemental-metadata.json"}
    for name in named:
        folder = tmp_path / name
        folder.mkdir()
        put(folder / name, "{}")
        assert Sidecars().of(str(folder / "IMG.jpg")) == (str(folder / name),)


def test_an_own_name_comes_before_a_shared_one_and_xmp_is_last(tmp_path):
    for name in ("a.xmp", "a.jpg.xmp", "a.jpg.json"):
        put(tmp_path / name, "{}")
    assert [Path(each).name for each in Sidecars().of(str(tmp_path / "a.jpg"))] == ["a.jpg.json", "a.jpg.xmp"]
    assert [Path(each).name for each in Sidecars().of(str(tmp_path / "a.cr2"))] == ["a.xmp"]


def test_what_a_sidecar_states_counts_more_than_the_photo(tmp_path):
    sidecar = put(tmp_path / "a.jpg.xmp", XMP.format(rating=4))
    assert with_sidecars({"rating": 1, "iso": 100}, (sidecar,)) == {"iso": 100, **STATED}


def test_what_takeout_states_fills_what_the_photo_lacks(tmp_path):
    sidecar = put(tmp_path / "a.jpg.json", json.dumps(TAKEOUT))
    facts = {
        "taken": "2019-07-06T03:04:03",
        "lat": 52.5,
        "lon": -13.25,
        "title": "On the pier",
        "keywords": "Ada; Grace",
    }
    assert with_sidecars({}, (sidecar,)) == facts
    own = {"taken": "2019-07-06T05:04:03", "camera": "X"}
    assert with_sidecars(own, (sidecar,)) == {**facts, **own}


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"photoTakenTime": {"timestamp": "0"}}, {"taken"}),
        ({"photoTakenTime": {"timestamp": "1e400"}}, {"taken"}),
        ({"photoTakenTime": {"timestamp": str(10**30)}}, {"taken"}),
        ({"geoDataExif": {"latitude": 91, "longitude": 0}}, {"lat", "lon"}),
        ({"geoDataExif": None}, {"lat", "lon"}),
        ({"geoDataExif": {"latitude": "NaN", "longitude": 1}}, {"lat", "lon"}),
        ({"people": "Ada"}, {"keywords"}),
        ({"people": [{}]}, {"keywords"}),
        ({"description": 7}, {"title"}),
        ({"description": ""}, {"title"}),
    ],
)
def test_malformed_facts_of_takeout_are_left_out_and_the_others_stay(tmp_path, change, missing):
    sidecar = put(tmp_path / "a.jpg.json", json.dumps({**TAKEOUT, **change}))
    assert {"taken", "lat", "lon", "title", "keywords"} - with_sidecars({}, (sidecar,)).keys() == missing


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        "7",
        '{"photoTakenTime": 7}',
        '{"rating": 3}',
        "\0" * 100,
        '"' + "x" * (2 << 20) + '"',
    ],
)
def test_what_is_no_sidecar_says_nothing(tmp_path, content):
    facts = {"iso": 100}
    for name in ("a.jpg.json", "a.jpg.xmp"):
        assert with_sidecars(facts, (put(tmp_path / name, content),)) == facts


def test_pipes_and_folders_by_the_names_of_sidecars_are_passed_over(tmp_path):
    (tmp_path / "a.jpg.xmp").mkdir()
    os.mkfifo(tmp_path / "a.jpg.json")
    paths = Sidecars().of(str(tmp_path / "a.jpg"))
    assert len(paths) == 2
    assert with_sidecars({"iso": 1}, paths) == {"iso": 1}


def facts_of(watched, name="0.png"):
    (item,) = [each for each in watched.collection.items() if each.uri.endswith(name)]
    of_the_picture = ("width", "height", "format", "phash", "sidecar")
    return {key: value for key, value in item.metadata.items() if key not in of_the_picture}


def test_a_sidecar_that_comes_changes_or_goes_is_noticed_without_embedding_again(photos, watched):
    sidecar = photos / "0.png.xmp"
    put(photos / "1.jpg.json", "{}")
    watched.add(photos)
    assert facts_of(watched) == {}
    put(sidecar, XMP.format(rating=4))
    assert numbers(watched.add(photos)) == {"updated": 1, "unchanged": 5}
    assert facts_of(watched) == STATED
    assert watched.collection.items(where="rating=4")[0].metadata["sidecar"] == "0.png.xmp"
    assert watched.decoder.decoded == []
    assert numbers(watched.add(photos)) == {"unchanged": 6}
    assert watched.decoder.read == []
    put(sidecar, XMP.format(rating=2))
    assert numbers(watched.add(photos)) == {"updated": 1, "unchanged": 5}
    assert facts_of(watched) == {**STATED, "rating": 2}
    assert [item.uri for item in watched.collection.items(where=["rating<=2"])] == [str(photos / "0.png")]
    old = put(photos / "0.png.json", json.dumps(TAKEOUT))
    os.utime(old, ns=(1, 1))
    assert numbers(watched.add(photos)) == {"updated": 1, "unchanged": 5}
    assert facts_of(watched) == {**STATED, "rating": 2}
    os.utime(photos / "0.png")  # newer than its sidecars, which go nevertheless
    watched.add(photos)
    Path(old).unlink()
    sidecar.unlink()
    assert numbers(watched.add(photos)) == {"updated": 1, "unchanged": 5}
    assert facts_of(watched) == {}
    assert watched.collection.verify().sound


def test_a_copy_has_the_facts_beside_it_and_a_moved_photo_takes_its_own_along(photos, watched, tmp_path):
    put(photos / "0.png.xmp", XMP.format(rating=4))
    watched.add(photos)
    (photos / "more").mkdir()
    shutil.copy(photos / "0.png", photos / "more" / "copy.png")
    put(photos / "more" / "copy.xmp", XMP.format(rating=1))
    assert numbers(watched.add(photos)) == {"added": 1, "unchanged": 6}
    assert (facts_of(watched)["rating"], facts_of(watched, "copy.png")["rating"]) == (4, 1)
    (photos / "0.png").rename(photos / "more" / "z.png")
    (photos / "0.png.xmp").rename(photos / "more" / "z.png.xmp")
    assert numbers(watched.add(photos)) == {"moved": 1, "unchanged": 6}
    assert facts_of(watched, "z.png") == STATED


def test_an_exif_date_stays_beside_takeouts(tmp_path, watched):
    exif = Image.Exif()
    exif[0x0132] = "2001:02:03 04:05:06"
    Image.new("RGB", (40, 30), "red").save(tmp_path / "IMG_1.jpg", exif=exif)
    put(tmp_path / "IMG_1.jpg.supplemental-metadata.json", json.dumps(TAKEOUT))
    report = watched.add(tmp_path / "IMG_1.jpg")
    assert report.added == 1
    facts = facts_of(watched, "IMG_1.jpg")
    assert (facts["taken"], facts["title"]) == ("2001-02-03T04:05:06", "On the pier")


def test_what_an_import_brought_stays_when_a_photo_is_read_again(photos, watched):
    """Facts of an import's table have the names of facts; the file says nothing of them."""
    watched.add(photos)
    item = watched.collection.item(watched.ids()["2.png"])
    brought = {**item.metadata, "title": "from a table", "label": "cat"}
    store = watched.collection._opened.store()
    photo = Photo(item.uri, FileStamp(0, 0), item.content_hash, None, brought)
    store.commit(store.default_space(), PhotoBatch([(photo, None)]), reader="import", is_gone=lambda _: False)
    (photos / "2.png").touch()
    watched.add(photos)
    assert watched.collection.item(item.id).metadata == brought
