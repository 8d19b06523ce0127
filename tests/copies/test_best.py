"""Which copy is the best one, and why."""

from __future__ import annotations

import pytest

from lookalike.copies.best import quality, why_best
from lookalike.copies.photos import ContentItems
from lookalike.records import FileStamp, Item


def item(number=1, size=1000, **facts):
    given = {"width": 400, "height": 300, "format": "JPEG", **facts}
    return Item(number, f"/{number}.jpg", bytes([number]) * 32, FileStamp(size, 1), given)


def rank(one, **told):
    photo = ContentItems(one.content_hash, (one,))
    return quality(photo, **{"links": 1, "is_frame": False, "is_mirrored": False, **told})


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (rank(item(width=800, height=600, size=10)), rank(item(size=9999))),
        (rank(item(camera="a", size=10)), rank(item(size=9999))),
        (rank(item(width=410, camera="a")), rank(item(width=420))),  # as good as the same size
        (rank(item(width=800, height=600)), rank(item(camera="a"))),
        (rank(item(size=1001)), rank(item(size=1000))),
        (rank(item(2, size=1000)), rank(item(1, size=2000, format="PNG"))),
        (rank(item(1)), rank(item(2))),
        (rank(item()), rank(item(width=800, height=600), is_frame=True)),
        (rank(item(size=1000)), rank(item(size=2000), is_mirrored=True)),
        (rank(item(size=1000), links=5), rank(item(size=2000), links=4)),
    ],
)
def test_what_makes_a_copy_the_better_one(better, worse):
    assert better > worse


@pytest.mark.parametrize(
    ("best", "others", "told", "said"),
    [
        (item(), [item(2)], {"is_chosen": True}, ("chosen by you",)),
        (item(width=800, height=600), [item(2)], {}, ("most pixels",)),
        (item(), [item(2, size=9)], {}, ("least compressed",)),
        (item(camera="a"), [item(2)], {}, ("has the camera's facts",)),
        (item(), [item(2)], {"is_frame_elsewhere": True}, ("no frame around it",)),
        (item(), [item(2)], {}, ("added first",)),
    ],
)
def test_why_it_is_the_best_is_said(best, others, told, said):
    given = {"is_chosen": False, "is_frame_elsewhere": False, **told}
    assert why_best(best, others, **given) == said
