"""What other programs take for the same photo; runs in an environment of tools/requirements-peers.txt.

python bench/copies_peers.py OUT.npz [NAME …] < files.json

Standard input is a JSON list of files. OUT gets for each method the pairs `(n, 2)` of places in that list;
the last line printed is JSON: what each method is, and the seconds it took with all of its hashes.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import czkawka
import imagehash
import numpy as np
import numpy.typing as npt
import pdqhash
from imagededup.methods import AHash, DHash, PHash, WHash
from PIL import Image

Bits = npt.NDArray[np.uint8]
_BLOCK = 1024


@dataclass(frozen=True)
class Peer:
    """A method: hashes `(turns, bits)` of a file, and how many bits may differ by the program's own word.

    Of several turns those of one file are held against the first of another. Without `with_empty` a hash of
    which all bits are the same is that of nothing.
    """

    title: str
    hashes: Callable[[str], Bits]
    most: int
    with_empty: bool = True


def pdq(file: str) -> Bits:
    """Return PDQ's hashes of the eight turns and mirrorings, as it is first."""
    with Image.open(file) as photo:
        vectors, _ = pdqhash.compute_dihedral(np.asarray(photo.convert("RGB")))
    return np.array(vectors, np.uint8)


def pdq_as_is(file: str) -> Bits:
    """Return PDQ's hash."""
    with Image.open(file) as photo:
        vector, _ = pdqhash.compute(np.asarray(photo.convert("RGB")))
    return np.array([vector], np.uint8)


def of_imagededup(method: PHash | DHash | WHash | AHash, file: str) -> Bits:
    """Return a hash of imagededup."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(method.encode_image(file)), np.uint8))[None]


def of_czkawka(finder: czkawka.ImageSimilarity, file: str) -> Bits:
    """Return czkawka's own hash: gradient, 8 × 8."""
    text = finder.hash_image(file)
    content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"+/")
    return np.unpackbits(np.frombuffer(content, np.uint8))[None]


def gradient(size: int, resample: Image.Resampling, file: str) -> Bits:
    """Return the gradient hash, `size` × `size`, of a picture that was made small in that way."""
    with Image.open(file) as photo:
        small = photo.convert("L").resize((size + 1, size), resample)
    return imagehash.dhash(small, hash_size=size).hash.astype(np.uint8).reshape(1, -1)


def mean(size: int, file: str) -> Bits:
    """Return the mean hash, `size` × `size`."""
    with Image.open(file) as photo:
        return imagehash.average_hash(photo, hash_size=size).hash.astype(np.uint8).reshape(1, -1)


_FINDER = czkawka.ImageSimilarity()
PEERS = {
    "PDQ": Peer("pdqhash, the eight turns and mirrorings, at most 31 of 256 bits", pdq, 31),
    "PDQ, one way up": Peer("pdqhash, at most 31 of 256 bits", pdq_as_is, 31),
    "imagededup PHash": Peer("imagededup's default of 10 of 64 bits", partial(of_imagededup, PHash()), 10),
    "imagededup DHash": Peer("the same", partial(of_imagededup, DHash()), 10),
    "imagededup WHash": Peer("the same", partial(of_imagededup, WHash()), 10),
    "imagededup AHash": Peer("the same", partial(of_imagededup, AHash()), 10),
    "czkawka 8, High": Peer(
        "czkawka's own hashes (gradient, 8 × 8), at most 2 bits", partial(of_czkawka, _FINDER), 2, False
    ),
    "czkawka 8, Medium": Peer("the same, at most 5 bits", partial(of_czkawka, _FINDER), 5, False),
    "czkawka 16, High": Peer(
        "its command line's default (gradient, 16 × 16, nearest pixels, at most 5 bits), by imagehash",
        partial(gradient, 16, Image.Resampling.NEAREST),
        5,
        False,
    ),
    "czkawka 16 Lanczos, High": Peer(
        "the same of pictures made small by Lanczos",
        partial(gradient, 16, Image.Resampling.LANCZOS),
        5,
        False,
    ),
    "czkawka 16 Lanczos, Medium": Peer(
        "the same, at most 15 bits", partial(gradient, 16, Image.Resampling.LANCZOS), 15, False
    ),
    "czkawka 16 Mean, High": Peer(
        "its mean of 16 × 16, at most 5 bits, by imagehash", partial(mean, 16), 5, False
    ),
}


def main() -> None:
    """Hash all files by each method, or by those named, and write the pairs that are near enough."""
    files, (out, *only) = json.load(sys.stdin), sys.argv[1:]
    pairs, told = {}, {}
    for name, peer in PEERS.items():
        if only and name not in only:
            continue
        begun = time.perf_counter()
        hashes = np.stack([peer.hashes(file) for file in files])
        pairs[name] = near(hashes, peer.most)
        if not peer.with_empty:
            is_empty = (hashes[:, 0] == hashes[:, 0, :1]).all(axis=1)
            pairs[name] = pairs[name][~is_empty[pairs[name]].any(axis=1)]
        told[name] = {"title": peer.title, "seconds": round(time.perf_counter() - begun, 1)}
    np.savez_compressed(out, **pairs)
    print(json.dumps(told))


def near(hashes: Bits, most: int) -> npt.NDArray[np.int32]:
    """Return the pairs of files that differ in so many bits at most, in some turn of `(n, turns, bits)`."""
    signs = hashes.astype(np.float32) * 2 - 1
    bits, found = hashes.shape[2], []
    for begin in range(0, len(signs), _BLOCK):
        rows = signs[begin : begin + _BLOCK, 0]
        alike = np.zeros((len(rows), len(signs)), bool)
        for turn in range(signs.shape[1]):
            alike |= rows @ signs[:, turn].T >= bits - 2 * most
        one, other = np.nonzero(alike)
        found.append(np.stack([one + begin, other], axis=1).astype(np.int32))
    pairs = np.concatenate(found)
    return pairs[pairs[:, 0] != pairs[:, 1]]


if __name__ == "__main__":
    main()
