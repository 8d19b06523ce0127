"""The bundled models on real photos: what must be found is found."""

import numpy as np
import pytest

from lookalike import Collection
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders.load import load_embedder
from lookalike.models import DEFAULT_MODEL, bundled_names
from lookalike.records import Photo

COLOUR_MODES = ["CMYK.jpg", "RGB.jpg", "RGBA.png", "P.png", "PA.webp", "HSV.webp", "LAB.webp", "YCbCr.jpg"]


@pytest.fixture(scope="module", params=bundled_names("photo"))
def vectors_of(request):
    """A function from paths to vectors, by each bundled model."""
    embedder = load_embedder(request.param, threads=2)
    with DecodePool() as pool:

        def embed(paths):
            photos = list(
                pool.photos(PhotoRequest(str(path), str(path), embedder.spec.view) for path in paths)
            )
            assert all(isinstance(photo, Photo) for photo in photos)
            return embedder.embed(np.stack([photo.pixels for photo in photos]))

        yield embed


@pytest.mark.parametrize("family", ["Landscape", "Portrait"])
def test_every_exif_orientation_embeds_alike(vectors_of, shared_data, family, request):
    rows = vectors_of(sorted((shared_data / "exif").glob(f"{family}_*.jpg")))
    assert len(rows) == 9
    # Each photo has its own large digit painted on, which Lite2 sees more than the default model.
    floor = 0.9 if DEFAULT_MODEL in request.node.name else 0.8
    assert (rows @ rows.T).min() >= floor


def test_colour_modes_embed_like_the_original(vectors_of, shared_data):
    folder = shared_data / "neardup" / "modes"
    rows = vectors_of([folder / "original.jpg", *(folder / name for name in COLOUR_MODES)])
    scores = dict(zip(COLOUR_MODES, (rows[1:] @ rows[0]).tolist(), strict=True))
    assert min(scores.values()) >= 0.95, scores


@pytest.mark.slow
def test_real_photos_find_their_kind_and_themselves(shared_data, tmp_path):
    folder = shared_data / "caltech50"
    with Collection(tmp_path / "c.lookalike") as collection:
        report = collection.add(folder, shared_data / "neardup" / "edits")
        assert (report.added, report.skipped) == (1012, 0)
        for kind in ("sunflower", "okapi", "accordion", "stop_sign"):
            for photo in sorted((folder / kind).iterdir())[:3]:
                hits = collection.search(photo, 6)
                assert hits[0].uri == str(photo)
                same = [hit for hit in hits[1:] if f"/{kind}/" in hit.uri]
                assert len(same) >= 3, (photo, hits)
        original = shared_data / "neardup" / "edits" / "aaa-orig.jpg"
        turned = sorted((shared_data / "neardup" / "exif").iterdir())  # one desk, held in four ways
        assert collection.add(*turned).added == 4
        for photo in turned:
            assert {hit.uri for hit in collection.search(photo, 4)} == {str(path) for path in turned}
        nearest = {hit.uri.rsplit("/", 1)[1] for hit in collection.search(original, 10)}
        edits = {path.name for path in original.parent.iterdir()}
        assert len(nearest & edits) >= 9
