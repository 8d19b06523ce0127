"""RAW files are read by the largest picture in them, or skipped for a true reason."""

from __future__ import annotations

import numpy as np
import pytest
from raws import MAKERS, Layout, dng, nef, orf, picture, sensor, write

from lookalike.decode.ifd import read_directories
from lookalike.records import Photo, Skipped

NO_PREVIEW = (
    "a RAW photo without an embedded preview of at least 200 pixels a side; export it as JPEG to have it read"
)
BROKEN = "a RAW photo whose embedded preview is damaged; export it as JPEG to have it read"


@pytest.mark.parametrize("name", MAKERS)
def test_it_is_read_by_its_preview(name, tmp_path, read):
    image, jpeg = picture()
    image.save(tmp_path / "plain.png")
    result = read(write(tmp_path / "misleading.txt", MAKERS[name](jpeg)))
    assert isinstance(result, Photo), result
    facts = result.metadata
    assert (facts["format"], facts["width"], facts["height"]) == (name, 640, 424)
    plain = read(tmp_path / "plain.png").pixels.astype(int)
    assert np.abs(result.pixels - plain).mean() < 3
    if name != "CRW":
        assert facts["taken"] == "2019-06-30T12:34:56"
        assert facts["camera"]


@pytest.mark.parametrize("name", [each for each in MAKERS if each != "CRW"])
@pytest.mark.parametrize("turned", [3, 6, 8])
def test_the_file_says_how_its_preview_is_turned(name, turned, tmp_path, read):
    _, jpeg = picture()
    upright = read(write(tmp_path / "a", MAKERS[name](jpeg)))
    result = read(write(tmp_path / "b", MAKERS[name](jpeg, turned)))
    size = (640, 424) if turned == 3 else (424, 640)
    assert (result.metadata["width"], result.metadata["height"]) == size
    quarter_turns = {3: 2, 6: 3, 8: 1}[turned]
    wanted = np.rot90(upright.pixels.astype(int), quarter_turns)
    assert np.abs(result.pixels - wanted).mean() < 3


@pytest.mark.parametrize("name", MAKERS)
def test_one_with_nothing_but_a_thumbnail_is_skipped_and_says_so(name, tmp_path, read):
    _, jpeg = picture((160, 120))
    assert read(write(tmp_path / "a", MAKERS[name](jpeg))).reason == NO_PREVIEW


