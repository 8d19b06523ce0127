"""The figures as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lookalike.models.box import CHOICES

Figures = dict[str, Any]
Row = tuple[str, str, str, bool | None]

_HEAD = """# Benchmarks

Written by `make bench` (`bench/run.py`; one part alone: `python bench/run.py reading`). Photos and texts are
read from the folder that `LOOKALIKE_DATA` names: COCO, Caltech-101 and clothing photos in the folders
`coco256/images`, `caltech50` and `clothing`, texts in `tweets`, `stsb` and `banking77`. Tests never time
anything; these are medians of one run on one machine, which other work shares, so compare ratios before
milliseconds.

"""

_RERANKED = {
    "caltech50": "Caltech-101, 50 kinds",
    "caltech50, held out": "the same, by photos that are not in the collection",
    "clothing": "garments, 10 kinds",
    "clothing, held out": "the same, by photos that are not in the collection",
    "mixed": "both among each other and photos of COCO",
    "edited": "edited photos whose original is there: blurred, cropped, turned, written on …",
    "banking77": "questions of Banking77, 77 intents",
}

_CHOICES_NOTE = """
Mean average precision in the plain order → re-ranked, as a search does: each labelled photo a query among the
others; held out: every fifth a query among the rest. Right first: the share of queries whose first hit is
right (caltech50 / clothing), the same in both orders. Edited: the share of edited photos (blurred, cropped,
turned, mirrored, grey, written on …) whose original comes first among all. Photos/s, CPU milliseconds (of all
processes) and KB of the store are those of `add`, medians of turns, 640 × 480 JPEGs.
(`python bench/choices.py`)
"""

_RERANKING_NOTE = """
The default models, every item a query or a sample of them; the same query in both orders. The nearest hit
stays first, so that right first hits are the same by construction.
"""

_READING_NOTE = """
Photos of COCO, about 640×480, each file distinct. Decode and inference use the same cores. Alone, each keeps
all of them busy, so together they cannot come near the slower of the two: what the cores can do for both is
1 / (1/decode + 1/inference), and the last row says how close `add` comes, start-up included. The row before
it compares with the slower of the two when each has half of the cores, as it has while both run.

