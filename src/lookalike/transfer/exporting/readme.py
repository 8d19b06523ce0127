"""What is what in an export, in words."""

from __future__ import annotations

from lookalike.records import Space
from lookalike.transfer.exporting.faiss_index import Factory, default_nprobe

_MODEL = "The model is known to lookalike as {reference} (sha256 {model_id})."
_NO_MODEL = "The vectors were imported without their model."


def readme(
    space: Space, rows: int, table: str, factory: Factory | None, *, with_vectors: bool = False
) -> str:
    """Return the text of an export's README."""
    model = _MODEL if space.reference else _NO_MODEL
    about = model.format(reference=space.reference, model_id=space.model_id)
    if space.approximate:
        about += "\nThey are approximate: they came out of a lossy index."
    read = "pandas.read_parquet" if table.endswith(".parquet") else "lines of JSON"
    parts = [
        f"{rows:,} {space.kind}s and their vectors in the space {space.name}, written by lookalike.",
        about,
        "Row i of every file is the same item.",
        f"vectors.npy\n    numpy.load: float32 ({rows}, {space.dim}), each row of length 1, so that the\n"
        "    inner product of two rows is their cosine similarity.",
        f"{table}\n    {read}: id in the collection, uri, sha256 of the content, metadata as JSON"
        + (", text and the\n    places where it stands." if space.kind == "text" else ", and usual facts.")
        + ("\n    The vector of each is in the column vector, too." if with_vectors else ""),
        "space.json\n    the space, its model and its sha256, for lookalike import.",
    ]
    if factory is not None:
        parts.append(_index(factory))
    back = "To bring it back: lookalike import FOLDER"
    parts.append(back + (", which goes on with the model." if space.reference else ""))
    return "\n\n".join(parts) + "\n"


def _index(factory: Factory) -> str:
    how = "squared distance (smaller is more similar)" if factory.is_l2 else "inner product"
    text = f"index.faiss\n    faiss.read_index: {factory.text} by {how}; its ids are row numbers, from 0."
    if factory.lists:
        text += (
            f"\n    It scans {default_nprobe(factory)} of its {factory.lists} lists unless told otherwise "
            "(nprobe): more finds more."
        )
    return text
