"""Colours as their profile means them, in sRGB."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageChops, ImageCms

_MAX_PROFILE = 3 << 20
_SEEN = 3  # levels of 255 by which a colour must change to be worth it
_STEPS = range(0, 256, 51)
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_SPACES = {"RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK", "L": "GRAY"}


def has_use_for(image: Image.Image, mode: str) -> bool:
    """Return whether the profile of `image` says what colours in `mode` look like, otherwise than sRGB."""
    return _transform(_profile(image), mode) is not None


def to_srgb(image: Image.Image, profiled: Image.Image) -> Image.Image:
    """Return RGB, RGBA, CMYK or grey as RGB or RGBA by the profile of `profiled`.

    A profile that is broken, of another kind of colours, or as good as sRGB changes nothing.
    """
    profile = profiled.info.get("icc_profile")
    if profile:
        transform = _transform(_profile(profiled), image.mode)
        if transform is not None:
            return transform.apply(image)
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")


def from_lab(image: Image.Image) -> Image.Image:
    """Return CIELAB as RGB."""
    lab = ImageCms.createProfile("LAB")
    return ImageCms.buildTransform(lab, _srgb(), "LAB", "RGB").apply(image)


def _profile(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and len(profile) <= _MAX_PROFILE else b""


@lru_cache(1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(24)  # a folder has few profiles; to build what converts one takes longer than to use it
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what brings `mode` to sRGB, or None where that would change nothing that is seen."""
    space = _SPACES.get(mode)
    if not profile or space is None or profile[16:20].decode("latin-1").strip() != space:
        return None
    try:
        read = ImageCms.ImageCmsProfile(BytesIO(profile))
        to_mode = "RGBA" if mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(read, _srgb(), mode, to_mode, _INTENT, _FLAGS)
        changed = ImageChops.difference(transform.apply(_patches(mode)), _patches(mode).convert(to_mode))
    except Exception:  # a stranger's profile
        return None
    return transform if mode == "CMYK" or _largest(changed) > _SEEN else None


def _patches(mode: str) -> Image.Image:
    """Return colours from all over a space."""
    if mode == "L":
        return Image.linear_gradient("L")
    colours = [(red, green, blue) for red in _STEPS for green in _STEPS for blue in _STEPS]
    patches = Image.new("RGB", (len(colours), 1))
    patches.putdata(colours)
    return patches.convert(mode)


def _largest(difference: Image.Image) -> int:
    return max(int(high) for _, high in [band.getextrema() for band in difference.convert("RGB").split()])  # type: ignore[arg-type]