@pytest.mark.parametrize("name", ["NEF", "CR2", "ARW", "DNG", "RW2"])
def test_a_damaged_preview_is_named_as_such(name, tmp_path, read):
    _, jpeg = picture()
    assert read(write(tmp_path / "a", MAKERS[name](jpeg[: len(jpeg) // 2]))).reason == BROKEN


def test_a_damaged_one_gives_way_to_a_smaller_one(tmp_path, read):
    _, large = picture((1200, 800), 2)
    _, small = picture((640, 424), 1)
    damaged = large[: len(large) // 2]
    layout = Layout()
    below = (
        layout.directory({259: 6, 513: layout.add(damaged), 514: len(damaged)}),
        layout.directory({259: 6, 513: layout.add(small), 514: len(small)}),
        sensor(layout),
    )
    content = layout.finish(layout.directory({271: "NIKON", 330: below}))
    result = read(write(tmp_path / "a.nef", content))
    assert (result.metadata["width"], result.metadata["height"]) == (640, 424)


def test_the_largest_is_taken(tmp_path, read):
    _, small = picture((320, 212), 2)
    _, large = picture((900, 600), 1)
    content = orf(small + large)
    assert read(write(tmp_path / "a.orf", content)).metadata["width"] == 900


def test_pieces_of_the_sensor_are_no_previews(tmp_path, read):
    """Tiles of 256 pixels are large enough, but each is a part of the picture only."""
    _, jpeg = picture((160, 120))
    assert read(write(tmp_path / "a.dng", dng(jpeg))).reason == NO_PREVIEW


OTHERS = [("NIKON", "NEF"), ("PENTAX", "PEF"), ("SAMSUNG", "SRW"), ("Hasselblad", "RAW"), (None, "RAW")]


@pytest.mark.parametrize("make, kind", OTHERS)
def test_others_that_look_like_tiff_are_named_by_their_maker(make, kind, tmp_path, read):
    _, jpeg = picture()
    layout = Layout()
    fields = {330: sensor(layout), 513: layout.add(jpeg), 514: len(jpeg)}
    if make:
        fields[271] = f"{make} of somewhere"
    result = read(write(tmp_path / "a", layout.finish(layout.directory(fields))))
    assert result.metadata["format"] == kind


def test_an_ordinary_tiff_is_none(tmp_path, read, shared_data):
    for path in sorted((shared_data / "odd" / "pillow").glob("*.tif*")):
        result = read(path)
        assert "RAW" not in (result.reason if isinstance(result, Skipped) else ""), path


WILD = {
    "cut": nef(picture()[1])[:20_000],
    "only a header": b"II*\0\x10\0\0\0CR\2\0" + bytes(8),
    "directories in a ring": b"II*\0\x08\0\0\0" + b"\1\0\x4a\1\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0" + bytes(64),
    "far away": b"IIRO" + b"\xff\xff\xff\x7f" + bytes(100),
    "many entries": b"IIU\0\x08\0\0\0\xff\xff" + b"\xff" * 3000,
    "boxes without end": b"\0\0\0\x10ftypcrx \0\0\0\0" + b"\0\0\0\0moov" + b"\0\0\0\0uuid" * 50,
    "boxes of nothing": b"\0\0\0\x10ftypcrx \0\0\0\0" + b"\0\0\0\x08free" * 5000,
    "beginnings of JPEGs": b"\0MRM" + b"\xff\xd8\xff\xe0\0\x04ab" * 40_000,
    "frames of nothing": b"FOVb" + b"\xff\xd8\xff\xc0\0\x11\x08\0\0\0\0\3" * 1000,
}


@pytest.mark.parametrize("name", WILD)
def test_wild_ones_are_skipped(name, tmp_path, read):
    result = read(write(tmp_path / "a", WILD[name]))
    assert isinstance(result, Skipped)
    assert result.lasting


def test_directories_are_read_in_bounds():
    from io import BytesIO

    ring = BytesIO(WILD["directories in a ring"])
    assert len(read_directories(ring)) <= 32
    many = Layout()
    at = 0
    for _ in range(100):
        at = many.directory({256: 1}, at)
    assert len(read_directories(BytesIO(many.finish(at)))) == 32


REAL = [
    "CanonRaw.cr2",
    "CanonRaw.cr3",
    "CanonRaw.crw",
    "DNG.dng",
    "FujiFilm.raf",
    "Nikon.nef",
    "Panasonic.rw2",
]


@pytest.mark.parametrize("name", REAL)
def test_real_ones_whose_pictures_were_cut_out_are_not_called_damaged(name, shared_data, read):
    assert read(shared_data / "formats" / "exiftool" / name).reason == NO_PREVIEW


@pytest.mark.parametrize("name", ["CanonRaw.cr2", "Nikon.nef", "DNG.dng"])
def test_real_ones_with_a_preview_put_in_are_read_with_their_facts(name, tmp_path, shared_data, read):
    content = bytearray((shared_data / "formats" / "exiftool" / name).read_bytes())
    (tmp_path / "a").write_bytes(content)
    _, jpeg = picture()
    at, order = len(content), "big" if content[:2] == b"MM" else "little"

    def put(field, number):
        content[field.start : field.start + 4] = number.to_bytes(4, order)

    with (tmp_path / "a").open("rb") as file:
        directories = read_directories(file)
    for directory in directories:
        compression = directory[259].numbers if 259 in directory else ()
        for place, length in ((513, 514), (273, 279)):
            if place in directory and length in directory and compression in ((6,), (7,)):
                put(directory[place], at)
                put(directory[length], len(jpeg))
    result = read(write(tmp_path / "b", bytes(content) + jpeg))
    assert isinstance(result, Photo), result
    assert result.metadata["taken"] and result.metadata["camera"] and result.metadata["width"] == 640
