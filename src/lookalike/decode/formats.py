"""Which picture formats are opened, recognised by their first bytes and never by their name."""

from __future__ import annotations

from importlib.util import find_spec

HEAD_BYTES = 64
"""How many bytes `sniff` needs to see."""

HAS_HEIF = find_spec("pillow_heif") is not None

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def sniff(head: bytes) -> str | None:
    """Return Pillow's name of the format that a file starting with `head` claims to be, or None."""
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _sniff_iso_media(head)
    return None


def _sniff_iso_media(head: bytes) -> str | None:
    """Tell AVIF from HEIF by the brands of the `ftyp` box (ISO/IEC 14496-12, 4.3); films are neither."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    return None


def reader_version() -> str:
    """Name what decodes here, so that files refused by another reader are tried again."""
    from importlib.metadata import version  # slow to import; asked once per run

    heif = f" pillow-heif {version('pillow-heif')}" if HAS_HEIF else ""
    return f"pillow {version('pillow')}{heif}"
