"""The hardest shapes of real mail, read at three widths, light and dark: nothing is cut, lost or out of its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Frame, Page, expect

from accounts.models import MailAccount
from tests import factories
from tests.security.arriving import address_of
from tests.support.browser import RESULTS, CheckAxe, OpenPage, Screenshot
from tests.support.shapes import SHAPES, called_off_once, conversation, receipt
from webmail.models import Mailbox, Placement

from .desk import Desk
from .test_compose import sign_in

WIDTHS = (1440, 1024, 390)
CHECKED = {(1440, "light"), (390, "dark")}
FOLDED = ".recipients > summary, .trust > summary, .invite [data-key=guests] > summary"
HEIGHTS = {1440: 900, 1024: 768, 390: 844}
TALL_ENOUGH = """() => [...document.querySelectorAll(".fold[open] iframe.mail-frame")]
  .every((frame) => frame.style.blockSize !== "")"""
# what stands inside the pane and reaches beyond its edges
BESIDE = """() => {
  const pane = document.querySelector(".reading-scroll")?.getBoundingClientRect();
  if (!pane) return [];
  return [...document.querySelectorAll(".reading-inner *:not(.visually-hidden)")].filter((node) => {
    const box = node.getBoundingClientRect();
    return node.checkVisibility() && box.width && (box.right > pane.right + 1 || box.left < pane.left - 1);
  }).map((node) => node.outerHTML.slice(0, 160));
}"""
FRAME = """() => {
  const root = document.documentElement;
  return [Math.ceil(root.getBoundingClientRect().height), innerHeight, root.scrollWidth - root.clientWidth];
}"""


def judge(page: Page, words: str) -> None:
    """The page as it stands: as wide as its window, its message whole in its frame."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(BESIDE) == []
    if not words:
        return
    frame = page.frame_locator(".fold[open] iframe.mail-frame").last
    expect(frame.get_by_text(words).first).to_be_visible()
    page.wait_for_function(TALL_ENOUGH)
    document = inside(page)
    document.wait_for_function(f"() => {{ const [needs, has] = ({FRAME})(); return has >= needs; }}")
    assert document.evaluate(FRAME)[2] <= 0


def looked_at(page: Page, desk: Desk, name: str, words: str, axe: CheckAxe, screenshot: Screenshot, url: str) -> None:
    """Opens the address at each width, light and dark, and judges what is shown."""
    sign_in(page, desk.user, desk.live)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        page.goto(desk.live.url + url)
        for shade in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if shade == "dark" else "light", reduced_motion="reduce")
            judge(page, words)
            if (width, shade) in CHECKED:
                axe(page)
            screenshot(page, f"shape-{name}-{width}-{shade}")
        page.emulate_media(color_scheme="light", reduced_motion="reduce")


def inside(page: Page) -> Frame:
    """The document of the newest frame."""
    return next(one for one in reversed(page.frames) if one.parent_frame is not None)


@pytest.mark.parametrize("name", SHAPES)
def test_a_hard_shape_looks_right(
    desk: Desk, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, name: str
) -> None:
    raw, words = SHAPES[name]
    message = desk.gets(raw())
    if name == "invitation":
        desk.gets(called_off_once())
    page = open_page()
    looked_at(page, desk, name, words, axe, screenshot, address_of(desk.inbox, message))
    for summary in page.locator(FOLDED).all():  # on the phone, with everything unfolded
        summary.click()
    judge(page, words)
    page.screenshot(path=RESULTS / f"shape-{name}-open-390.png")
    if name in CLOSER:
        CLOSER[name](page, screenshot)


def wide_table(page: Page, screenshot: Screenshot) -> None:
    """It is made to fit, but no smaller than a third; what is wider than that scrolls."""
    paper = inside(page).locator("#paper")
    assert float(paper.evaluate("paper => paper.style.zoom || 1")) >= 0.35
    assert paper.evaluate(
        "paper => paper.scrollWidth <= paper.clientWidth + 1 || getComputedStyle(paper).overflowX === 'auto'"
    )


def plain(page: Page, screenshot: Screenshot) -> None:
    """Also in the dark a quote is quieter than what was written."""
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    colour = "node => getComputedStyle(node).color"
    quote = inside(page).locator("blockquote").first
    assert quote.evaluate(colour) != inside(page).locator("#paper").evaluate(colour)


