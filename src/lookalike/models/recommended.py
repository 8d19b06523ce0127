"""Models worth bringing, as data; any other in the same layout works as well.

Sizes are those of the float32 files. The revision is settled when a model is first fetched. Licences are
those of the weights, as their authors state them.
"""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.records import Kind


@dataclass(frozen=True, slots=True)
class Recommended:
    """A model of the Hugging Face Hub: what it is good for, in a line, and what its licence asks."""

    name: str
    repository: str
    kind: Kind
    takes_words: bool
    dim: int
    megabytes: int
    licence: str
    description: str

    @property
    def reference(self) -> str:
        """What `find_model` takes."""
        return f"hf:{self.repository}"


RECOMMENDED = (
    Recommended(
        "dinov2-small",
        "onnx-community/dinov2-small",
        "photo",
        False,
        384,
        89,
        "Apache-2.0",
        "Looks alike in shape and detail: the best of its size for photos of the same thing.",
    ),
    Recommended(
        "clip-vit-b32",
        "Xenova/clip-vit-base-patch32",
        "photo",
        True,
        512,
        606,
        "MIT",
        "Photos and English words in one space: the classic, and fast for its size.",
    ),
    Recommended(
        "siglip-b16",
        "Xenova/siglip-base-patch16-224",
        "photo",
        True,
        768,
        813,
        "Apache-2.0",
        "Photos and English words: clearly better than CLIP, three times as slow.",
    ),
    Recommended(
        "siglip2-b16",
        "onnx-community/siglip2-base-patch16-224-ONNX",
        "photo",
        True,
        768,
        1500,
        "Apache-2.0",
        "Photos and words of many languages: the best of these, with a large text tower.",
    ),
    Recommended(
        "mobileclip-s0",
        "Xenova/mobileclip_s0",
        "photo",
        True,
        512,
        216,
        "apple-amlr: Apple's licence for research only",
        "Photos and English words, small and fast. Mind the licence.",
    ),
    Recommended(
        "bge-small-en",
        "Xenova/bge-small-en-v1.5",
        "text",
        True,
        384,
        133,
        "MIT",
        "English texts, better at finding answers to a question than the bundled model.",
    ),
    Recommended(
        "multilingual-e5-small",
        "Xenova/multilingual-e5-small",
        "text",
        True,
        384,
        470,
        "MIT",
        "Texts of a hundred languages in one space.",
    ),
)
"""Best known first within photos and texts."""

_OF_MANY_LANGUAGES = {"photo": "siglip2-b16", "text": "multilingual-e5-small"}


def of_many_languages(kind: Kind) -> Recommended:
    """Return the one whose words are those of most languages, for photos or for texts."""
    return next(each for each in RECOMMENDED if each.name == _OF_MANY_LANGUAGES[kind])
