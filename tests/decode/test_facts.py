"""Facts of EXIF with its fallbacks, of XMP and of IPTC; a stranger's XML does no harm."""

from __future__ import annotations

import struct

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.PngImagePlugin import PngInfo

from lookalike.decode.exif import read_facts
from lookalike.decode.xmp import read_iptc, read_xmp
from lookalike.records import Photo

HEAD = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
SPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:exifEX="http://cipa.jp/exif/1.0/"'
)


def xmp(attributes="", inside=""):
    description = f'<rdf:Description rdf:about="" {SPACES} {attributes}>{inside}</rdf:Description>'
    return f"{HEAD}{description}</rdf:RDF></x:xmpmeta>".encode()


def bag(name, *values, kind="Bag"):
    items = "".join(f"<rdf:li>{value}</rdf:li>" for value in values)
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>"


def facts(exif=None, **options):
    """The facts of a small JPEG."""
    from io import BytesIO

    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=Image.Exif() if exif is None else exif, **options)
    with Image.open(file) as image:
        return read_facts(image)


def exif_of(base=(), details=(), gps=()):
    exif = Image.Exif()
    exif.update(dict(base))
    exif.get_ifd(IFD.Exif).update(dict(details))
    exif.get_ifd(IFD.GPSInfo).update(dict(gps))
    return exif


NOTHING = [
    "",
    "    :  :     :  :  ",
    "0000:00:00 00:00:00",
    "\0" * 19,
    "2019:02:30 10:00:00",
    "2019:00:00 00:00:00",
]


@pytest.mark.parametrize("blank", NOTHING)
def test_a_blank_date_gives_way_to_the_next_one(blank):
    original, digitized, changed = "2001:02:03 04:05:06", "2002:02:03 04:05:06", "2003:02:03 04:05:06"
    names = (Base.DateTimeOriginal, Base.DateTimeDigitized)
    for dates, year in (
        ((original, digitized, changed), "2001"),
        ((blank, digitized, changed), "2002"),
        ((blank, blank, changed), "2003"),
        ((blank, blank, blank), None),
    ):
        details = dict(zip(names, dates[:2], strict=True))
        taken = facts(exif_of({Base.DateTime: dates[2]}, details)).get("taken")
        assert taken == (year and f"{year}-02-03T04:05:06")


@pytest.mark.parametrize(
    "written",
    [
        "2019:06:30 12:34:56",
        "2019-06-30 12:34:56",
        "2019/06/30 12:34:56",
        "2019.06.30 12:34:56",
        "2019-06-30T12:34:56+02:00",
        "2019:6:30 12:34:56.25",
        "2019:06:30  12:34:56",
    ],
)
def test_a_date_may_be_written_in_many_ways(written):
    assert facts(exif_of(details={Base.DateTimeOriginal: written}))["taken"] == "2019-06-30T12:34:56"


@pytest.mark.parametrize(
    "written", ["2019-06-30", "2019", "12:34:56", "30.06.2019 12:34:56", "2019:06:30 25:00:00"]
)
def test_what_is_no_day_and_time_is_left_out(written):
    assert "taken" not in facts(exif_of(details={Base.DateTimeOriginal: written}))


@pytest.mark.parametrize("south", ["S", "s", "South", "SOUTH", "South\0", " S "])
@pytest.mark.parametrize("west", ["W", "West", "west latitude"])
def test_halves_of_the_globe_may_be_words(south, west):
    gps = {GPS.GPSLatitudeRef: south, GPS.GPSLatitude: (33.0, 30.0, 0.0)}
    gps |= {GPS.GPSLongitudeRef: west, GPS.GPSLongitude: (70.0, 45.0, 0.0)}
    found = facts(exif_of(gps=gps))
    assert (found["lat"], found["lon"]) == (-33.5, -70.75)


@pytest.mark.parametrize("half", [None, "", "?", "unknown", "E"])
def test_a_place_without_its_half_of_the_globe_is_left_out(half):
    gps = {GPS.GPSLatitude: (33.0, 30.0, 0.0), GPS.GPSLongitude: (70.0, 45.0, 0.0), GPS.GPSLongitudeRef: "E"}
    if half is not None:
        gps[GPS.GPSLatitudeRef] = half
    assert not {"lat", "lon"} & set(facts(exif_of(gps=gps)))


