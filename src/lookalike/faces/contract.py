"""The JSON that every face speaks."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from lookalike.copies.groups import CopiesReport, Copy, CopyGroup
from lookalike.models import CHOICES, ModelRecord
from lookalike.models.recommended import Recommended
from lookalike.records import Committed, Hit, Item, SearchResult, Skipped, Vote
from lookalike.reports import AddReport, Info, RelocateReport, SpaceInfo
from lookalike.upkeep.verify import Damage, VerifyReport

if TYPE_CHECKING:
    from lookalike.cluster.run import EmbedReport
    from lookalike.copies.removal import Chosen
    from lookalike.evaluate.pooling import RatingTask
    from lookalike.transfer.transfer import ImportReport

Json = dict[str, Any]


_CONTENT_DIGITS = 16


def item_json(item: Item | Hit) -> Json:
    """One item; `content` is the beginning of its sha256, the same for the same photo wherever it lies."""
    content = item.content_hash.hex()[:_CONTENT_DIGITS]
    shown = {"id": item.id, "uri": item.uri, "content": content, "metadata": dict(item.metadata)}
    return shown if item.text is None else {**shown, "text": item.text, "places": item.places}


def hit_json(hit: Hit) -> Json:
    """One hit."""
    item = item_json(hit)
    metadata = item.pop("metadata")
    shown = {**item, "score": hit.score, "metadata": metadata}
    if hit.closer_than is not None:
        shown["closer_than"] = hit.closer_than
    if hit.matched:
        shown["matched"] = True
    if hit.copy_of is not None:
        shown |= {"copy_of": hit.copy_of, "copy_how": list(hit.copy_how)}
    return shown


def result_json(result: SearchResult) -> Json:
    """The hits of one query."""
    shown: Json = {"query": result.query, "space": result.space, "recall": result.recall}
    shown["hits"] = [hit_json(hit) for hit in result.hits]
    if result.reranked:
        shown["reranked"] = True
    if result.background is not None:
        shown["background"] = result.background
    if result.damaged:
        shown["damaged"] = list(result.damaged)
    if result.missing:
        shown["missing"] = result.missing
    return shown


def vote_json(vote: Vote) -> Json:
    """One vote."""
    return {
        "query": vote.query,
        "item": vote.item_id,
        "uri": vote.uri,
        "vote": vote.value,
        "space": vote.space,
        "at": vote.at,
    }


def copy_group_json(group: CopyGroup, most: int | None = None) -> Json:
    """One group of copies, the best one first; its first `most` members."""
    best = Copy(group.best, ())
    members = [
        {
            "item": item_json(each.item),
            "bytes": each.item.stamp.size,
            "is_best": each is best,
            "how": list(each.how),
            "mapping": None if each.mapping is None else list(each.mapping),
        }
        for each in (best, *group.copies)[:most]
    ]
    return {
        "key": group.key,
        "level": group.level,
        "why_best": list(group.why_best),
        "is_decided": group.is_decided,
        "size": len(group.items),
        "members": members,
    }


def copies_json(report: CopiesReport, chosen: Chosen) -> Json:
    """What was found of copies, all groups together; `bytes_to_win` is what may go of them takes."""
    best = {group.best.id for group in report.groups}
    return {
        "groups": len(report.groups),
        "copies": len({item.id for group in report.groups for item in group.items} - best),
        "kept": len(chosen.kept),
        "bytes_to_win": sum(item.stamp.size for item in chosen.going),
        "photos": report.photos,
        "looked_at": report.looked_at,
        "skipped": [skipped_json(each) for each in report.skipped],
    }


def rating_task_json(found: RatingTask) -> Json:
    """A query and what is to be judged for it."""
    return {
        "query": None if found.query is None else item_json(found.query),
        "key": found.key,
        "candidates": [item_json(item) for item in found.candidates],
        "judged": found.judged,
        "left": len(found.candidates),
        "queries": found.queries,
        "queries_judged": found.queries_judged,
    }


def committed_json(committed: Committed) -> Json:
    """One file whose outcome is on disk."""
    shown: Json = {"uri": committed.uri, "outcome": committed.outcome}
    if committed.item_id is not None:
        shown["id"] = committed.item_id
    if committed.reason is not None:
        shown["reason"] = committed.reason
    return shown


def report_json(report: AddReport) -> Json:
    """What an add did."""
    return {
        "found": report.found,
        "added": report.added,
        "unchanged": report.unchanged,
        "moved": report.moved,
        "updated": report.updated,
        "skipped": report.skipped,
        "vanished": report.vanished,
        "pruned": report.pruned,
        "absent": [str(path) for path in report.absent],
        "excluded": dict(report.excluded),
        "aside": dict(report.aside),
        "index_problem": report.index_problem,
        "copies": report.copies,
        "split": report.split,
        "empty": report.empty,
        "unreadable": report.unreadable,
        "remarks": list(report.remarks),
    }


def import_json(report: ImportReport, problem: str | None) -> Json:
    """What an import did."""
    return {
        "space": report.space.name,
        "approximate": report.space.approximate,
        "rows": report.rows,
        "added": report.added,
        "filled": report.filled,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
        "empty": report.empty,
        "without_file": report.without_file,
        "copies": report.copies,
        "notes": list(report.notes),
        "problem": problem,
    }


def embed_json(report: EmbedReport) -> Json:
    """What an embedding on a cluster did."""
    return {
        "found": report.found,
        "embedded": report.embedded,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
        "gone": report.gone,
        "remarks": list(report.remarks),
        "reasons": list(report.reasons),
        "excluded": dict(report.excluded),
        "aside": dict(report.aside),
    }


def skipped_json(skipped: Skipped) -> Json:
    """One input that could not become an item."""
    return {"uri": skipped.uri, "reason": skipped.reason, "tried_again": not skipped.lasting}


def info_json(info: Info) -> Json:
    """The facts of a collection."""
    return {
        "path": str(info.path),
        "kind": info.kind,
        "items": info.items,
        "skipped": info.skipped,
        "store_bytes": info.store_bytes,
        "spaces": [space_json(space) for space in info.spaces],
    }


def space_json(space: SpaceInfo) -> Json:
    """The facts of one space."""
    return {
        "name": space.name,
        "model_sha256": space.model_id,
        "dim": space.dim,
        "vectors": space.vectors,
        "index": space.index,
        "recall": space.recall,
        "index_bytes": space.index_bytes,
        "is_default": space.is_default,
        "takes_words": space.takes_words,
        "approximate": space.approximate,
        "missing": space.missing,
    }


def bundled_json(record: ModelRecord) -> Json:
    """A model that comes in the box."""
    towers = (*(part.tower for part in record.parts), record.text)
    size = sum(each.file.path.stat().st_size for each in towers if each is not None)
    return {
        "model": record.name,
        "choice": next((choice for choice, name in CHOICES.items() if name == record.name), None),
        "repository": None,
        "for": f"{record.kind}s",
        "dim": record.dim,
        "megabytes": round(size / 1e6),
        "takes_words": True,  # photos by the space beside them
        "licence": record.licence,
        "here": True,
        "about": record.description,
    }


def recommended_json(model: Recommended, here: Collection[str]) -> Json:
    """A model that is worth bringing; `here` are the repositories that were fetched."""
    return {
        "model": model.name,
        "choice": None,
        "repository": model.repository,
        "for": f"{model.kind}s",
        "dim": model.dim,
        "megabytes": model.megabytes,
        "takes_words": model.takes_words,
        "licence": model.licence,
        "here": model.repository in here,
        "about": model.description,
    }


def verify_json(report: VerifyReport) -> Json:
    """What a check of the collection found."""

    def listed(damage: tuple[Damage, ...]) -> list[Json]:
        return [{"what": each.what, "detail": each.detail} for each in damage]

    return {
        "items": report.items,
        "vectors": report.vectors,
        "sound": report.sound,
        "damage": listed(report.damage),
        "repaired": listed(report.repaired),
        "files": [{"uri": each.uri, "detail": each.detail} for each in report.files],
    }


def relocate_json(report: RelocateReport) -> Json:
    """What following photos to another place did."""
    return {
        "moved": report.moved,
        "left": [{"uri": uri, "reason": reason} for uri, reason in report.left],
    }
