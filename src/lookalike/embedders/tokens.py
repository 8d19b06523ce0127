"""Tokenizers of models that are brought, by the library `tokenizers` that wrote their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lookalike.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from lookalike.models import TextTower


_UNKNOWN = ("<unk>", "[UNK]", "<UNK>")


class FileTokenizer:
    """Turns texts into tokens as a model's `tokenizer.json` says, special tokens included."""

    def __init__(self, tokenizer: Tokenizer, end_id: int | None) -> None:
        self._tokenizer = tokenizer
        self._unknown = _unknown_id(tokenizer)
        self._added = tokenizer.num_special_tokens_to_add(False)
        own = tokenizer.encode("", add_special_tokens=True).ids if self._added else []
        self._end_id = None if own[-1:] == [end_id] else end_id  # None: its file puts the end there itself

    def encode(self, text: str, limit: int) -> list[int]:
        """Return the tokens of a text, no more than `limit`; what does not fit is left out at its end."""
        kept, _ = self._cut(text, limit)
        ids = list(self._tokenizer.post_process(kept, None, True).ids)
        return ids if self._end_id is None else [*ids, self._end_id]

    def reach(self, text: str, limit: int) -> int:
        """Return how many letters of `text`, from the first on, `encode` reads."""
        kept, is_whole = self._cut(text, limit)
        return len(text) if is_whole else max((end for _, end in kept.offsets), default=0)

    def known(self, text: str) -> tuple[int, int]:
        """Return how many tokens are of known parts, and how many of others; punctuation is neither."""
        if self._unknown is None:  # whatever it is, it is read as bytes
            return 1, 0
        known = unknown = 0
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        for token_id, token in zip(encoding.ids, encoding.tokens, strict=True):
            if token_id == self._unknown:
                unknown += 1
            else:
                known += any(map(str.isalnum, token))
        return known, unknown

    def _cut(self, text: str, limit: int) -> tuple[Encoding, bool]:
        """Return the tokens that fit beside the special ones, and whether those are all."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        count = len(encoding.ids)
        encoding.truncate(max(0, limit - self._added - (self._end_id is not None)))
        return encoding, len(encoding.ids) == count


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the token for what is not in the vocabulary; None where there is none."""
    own = getattr(tokenizer.model, "unk_token", None)
    if getattr(tokenizer.model, "byte_fallback", False):
        return None
    names = (own,) if own else _UNKNOWN
    found = (tokenizer.token_to_id(name) for name in names)
    return next((each for each in found if each is not None), None)


def load_tokenizer(tower: TextTower) -> FileTokenizer:
    """Return the tokenizer of a text tower; raises `MissingExtraError`, or `ModelError` for an unfit file."""
    try:
        from tokenizers import Tokenizer, normalizers  # an optional package
    except ImportError as error:
        raise MissingExtraError("reading texts with this model", "models") from error
    content = tower.tokenizer.read_bytes()
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # its Rust code raises plain Exception
        raise ModelError(f"{tower.tokenizer.path} is not a tokenizer that can be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if tower.lower_case:
        own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    return FileTokenizer(tokenizer, tower.end_id)
