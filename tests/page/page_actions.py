"""What people do on the page and see there, for its tests."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from page_server import PageServer
from playwright.sync_api import Page, expect

NewPage = Callable[..., Page]


@dataclass
class Faults:
    """What the page reported: console errors, uncaught errors, dialogs, violations of its policy."""

    seen: list[str] = field(default_factory=list)

    def forgive(self, text: str) -> None:
        """Drop the faults that a test provokes."""
        self.seen = [fault for fault in self.seen if text not in fault]


MAKE_TRANSFER = """([name, type, base64, text, kind]) => {
  const transfer = new DataTransfer();
  if (base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  if (text) transfer.setData(kind === "drop" ? "text/uri-list" : "text/plain", text);
  const how = { bubbles: true, cancelable: true };
  if (kind === "paste") {
    document.body.dispatchEvent(new ClipboardEvent("paste", { ...how, clipboardData: transfer }));
  } else {
    document.body.dispatchEvent(new DragEvent("dragover", { ...how, dataTransfer: transfer }));
    window.shaded = !document.querySelector("#shade").hidden;
    document.body.dispatchEvent(new DragEvent("drop", { ...how, dataTransfer: transfer }));
  }
}"""


def settle(page: Page) -> None:
    """Wait until the page shows the answer to what its address asks."""
    expect(page.locator("#grid")).to_have_attribute("aria-busy", "false")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.grid-cell img')].every((img) => img.complete || !img.src)"
    )


def start(page: Page, hash_: str = "") -> None:
    page.goto(f"/{hash_}")
    settle(page)


def by_item(item: int, weight: float = 1) -> str:
    return f"#e={weight}:item:{item}"


def search_by(page: Page, item: int) -> None:
    start(page, by_item(item))


def shown(page: Page) -> list[int]:
    """The ids of the hits that are shown, in order."""
    cells = page.locator(".grid-cell:not(.is-waiting)")
    ids: list[int] = cells.evaluate_all("(cells) => cells.map((cell) => Number(cell.dataset.id))")
    return ids


def pick(page: Page, item: int) -> None:
    page.click(f'.grid-cell[data-id="{item}"] .grid-pick')


def do(page: Page, item: int, name: str) -> None:
    """Press one of a hit's buttons."""
    page.hover(f'.grid-cell[data-id="{item}"]')
    page.click(f'.grid-cell[data-id="{item}"] [data-name="{name}"]')


def asked(page: Page, pattern: str) -> None:
    """Wait until the page's address asks for something, and for the answer."""
    expect(page).to_have_url(re.compile(pattern))
    settle(page)


def expect_votes(page: Page, server: PageServer, votes: dict[int, int]) -> None:
    """Wait until the server keeps just these votes, by item: a thumb shows before it is sent."""
    for _ in range(100):
        kept = {vote["item"]: vote["vote"] for vote in server.get("/api/votes")["votes"]}
        if kept == votes:
            return
        page.wait_for_timeout(50)
    assert kept == votes


def choose(page: Page, *photos: Path, add: bool = False) -> None:
    page.set_input_files("input[multiple]" if add else "#choose", [str(photo) for photo in photos])


def hand_over(page: Page, kind: str, photo: Path | None = None, text: str = "") -> None:
    """Paste or drop a file or a text."""
    data = base64.b64encode(photo.read_bytes()).decode() if photo else ""
    page.evaluate(MAKE_TRANSFER, [photo.name if photo else "", "image/jpeg", data, text, kind])