def test_light_and_lens():
    details = {Base.ISOSpeedRatings: 400, Base.ExposureTime: 0.005, Base.LensModel: "EF50mm f/1.8 STM"}
    assert facts(exif_of(details=details)) == {"iso": 400, "exposure": 0.005, "lens": "EF50mm f/1.8 STM"}


@pytest.mark.parametrize(
    "details, expected",
    [
        ({Base.ISOSpeedRatings: (200, 0)}, {"iso": 200}),
        ({Base.ISOSpeedRatings: 0}, {}),
        ({Base.ISOSpeedRatings: 65535, Base.RecommendedExposureIndex: 102400}, {"iso": 102400}),
        ({Base.ISOSpeedRatings: 65535}, {}),
        ({Base.ExposureTime: 30.0}, {"exposure": 30.0}),
        ({Base.ExposureTime: 0.0}, {}),
        ({Base.LensModel: "----"}, {}),
        ({Base.LensModel: "\0\0"}, {}),
        ({Base.LensModel: "x" * 500}, {"lens": "x" * 120}),
    ],
)
def test_what_says_nothing_of_light_and_lens_is_left_out(details, expected):
    assert facts(exif_of(details=details)) == expected


def save_with_xmp(path, packet):
    image = Image.new("RGB", (16, 16))
    if path.suffix == ".png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=True)
        image.save(path, pnginfo=info)
    elif path.suffix == ".tiff":
        image.save(path, tiffinfo={700: packet})
    else:
        image.save(path, xmp=packet)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff", "avif"])
def test_xmp_is_read_in_every_format(ending, tmp_path, read):
    inside = bag("dc:subject", "cat", "black &amp; white", "sea; sky") + bag(
        "dc:title", "Harbour", kind="Alt"
    )
    attributes = 'xmp:Rating="4" exif:DateTimeOriginal="2019-06-30T12:34:56.2+02:00" aux:Lens="50mm" '
    attributes += 'exif:GPSLatitude="33,30.0S" exif:GPSLongitude="70,45,0W"'
    save_with_xmp(tmp_path / f"a.{ending}", xmp(attributes, inside))
    result = read(tmp_path / f"a.{ending}")
    assert isinstance(result, Photo), result
    assert {
        key: value for key, value in result.metadata.items() if key not in ("width", "height", "format")
    } == {
        "taken": "2019-06-30T12:34:56",
        "lat": -33.5,
        "lon": -70.75,
        "rating": 4,
        "keywords": "cat; black & white; sea, sky",
        "title": "Harbour",
        "lens": "50mm",
    }


def test_properties_may_be_elements_or_attributes():
    assert read_xmp(xmp('xmp:Rating="3"')) == {"xmp:Rating": ["3"]}
    assert read_xmp(xmp("", "<xmp:Rating>3</xmp:Rating>")) == {"xmp:Rating": ["3"]}


def test_the_camera_goes_before_programs_and_they_before_the_last_change():
    packet = xmp(
        'exif:DateTimeOriginal="2010-01-01T10:00:00" exif:GPSLatitude="1,0N" exif:GPSLongitude="1,0E"'
    )
    gps = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (50.0, 0.0, 0.0)}
    gps |= {GPS.GPSLongitudeRef: "E", GPS.GPSLongitude: (9.0, 0.0, 0.0)}
    details = {Base.DateTimeOriginal: "2009:01:01 10:00:00"}
    found = facts(exif_of({Base.DateTime: "2020:01:01 10:00:00"}, details, gps), xmp=packet)
    assert (found["taken"][:4], found["lat"], found["lon"]) == ("2009", 50.0, 9.0)
    found = facts(exif_of({Base.DateTime: "2020:01:01 10:00:00"}), xmp=packet)
    assert (found["taken"][:4], found["lat"], found["lon"]) == ("2010", 1.0, 1.0)


RATINGS = [("5", 5), ("-1", -1), ("3.0", 3), ("0", None), ("99", None), ("good", None)]


