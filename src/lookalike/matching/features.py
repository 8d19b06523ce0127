"""What is kept of a photo for a close look: a small grey picture, and points in it that are found again.

Points and descriptors are SIFT's (Lowe, Distinctive Image Features from Scale-Invariant Keypoints, 2004), as
OpenCV has it; of a descriptor the square roots are kept (Arandjelović and Zisserman, Three things everyone
should know to improve object retrieval, 2012), in four bits each.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.matching.opencv import opencv

LONGEST = 384
"""Pixels of the longer side of the grey picture in which points are looked for; smaller ones stay small."""

MOST_POINTS = 400
"""So many points of the strongest contrast are kept."""

_HEAD = struct.Struct("<HHI")  # points, whether there is colour, bytes of the picture
_QUALITY = 92  # of the JPEG
_PARTS = 64  # of a pixel, in which places are kept; they never reach 1,024 pixels
_TURN = 65536 / (2 * np.pi)
_COLOURLESS = 3.0  # mean difference of the channels of a grey photo, of 255

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Features:
    """What is kept of one photo.

    `grey` `(height, width)` is the upright whole frame. `points` `(n, 4)` float32 are x, y and size in its
    pixels and angle in radians, those of the strongest contrast first. `descriptors` `(n, 128)` uint8 are 0
    to 15. `is_grey` tells that the photo has no colours.
    """

    grey: Grey
    points: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.uint8]
    is_grey: bool = False

    def to_bytes(self) -> bytes:
        """Return all of it, in about 50 kB."""
        cv2 = opencv()
        picture: Grey = cv2.imencode(".jpg", self.grey, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1]
        packed = self.descriptors[:, ::2] << 4 | self.descriptors[:, 1::2]
        scale = (_PARTS, _PARTS, _PARTS, _TURN)
        places = np.round(self.points * np.array(scale, np.float32)).astype(np.int64) % 65536
        head = _HEAD.pack(len(self.points), self.is_grey, len(picture))
        return head + picture.tobytes() + places.astype("<u2").tobytes() + zlib.compress(packed.tobytes(), 1)

    @classmethod
    def from_bytes(cls, kept: bytes) -> Features:
        """Return what `to_bytes` has packed."""
        cv2 = opencv()
        count, is_grey, length = _HEAD.unpack_from(kept)
        begin = _HEAD.size + length
        picture = np.frombuffer(kept[_HEAD.size : begin], np.uint8)
        grey = cv2.imdecode(picture, cv2.IMREAD_GRAYSCALE)
        places = np.frombuffer(kept, "<u2", count * 4, begin).reshape(count, 4)
        points = (places / np.array((_PARTS, _PARTS, _PARTS, _TURN))).astype(np.float32)
        packed = np.frombuffer(zlib.decompress(kept[begin + count * 8 :]), np.uint8).reshape(count, 64)
        return cls(
            grey, points, np.stack([packed >> 4, packed & 15], axis=2).reshape(count, 128), bool(is_grey)
        )


def extract(picture: npt.NDArray[np.uint8]) -> Features:
    """Return the features of an upright RGB picture `(height, width, 3)`.

    Raises `MissingExtraError` where OpenCV is not installed.
    """
    cv2 = opencv()
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, LONGEST / max(grey.shape))
    if scale < 1:
        size = [max(1, round(side * scale)) for side in reversed(grey.shape)]
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    points, descriptors = _points(grey)
    return Features(grey, points, descriptors, _is_colourless(picture))


def _points(grey: Grey) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return the points of a picture and their descriptors, those of the strongest contrast first."""
    cv2 = opencv()
    finder = cv2.SIFT_create(nfeatures=MOST_POINTS, enable_precise_upscale=True)
    found, descriptors = finder.detectAndCompute(grey, None)
    if descriptors is None:
        return np.empty((0, 4), np.float32), np.empty((0, 128), np.uint8)
    points = np.array([(*each.pt, each.size, np.deg2rad(each.angle)) for each in found], np.float32)
    contrasts = [each.response for each in found]  # that of a point with two angles is there twice
    order = np.lexsort((*points.T, np.negative(contrasts)))[:MOST_POINTS]
    roots = np.minimum(np.round(np.sqrt(descriptors[order])), 15)
    return points[order], roots.astype(np.uint8)


def _is_colourless(picture: npt.NDArray[np.uint8]) -> bool:
    cv2 = opencv()
    red, green, blue = cv2.split(picture)
    most, least = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return bool((most - least).mean() < _COLOURLESS)
