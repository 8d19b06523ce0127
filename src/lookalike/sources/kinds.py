"""What files claim to be by their names."""

from __future__ import annotations

from pathlib import PurePath

_PLAIN_TEXTS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".json", ".txt", ".md", ".markdown")
TEXT_SUFFIXES = (*_PLAIN_TEXTS, *(f"{suffix}.gz" for suffix in _PLAIN_TEXTS))
PHOTO_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp"),
    *(".avif", ".heic", ".heif", ".jp2"),
)
_OTHERS = {
    "video": "mp4 mov m4v avi mkv webm wmv mpg mpeg mts m2ts 3gp 3g2 flv vob ogv asf insv lrv",
    "recording": "mp3 wav m4a flac ogg aac wma aif aiff opus amr",
    "sidecar": "xmp aae pp3 dop cos json vrd",
    "document": "pdf doc docx xls xlsx ppt pptx odt ods odp rtf txt md markdown html htm csv tsv jsonl "
    "ndjson parquet epub pages key tex log xml",
    "database": "db sqlite sqlite3 db-wal db-shm lrcat mdb",
    "setting": "ini plist conf cfg yaml yml toml",
    "archive": "zip rar 7z tar gz tgz bz2 xz zst iso dmg",
    "program": "exe dll msi bat cmd sh ps1 py js jar apk so dylib lnk",
}
_KINDS = {f".{suffix}": kind for kind, suffixes in _OTHERS.items() for suffix in suffixes.split()}


def aside_of(name: str) -> str | None:
    """Return what a file is that never claimed to be a photo, such as "video"; None for what might be one."""
    return _KINDS.get(PurePath(name).suffix.lower())


def is_photo(name: str) -> bool:
    """Whether a file claims to be a photo."""
    return name.lower().endswith(PHOTO_SUFFIXES)


def is_text(name: str) -> bool:
    """Whether a file claims to hold texts."""
    return name.lower().endswith(TEXT_SUFFIXES)