def imitation(page: Page, screenshot: Screenshot) -> None:
    """A picture that is held back leaves a plain place; the sender's address is shown to its last letter."""
    page.evaluate(
        "() => { const pane = document.querySelector('.reading-scroll'); pane.scrollTop = pane.scrollHeight; }"
    )
    box = page.frame_locator(".mail-frame").locator("img").nth(1).bounding_box()
    assert box is not None
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    row = int(box["y"] + box["height"] / 2)
    middle = shot.crop((int(box["x"]) + 1, row, int(box["x"] + box["width"]) - 1, row + 1))
    assert len(middle.getcolors() or []) == 1
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        for part in page.locator(".sender-line, .from .address .cut").locator("visible=true").all():
            assert part.evaluate(
                "box => box.scrollWidth <= box.clientWidth || getComputedStyle(box).display === 'inline'"
            )


def white_newsletter(page: Page, screenshot: Screenshot) -> None:
    """In the dark it stays on its paper until its reader flips it."""
    ground = "() => getComputedStyle(document.getElementById('paper')).backgroundColor"
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        page.reload()
        judge(page, "The last lamplighter")
        before = inside(page).evaluate(ground)
        page.locator(".message-actions summary").click()
        page.get_by_text("In dark colours", exact=True).click()
        expect(page.locator("iframe.mail-frame")).to_have_class("mail-frame dark-ground")
        page.frame_locator(".mail-frame").locator("html[dir]").wait_for()
        judge(page, "The last lamplighter")
        inside(page).wait_for_function(f"() => ({ground})() !== '{before}'")
        screenshot(page, f"shape-white-newsletter-flipped-{width}")


CLOSER: dict[str, Callable[[Page, Screenshot], None]] = {
    "wide-table": wide_table,
    "plain": plain,
    "imitation": imitation,
    "white-newsletter": white_newsletter,
}


def test_a_conversation_of_forty(desk: Desk, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot) -> None:
    messages = [desk.gets(raw) for raw in conversation(40)]
    Placement.objects.exclude(message=messages[-1]).update(flags=factories.SEEN, server_flags=factories.SEEN)
    address = address_of(desk.inbox, messages[-1])
    looked_at(open_page(), desk, "conversation", "Words of letter 39.", axe, screenshot, address)


@pytest.mark.parametrize("why", ["paused", "renumbered"])
def test_what_stands_above_the_list(
    desk: Desk, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, why: str
) -> None:
    """An account that was paused, and a folder whose server keeps renumbering it."""
    for number in range(4):
        factories.message(desk.inbox, subject=f"Letter {number}", text="Words")
    if why == "renumbered":
        later = timezone.now() + timedelta(days=1)
        MailAccount.objects.update(state="working", next_run_at=later, last_sync_at=timezone.now())
        Mailbox.objects.filter(pk=desk.inbox.pk).update(phase=Mailbox.Phase.REMAP, renumbered_at=[timezone.now()] * 4)
    page = open_page()
    looked_at(page, desk, why, "", axe, screenshot, f"/mail/{desk.account.pk}/{desk.inbox.pk}/")
    words = {"paused": "is paused", "renumbered": "The server keeps renumbering this folder"}
    expect(page.locator(".list-notice h2")).to_contain_text(words[why])


def test_buttons_that_no_longer_fit_beside_their_words_begin_where_these_do(
    desk: Desk, open_page: OpenPage, screenshot: Screenshot
) -> None:
    page = open_page(width=390)
    message = desk.gets(receipt())
    sign_in(page, desk.user, desk.live)
    page.goto(desk.live.url + address_of(desk.inbox, message))
    line, button = page.locator(".request-line"), page.get_by_role("button", name="Send", exact=True)
    expect(button).to_be_visible()
    screenshot(page, "shape-receipt-390")
    begins = """node => {
      const words = document.createRange();
      words.selectNodeContents(node);
      return [words.getBoundingClientRect().left, words.getBoundingClientRect().bottom];
    }"""
    left, bottom = line.locator("> span").evaluate(begins)
    button_left, button_bottom = button.evaluate(begins)
    assert button_bottom > bottom  # it did wrap
    assert abs(button_left - left) < 1
