"""The list of recommended models, and that their short names lead to them."""

import pytest

from lookalike.errors import FetchError
from lookalike.models import bundled_names, download
from lookalike.models.find import find_model
from lookalike.models.recommended import RECOMMENDED


def test_each_is_named_once_and_says_what_its_licence_is():
    names = [each.name for each in RECOMMENDED]
    assert len({*names, *bundled_names()}) == len(names) + len(bundled_names())
    for each in RECOMMENDED:
        assert each.licence and each.description.endswith(".") and each.megabytes > 0 and each.dim > 0
        assert each.takes_words or each.kind == "photo"
    (apple,) = [each for each in RECOMMENDED if each.name.startswith("mobileclip")]
    assert "research only" in apple.licence


@pytest.mark.parametrize("model", RECOMMENDED, ids=lambda model: model.name)
def test_its_name_and_its_repository_lead_to_it(model, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("LOOKALIKE_MODELS", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(download, "PAUSES_S", ())
    for name in (model.name, model.repository, model.reference):
        with pytest.raises(FetchError, match=f"the model {model.repository}: .* cannot be reached"):
            find_model(name)
