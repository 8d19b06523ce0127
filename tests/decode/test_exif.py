"""Which way is up, and the facts that a photo's EXIF states."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from lookalike.records import Photo

TURNS = {  # how the pixels of an upright photo lie in the file: the inverse of what the tag asks for
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def save(path, exif, size=(64, 48)):
    Image.new("RGB", size, (90, 120, 150)).save(path, exif=exif)
    return path


def facts_of(path, read):
    result = read(path)
    assert isinstance(result, Photo), result
    return {key: value for key, value in result.metadata.items() if key not in ("width", "height", "format")}


@pytest.mark.parametrize("shape, size", [("Landscape", (1800, 1200)), ("Portrait", (1200, 1800))])
def test_all_orientations_of_a_photo_look_the_same(shape, size, shared_data, read):
    family = [read(path) for path in sorted((shared_data / "exif").glob(f"{shape}_*.jpg"))]
    assert len(family) == 9
    assert {(each.metadata["width"], each.metadata["height"]) for each in family} == {size}
    differences = [np.abs(each.pixels.astype(int) - family[0].pixels).mean() for each in family]
    assert max(differences) < 2


def test_phone_photos_have_their_upright_size(shared_data, read):
    folder = shared_data / "neardup" / "exif"
    sizes = {path.stem[-1]: read(path).metadata for path in folder.glob("*.jpg")}
    upright = {tag: (facts["width"], facts["height"]) for tag, facts in sizes.items()}
    assert upright == {"1": (4032, 3024), "3": (4032, 3024), "6": (3024, 4032), "8": (3024, 4032)}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("tag", TURNS)
def test_a_turned_photo_is_set_upright(tag, suffix, tmp_path, make_photo, read):
    upright = make_photo(tmp_path / "upright.png", 3, size=(96, 64))
    exif = Image.Exif()
    exif[Base.Orientation] = tag
    turned = tmp_path / f"turned.{suffix}"
    with Image.open(upright) as image:
        image.transpose(TURNS[tag]).save(turned, exif=exif)
    result = read(turned)
    assert (result.metadata["width"], result.metadata["height"]) == (96, 64)
    assert np.abs(result.pixels.astype(int) - read(upright).pixels).mean() < 6
    with Image.open(upright) as image:  # and the test can tell: lying pixels are far from upright ones
        image.transpose(TURNS[tag]).save(tmp_path / "lying.png")
    assert np.abs(read(tmp_path / "lying.png").pixels.astype(int) - read(upright).pixels).mean() > 20


@pytest.mark.parametrize("tag", [0, 1, 9, 77, 65535])
def test_a_nonsense_orientation_is_ignored(tag, tmp_path, read):
    exif = Image.Exif()
    exif[Base.Orientation] = tag
    result = read(save(tmp_path / "a.jpg", exif))
    assert (result.metadata["width"], result.metadata["height"]) == (64, 48)


def test_facts_are_read(tmp_path, read):
    exif = Image.Exif()
    exif[Base.Make] = "Canon"
    exif[Base.Model] = "Canon EOS 5D"
    exif[Base.DateTime] = "2021:01:01 00:00:00"
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2019:06:30 12:34:56"
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "S",
            GPS.GPSLatitude: (33.0, 51.0, 30.0),
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: (151.0, 12.0, 36.0),
        }
    )
    assert facts_of(save(tmp_path / "a.jpg", exif), read) == {
        "taken": "2019-06-30T12:34:56",
        "camera": "Canon EOS 5D",
        "lat": pytest.approx(-33.858333),
        "lon": pytest.approx(151.21),
    }


@pytest.mark.parametrize(
    "tags, camera",
    [
        ({Base.Make: "samsung", Base.Model: "SM-G930V"}, "samsung SM-G930V"),
        ({Base.Make: "NIKON CORPORATION", Base.Model: "NIKON D90"}, "NIKON D90"),
        ({Base.Make: "Canon\0junk", Base.Model: "  EOS\x1b[31m 5D\n\t II "}, "Canon EOS [31m 5D II"),
        ({Base.Make: "Kodak"}, "Kodak"),
        ({Base.Model: "Brownie"}, "Brownie"),
        ({Base.Make: " ", Base.Model: "\0"}, None),
        ({Base.Make: "x" * 5000}, "x" * 120),
    ],
)
def test_the_camera_is_named_once_on_one_line(tags, camera, tmp_path, read):
    exif = Image.Exif()
    exif.update(tags)
    assert facts_of(save(tmp_path / "a.jpg", exif), read).get("camera") == camera


@pytest.mark.parametrize(
    "taken, expected",
    [
        ("2019:06:30 12:34:56", "2019-06-30T12:34:56"),
        ("2019:06:30 12:34:56.789", "2019-06-30T12:34:56"),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("1019:06:30 12:34:56", None),
        ("2019:13:30 12:34:56", None),
        ("2019-06-30", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_only_a_believable_date_is_kept(taken, expected, tmp_path, read):
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = taken
    assert facts_of(save(tmp_path / "a.jpg", exif), read).get("taken") == expected


@pytest.mark.parametrize(
    "latitude, longitude",
    [
        ((91.0, 0.0, 0.0), (10.0, 0.0, 0.0)),
        ((10.0, 0.0, 0.0), (181.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((10.0, 0.0), (10.0, 0.0, 0.0)),
        ((IFDRational(1, 0),) * 3, (10.0, 0.0, 0.0)),
    ],
    ids=["latitude", "longitude", "null island", "two parts", "divided by 0"],
)
def test_only_a_believable_place_is_kept(latitude, longitude, tmp_path, read):
    exif = Image.Exif()
    exif.get_ifd(IFD.GPSInfo).update({GPS.GPSLatitude: latitude, GPS.GPSLongitude: longitude})
    assert facts_of(save(tmp_path / "a.jpg", exif), read) == {}


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0" + b"\xff" * 40,
    ],
    ids=["empty", "cut", "far", "wild"],
)
def test_a_jpeg_with_malformed_exif_is_a_photo(block, tmp_path, read):
    assert facts_of(save(tmp_path / "a.jpg", block), read) == {}