With what else runs on the machine the example slows down more than `add`: in other runs on this machine it
read 4.3 to 7.1 photos/s, `add` 214 to 229, and the ratio was 31 to 45.
"""


_SERVING_NOTE = """
COCO photos, saved anew at about 100 kB. Clients and server share the cores. Inference alone keeps all cores
busy, and so does decoding: with both to do, the last row of the three that compare them is the one that
shows what the server itself costs.
"""


_ENGINE_NOTE = """
Milvus 2.3.5, standalone, on the same cores; HNSW (M 24, efConstruction 200, ef 200). The vectors are mixtures
of two real ones each, with noise: harder to index than photos. What pymilvus alone is asked is what lookalike
needs to answer: the item's vector, its hits, and what is known of them. lookalike reads the vectors of hits,
too, checks them, scores exactly, and looks after each answer whether all was served. An import writes by
upsert, where pymilvus alone inserts, so that a row that two writers bring is there once; three batches are
under way at a time.
"""

_ANSWERS_NOTE = """
Items, photos, several examples that weigh differently, parts of photos, words and mixtures of these, under
conditions of every kind: the same hits in the same order, scores within 0.00001, ties aside. 1,000 photos of
Caltech-101.
"""

_EMBEDDING_NOTE = """
Rates of the steady state, from the first shards to the last; `add` as a whole. The nodes of one core are
processes of this machine, each pinned to a core, and share memory and caches; Ray's own processes run beside
them.
"""


def render(figures: Figures) -> str:
    """Return docs/benchmarks.md; parts that were not measured are left out."""
    machines = sorted({part["machine"] for part in figures.values()})
    parts = [_HEAD, "Machine: " + "; ".join(machines) + ".\n"]
    for name, section in SECTIONS.items():
        if name in figures:
            parts.append(section(figures[name]))
    return "\n".join(parts)


def _verdict(met: bool) -> str:
    return "met" if met else "**not met**"


def _table(rows: list[Row]) -> str:
    lines = ["| what | measured | to reach | |", "|---|---|---|---|"]
    for what, measured, goal, met in rows:
        lines.append(f"| {what} | {measured} | {goal} | {'' if met is None else _verdict(met)} |")
    return "\n".join(lines) + "\n"


def _quality(f: Figures) -> str:
    caltech, clothing = f["caltech50"], f["clothing"]
    return f"## Quality of `{f['model']}`, the default\n\n" + _table(
        [
            ("caltech50: mean average precision", f"{caltech['map']:.4f}", "≥ 0.78", caltech["map"] >= 0.78),
            ("caltech50: precision@10", f"{caltech['at_10']:.4f}", "", None),
            ("clothing: precision@10", f"{clothing['at_10']:.4f}", "≥ 0.62", clothing["at_10"] >= 0.62),
            ("clothing: mean average precision", f"{clothing['map']:.4f}", "", None),
        ]
    )


def _reranking(f: Figures) -> str:
    lines = [
        "| mean average precision; right first hits | plain | re-ranked |",
        "|---|---|---|",
    ]
    for name, title in _RERANKED.items():
        both = [f[name][order] for order in ("plain", "reranked")]
        shown = [f"{each['map']:.4f}; " if "map" in each else "" for each in both]
        firsts = [f"{each['first']:.3f}" for each in both]
        lines.append(f"| {title} | {shown[0]}{firsts[0]} | {shown[1]}{firsts[1]} |")
    told = f"\nRanking the best 200 anew takes {f['rank_ms']:.1f} ms.\n"
    return "## Re-ranking\n\n" + "\n".join(lines) + "\n" + told + _RERANKING_NOTE


def _choices(f: Figures) -> str:
    called = {name: f"{choice}: {name}" for choice, name in CHOICES.items()}
    lines = [
        "| model | caltech50 mAP | clothing mAP | mean | held out | right first | edited "
        "| photos/s | CPU ms | KB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for model, figures in f.items():
        if model == "machine":
            continue
        sets = [figures[name] for name in ("caltech50", "clothing")]
        held = [figures[f"{name}, held out"] for name in ("caltech50", "clothing")]
        cells = [_arrow(each["plain"]["map"], each["reranked"]["map"]) for each in sets]
        cells.append(_arrow(figures["mean"]["plain"], figures["mean"]["reranked"]))
        cells.append(
            _arrow(*(sum(each[order]["map"] for each in held) / 2 for order in ("plain", "reranked")))
        )
        cells.append(" / ".join(f"{each['reranked']['first']:.3f}" for each in sets))
        cells += [
            f"{figures['edited']:.3f}",
            f"{figures['photos_per_second']:.0f}",
            f"{figures['cpu_ms']:.1f}",
        ]
        cells.append(f"{figures['store_bytes'] / 1_000:.1f}")
        lines.append(f"| {called.get(model, model)} | " + " | ".join(cells) + " |")
    return "## The choices\n\n" + "\n".join(lines) + "\n" + _CHOICES_NOTE


def _arrow(plain: float, reranked: float) -> str:
    return f"{plain:.3f} → {reranked:.3f}"


def _reading(f: Figures) -> str:
    rows = [
        ("the example: Keras VGG16, batches of 32", f"{f['example']:.1f} photos/s", "", None),
        (f"`lookalike add`, {f['photos']:,} photos, start-up included", f"{f['add']:.0f} photos/s", "", None),
        ("ratio of the two", f"{f['ratio']:.1f} ×", "≥ 40 ×", f["ratio"] >= 40),
        ("decode alone, all cores", f"{f['decode']:.0f} photos/s", "", None),
        ("inference alone, all cores", f"{f['inference']:.0f} photos/s", "", None),
        (
            "add, of the slower of the two alone",
            f"{100 * f['of_slower']:.0f} %",
            "≥ 85 %",
            f["of_slower"] >= 0.85,
        ),
        ("decode alone, half of the cores", f"{f['decode_half']:.0f} photos/s", "", None),
        ("inference alone, half of the cores", f"{f['inference_half']:.0f} photos/s", "", None),
        (
            "add, of the slower of the two alone, half of the cores each",
            f"{100 * f['of_slower_half']:.0f} %",
            "",
            None,
        ),
        ("add, of what the cores can do for both", f"{100 * f['of_limit']:.0f} %", "", None),
    ]
    return "## Reading photos\n\n" + _table(rows) + _READING_NOTE


def _texts(f: Figures) -> str:
    speed, found = f["speed"], f["search"]
    int8, float32 = f["quality"]["int8"], f["quality"].get("float32")
    ratio, rate = speed["ratio"], speed["tweets_per_second"]
    rows: list[tuple[str, str, str, bool | None]] = [
        ("the example: sentence-transformers, BERT-base", f"{speed['example']:.1f} tweets/s", "", None),
        ("the bundled text model", f"{rate:,.0f} tweets/s", "≥ 1,000", rate >= 1_000),
        ("ratio of the two", f"{ratio:.1f} ×", "≥ 30 ×", ratio >= 30),
        ("of inference alone", f"{100 * speed['of_inference']:.0f} %", "", None),
        (
            "`lookalike add`, 20,000 tweets, start-up included",
            f"{found['add_per_second']:,.0f} tweets/s",
            "",
            None,
        ),
        ("its peak memory", f"{found['add_peak_mb']:.0f} MB", "", None),
        (
            f"text to hits among {found['items']:,}, warm, median",
            f"{found['ms']:.1f} ms",
            "≤ 10 ms",
            found["ms"] <= 10,
        ),
        ("the same, 99th percentile", f"{found['p99_ms']:.1f} ms", "", None),
        ("the same with exact words (`--hybrid`), median", f"{found['hybrid_ms']:.1f} ms", "", None),
    ]
    for name, measure, least in (
        ("stsb-en-dev: Spearman", "spearman", 0.005),
        ("banking77: precision@10", "precision_at_10", 0.005),
    ):
        goal, met, beside = "", None, ""
        if float32:
            goal, met = f"within {least:g}", float32[measure] - int8[measure] <= least
            beside = f", float32 {float32[measure]:.4f}"
        rows.append((name, f"{int8[measure]:.4f}{beside}", goal, met))
    return "## Texts\n\n" + _table(rows)


def _words(f: Figures) -> str:
    rows: list[tuple[str, str, str, bool | None]] = []
    for name, found in f["models"].items():
        times = found["times_chance"]
        rows.append(
            (f"`{name}`, names of COCO categories: precision@10", f"{found['precision_at_10']:.3f}", "", None)
        )
        rows.append(("chance", f"{found['chance']:.3f}", "", None))
        rows.append(("ratio of the two", f"{times:.1f} ×", "≥ 3 ×", times >= 3))
    add = f["add"]
    slower = add["slower"]
    rows.append(("`add` with the space for words", f"{add['with']:.0f} photos/s", "", None))
    rows.append(("`add` without it", f"{add['without']:.0f} photos/s", "", None))
    rows.append(("slower by", f"{100 * slower:.1f} %", "≤ 10 %", slower <= 0.1))
    return "## Photos found by words\n\n" + _table(rows)


@dataclass(frozen=True)
class SearchLimits:
    """What searches are to reach: milliseconds, and times the rate of single ones."""

    item_ms: float
    photo_ms: float | None = None
    reranked_ms: float | None = None
    added_ms: float | None = None
    batch_rate: float | None = None


def _search(title: str, f: Figures, limits: SearchLimits) -> str:
    s, b, e = f["search"], f["build"], f["example"]
    rows = [
        _row("search by item, warm, median", s["item_ms"], limits.item_ms),
        ("the same, 99th percentile", f"{s['item_p99_ms']:.2f} ms", "", None),
        *_reranked_rows(s, limits),
        _row("photo file to hits, warm, median", s["photo_ms"], limits.photo_ms, digits=1),
        ("recall@10 against exact float32", f"{s['recall']:.4f}", "≥ 0.99", s["recall"] >= 0.99),
        ("recall@10 as the index measured itself", f"{b['recall']:.4f}", "", None),
        ("the photo itself comes first", f"{100 * s['itself_first']:.0f} %", "", None),
        ("peak memory while searching", f"{s['peak_mb']:.0f} MB", "≤ 2,000 MB", s["peak_mb"] <= 2000),
        ("index file", f"{b['index_bytes'] / b['items']:.0f} bytes per item", "", None),
        ("building and tuning", f"{b['seconds']:.0f} s, peak {b['peak_mb']:.0f} MB", "", None),
    ]
    if e:
        rows += [
            (
                f"the example's `IVF√n,PQ{e.get('codes', 16)}`, nprobe 4: recall@10",
                f"{e['recall']:.4f}",
                "",
                None,
            ),
            ("the example's: median", f"{e['ms']:.2f} ms", "", None),
            ("the example's: size", f"{e['bytes_per_item']:.0f} bytes per item", "", None),
            ("exact float32 in memory, median", f"{e['exact_ms']:.1f} ms", "", None),
        ]
    return f"## {title}\n\n" + _table(rows)


def _reranked_rows(s: Figures, limits: SearchLimits) -> list[Row]:
    """Rows of re-ranked searches and of many at once."""
    rows = [
        _row("the same, re-ranked as by default, median", s["item_reranked_ms"], limits.reranked_ms),
        _row("re-ranking adds, median of pairs", s["reranking_adds_ms"], limits.added_ms),
    ]
    for kind, title in (("", "a thousand at once, each"), ("_reranked", "the same, re-ranked")):
        one, many = s[f"item{kind}_ms"], s[f"batch{kind}_ms"]
        spent = s[f"item{kind}_cpu_ms"] / s[f"batch{kind}_cpu_ms"]
        told = f"{many:.2f} ms, {one / many:.1f} × the rate of one; by processor time {spent:.1f} ×"
        rate = limits.batch_rate
        rows.append((title, told, f"≥ {rate:g} ×" if rate else "", one >= rate * many if rate else None))
    return rows


def _row(title: str, ms: float, limit: float | None, digits: int = 2) -> Row:
    """Return a row of milliseconds and what they are to reach, if anything."""
    reach = ("", None) if limit is None else (f"≤ {limit:g} ms", ms <= limit)
    return title, f"{ms:.{digits}f} ms", *reach


def _cold(f: Figures) -> str:
    row = ("shell to hits, 40,000 items", f"{f['seconds']:.2f} s", "≤ 0.7 s", f["seconds"] <= 0.7)
    span = f"\n{f['fastest']:.2f} to {f['slowest']:.2f} s over 15 runs, files in the page cache.\n"
    return "## Cold `lookalike search`\n\n" + _table([row]) + span


def _serving(f: Figures) -> str:
    one, many, crowd, paint = f["one"], f["many"], f["crowd"], f["paint"]
    busy = sum(count for status, count in crowd["statuses"].items() if status == "503")
    other = sum(count for status, count in crowd["statuses"].items() if status not in ("200", "503"))
    share = many["served"] / many["inference"]
    rows = [
        (
            f"upload of {one['upload_kb']:.0f} kB, one client, warm, median",
            f"{one['ms']:.1f} ms",
            "≤ 30 ms",
            one["ms"] <= 30,
        ),
        ("the same, 99th percentile", f"{one['p99_ms']:.1f} ms", "≤ 60 ms", one["p99_ms"] <= 60),
        ("uploads, 16 clients", f"{many['served']:.0f} photos/s", "", None),
        ("inference alone, one photo at a time", f"{many['inference']:.0f} photos/s", "", None),
        ("uploads, 16 clients, of inference alone", f"{100 * share:.0f} %", "≥ 80 %", share >= 0.8),
        ("decode and inference alone, same bytes", f"{many['pipeline']:.0f} photos/s", "", None),
        (
            "uploads, 16 clients, of decode and inference",
            f"{100 * many['served'] / many['pipeline']:.0f} %",
            "",
            None,
        ),
        (
            "1,000 clients × 10 searches: answers unlike the serial ones",
            f"{crowd['wrong']}",
            "0",
            crowd["wrong"] == 0,
        ),
        ("the same: neither 200 nor 503", f"{other}", "0", other == 0),
        (
            "the same: 503",
            f"{100 * busy / crowd['searches']:.2f} %",
            "≤ 1 %",
            busy <= 0.01 * crowd["searches"],
        ),
        ("the same: seconds in all", f"{crowd['seconds']:.0f}", "", None),
        ("first paint of the page", f"{paint['paint_ms']:.0f} ms", "≤ 500 ms", paint["paint_ms"] <= 500),
        ("first photo on the page", f"{paint['photo_ms']:.0f} ms", "", None),
        ("the page's code", f"{paint['page_kb']:.1f} kB", "≤ 60 kB", paint["page_kb"] <= 60),
    ]
    return "## The server, 40,000 items\n\n" + _table(rows) + _SERVING_NOTE


def _background(f: Figures) -> str:
    rows: list[tuple[str, str, str, bool | None]] = []
    for name, line in f["lines"].items():
        false = line["false_alarms"]
        rows += [
            (f"{name}: of the same label above the line", f"{100 * line['kept']:.0f} %", "", None),
            (
                f"{name}: of other labels above it (false alarms)",
                f"{100 * false:.2f} %",
                "≤ 2 %",
                false <= 0.02,
            ),
            (
                f"{name}: of other labels said to be closer than 99 % and 99.9 % of random pairs",
                f"{100 * line['others_above_99']:.2f} % and {100 * line['others_above_999']:.3f} %",
                "≤ 1 % and 0.1 %",
                line["others_above_99"] <= 0.01 and line["others_above_999"] <= 0.001,
            ),
        ]
    rows += [
        ("near copies that are of the same class", f"{f['near_pairs_same_class']} pairs", "", None),
        (
            "near copies that are of different classes",
            f"{f['near_pairs_other_class']} pairs",
            "0",
            f["near_pairs_other_class"] == 0,
        ),
        (
            "pairs of one photo in 14 colour modes taken for near copies",
            f"{100 * f['copies_near']:.0f} %",
            "",
            None,
        ),
    ]
    return "## What scores mean, the background line, and near copies\n\n" + _table(rows)


def _memory(f: Figures) -> str:
    few, many = f["peak_mb_1000"], f["peak_mb_20000"]
    rows = [
        ("peak of the largest process, 1,000 photos", f"{few:.0f} MB", "", None),
        ("the same, 20,000 photos", f"{many:.0f} MB", "the same", many <= 1.15 * few),
        ("seconds for 20,000 photos", f"{f['seconds_20000']:.0f}", "", None),
    ]
    return "## Memory of `lookalike add`\n\n" + _table(rows)


def _size(f: Figures) -> str:
    largest = ", ".join(f"{name} {size:.0f}" for name, size in f["largest"].items())
    row = ("all that `pip install` brings", f"{f['mb']:.0f} MB", "≤ 300 MB", f["mb"] <= 300)
    return "## Installed size\n\n" + _table([row]) + f"\nThe largest, in MB: {largest}.\n"


def _engine(f: Figures) -> str:
    what = f"{f['items']:,} items of 1,280 numbers"
    share, ratio = f["import_share"], f["all_ratio"]
    rows = [
        (
            f"`lookalike import` into Milvus, {f['imported']:,} rows",
            f"{f['import_rows_per_s']:,.0f} rows/s",
            "",
            None,
        ),
        ("pymilvus alone, the same rows and indexes", f"{f['plain_rows_per_s']:,.0f} rows/s", "", None),
        ("ratio of the two", f"{100 * share:.0f} %", "≥ 70 %", share >= 0.7),
        (
            f"search by an item among {what}, median",
            f"{f['all_ms']:.1f} ms, 99th percentile {f['all_p99_ms']:.0f} ms",
            "",
            None,
        ),
        ("pymilvus alone: its vector, its hits and their facts", f"{f['all_plain_ms']:.1f} ms", "", None),
        ("ratio of the two", f"{ratio:.1f} ×", "≤ 3 ×", ratio <= 3),
        ("recall@10 against exact search", f"{f['all_recall']:.4f}", "≥ 0.99", f["all_recall"] >= 0.99),
        (
            "the same, with a condition that keeps 1 %",
            f"{f['one_percent_recall']:.4f}",
            "≥ 0.99",
            f["one_percent_recall"] >= 0.99,
        ),
        ("search with it, median", f"{f['one_percent_ms']:.1f} ms", "", None),
        ("ratio to pymilvus alone, with it", f"{f['one_percent_ratio']:.1f} ×", "", None),
    ]
    if "reranked_ms" in f:  # not of figures that are older
        told = f"{f['reranked_ms']:.1f} ms, {f['reranking_adds_ms']:.1f} ms more"
        rows.append(("search by an item, re-ranked, median", told, "", None))
    return "## A collection in Milvus\n\n" + _table(rows) + _ENGINE_NOTE


def _answers(f: Figures) -> str:
    differ = len(f["different"])
    row = (f"{f['queries']} queries of every kind: answers that differ", f"{differ}", "0", differ == 0)
    times = (
        f"\nMedian of all kinds: {f['folder_ms']:.1f} ms in the folder, {f['milvus_ms']:.1f} ms in Milvus.\n"
    )
    return "## The same collection in a folder and in Milvus\n\n" + _table([row]) + _ANSWERS_NOTE + times


def _embedding(f: Figures) -> str:
    rows = [
        (
            "one node of one core",
            f"{f['one_rate']:.0f} photos/s, {f['one_cpu']:.1f} CPU ms a photo",
            "",
            None,
        ),
        (
            "two nodes of one core",
            f"{f['two_rate']:.0f} photos/s, {f['two_cpu']:.1f} CPU ms a photo",
            "",
            None,
        ),
        ("ratio of the two", f"{f['two_to_one']:.2f} ×", "≥ 1.8 ×", f["two_to_one"] >= 1.8),
        (
            f"all {f['cores']} cores",
            f"{f['all_rate']:.0f} photos/s, {f['all_cpu']:.1f} CPU ms a photo",
            "",
            None,
        ),
        ("`lookalike add`", f"{f['add_rate']:.0f} photos/s, {f['add_cpu']:.1f} CPU ms a photo", "", None),
        ("ratio of the two", f"{100 * f['all_to_add']:.0f} %", "≥ 70 %", f["all_to_add"] >= 0.7),
        ("seconds until the first photos, all cores", f"{f['all_start']:.0f}", "", None),
    ]
    return "## Embedding on Ray\n\n" + _table(rows) + _EMBEDDING_NOTE


def _copies(f: Figures) -> str:
    look, few, many = f["look"], f["hashes"]["40000"], f["hashes"]["200000"]
    hours = look["ms_a_photo"] * 40_000 / 3_600_000
    rows: list[tuple[str, str, str, bool | None]] = [
        (
            "all pairs of hashes of 40,000 photos, in eight positions",
            f"{few['seconds']:.0f} s, {few['cpu_seconds']:.0f} CPU s",
            "≤ 60 s",
            few["seconds"] <= 60,
        ),
        ("of 200,000", f"{many['seconds']:.0f} s, {many['cpu_seconds']:.0f} CPU s", "", None),
        (f"a close look at {look['photos']:,} photos", f"{look['ms_a_photo']:.0f} ms a photo", "", None),
        ("so for 40,000", f"{60 * hours:.0f} minutes", "≤ 30", hours <= 0.5),
        ("so for 200,000", f"{5 * hours:.1f} hours and the hashes", "", None),
        ("of that, reading the pictures", f"{look['steps']['looking closely']:.0f} s", "", None),
        ("of that, comparing them", f"{look['steps']['comparing']:.0f} s", "", None),
        ("memory at most", f"{look['most_memory_mb']} MB", "≤ 1,000 MB", look["most_memory_mb"] <= 1000),
        ("kept for later runs", f"{look['kilobytes_a_photo']:.0f} kB a photo", "", None),
    ]
    return "## Copies\n\n" + _table(rows) + _COPIES_NOTE


_COPIES_NOTE = """
Hashes are drawn by chance, one in twenty near another one; every pair is looked at, so that twice as many
photos take four times as long. The close look is at Caltech-101, garments and COCO, 300 to 640 pixels wide;
phone photos of 12 megapixels take some 35 CPU ms more to decode. Each photo is compared with some twenty,
however many there are.
"""

SECTIONS = {
    "quality": _quality,
    "choices": _choices,
    "reranking": _reranking,
    "background": _background,
    "reading": _reading,
    "texts": _texts,
    "words": _words,
    "search40k": lambda f: _search("Search among 40,000 items", f, SearchLimits(1, 20, 3, batch_rate=5)),
    "search1m": lambda f: _search("Search among 1,000,000 items", f, SearchLimits(5, added_ms=2)),
    "cold": _cold,
    "serving": _serving,
    "engine": _engine,
    "answers": _answers,
    "copies": _copies,
    "embedding": _embedding,
    "memory": _memory,
    "size": _size,
}