@pytest.mark.parametrize("rating, expected", RATINGS)
def test_a_rating_is_from_minus_1_to_5(rating, expected):
    assert facts(xmp=xmp(f'xmp:Rating="{rating}"')).get("rating") == expected


def test_windows_writes_its_own_fields():
    exif = exif_of({18246: 4, 0x9C9E: "boat;sea".encode("utf-16-le"), 0x9C9B: "Harbour".encode("utf-16-le")})
    assert facts(exif) == {"rating": 4, "keywords": "boat; sea", "title": "Harbour"}


def iptc(*records):
    return b"".join(struct.pack(">BBBH", 0x1C, *kind, len(data)) + data for kind, data in records)


def test_iptc_is_read():
    noted = [((2, 5), b"Harbour"), ((2, 25), "Möwe".encode()), ((2, 25), "Möwe".encode("latin-1"))]
    records = iptc(*noted, ((2, 55), b"20190630"), ((2, 60), b"123456+0200"))
    assert read_iptc(records)["keywords"] == ["Möwe", "Möwe"]
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + bytes(len(records) % 2)
    assert read_iptc(b"\x1c\x02\x19\xff\xff") == {}
    from io import BytesIO

    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    data = b"Photoshop 3.0\0" + block
    content = file.getvalue()
    content = content[:2] + struct.pack(">HH", 0xFFED, len(data) + 2) + data + content[2:]
    with Image.open(BytesIO(content)) as image:
        assert read_facts(image) == {"keywords": "Möwe", "title": "Harbour", "taken": "2019-06-30T12:34:56"}


HOSTILE = {
    "entities": b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'">]>' + xmp('xmp:Rating="5"'),
    "a file": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + xmp("", bag("dc:subject", "&b;")),
    "a document type": b"<!DOCTYPE a>" + xmp('xmp:Rating="5"'),
    "deep": xmp('xmp:Rating="5"', "<dc:subject>" * 1000 + "</dc:subject>" * 1000),
    "many": xmp('xmp:Rating="5"', bag("dc:subject", *map(str, range(2000)))),
    "large": xmp('xmp:Rating="5"', " " * (2 << 20)),
    "cut": xmp('xmp:Rating="5"')[:-30],
    "not XML": b"Rating 5",
    "no namespace": b'<rdf:Description xmp:Rating="5"/>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_strange_xml_is_left_out(name):
    assert read_xmp(HOSTILE[name]) == {}


def test_long_values_are_cut_and_do_not_crowd_out_others():
    found = facts(xmp=xmp("", bag("dc:subject", *[f"word number {at}" for at in range(300)])))
    assert 900 < len(found["keywords"]) <= 1000 and found["keywords"].startswith(
        "word number 0; word number 1;"
    )
    assert len(facts(xmp=xmp("", bag("dc:title", "x" * 9000, kind="Alt")))["title"]) == 120


REAL = {
    "dates-date-priority-test.jpg": {"taken": "2023-02-02T02:00:00"},
    "dates-datetimeoriginal-gps.jpg": {"taken": "2025-12-01T11:30:00", "lat": 39.0, "lon": -108.0},
    "gps-position-empty_gps.jpg": {
        "taken": "2025-06-01T16:59:26",
        "iso": 234,
        "exposure": 0.025,
        "lat": None,
    },
    "gps-position-thompson-springs.jpg": {
        "taken": "2022-01-10T15:15:44",
        "lat": 39.115,
        "lon": -108.400968,
        "keywords": "carol m. highsmith; america; utah; utah winter scenes; thompson springs",
        "lens": "Canon EF 24-105mm f/4L IS II USM",
    },
    "rating-mongolels.jpg": {"rating": 3, "title": "Mongol Els", "iso": 200, "exposure": 0.004},
    "tags-picasa.jpg": {"keywords": "Frost; Yard", "taken": "2010-02-13T14:55:31"},
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_state_what_exiftool_says(name, shared_data, read):
    result = read(shared_data / "formats" / "immich" / name)
    assert isinstance(result, Photo), result
    assert {key: result.metadata.get(key) for key in REAL[name]} == REAL[name]
