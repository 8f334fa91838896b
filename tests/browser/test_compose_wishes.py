"""What a writer wishes beside the text, in Chromium: reports, reminders, limits told in time, sharing from apps."""

import socket
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from accounts.models import MailServer, User
from tests.browser.test_compose import PATIENCE, compose, maren, sign_in, write
from tests.support.browser import CheckAxe, OpenPage
from tests.support.live import Live
from webmail import live as events
from webmail.models import Draft, Outgoing, OutgoingRecipient, Upload

__all__ = ["maren"]
A_WORKER = 30_000  # milliseconds until the processes behind the page have done something
SHARE = """([address, title, text, name]) => {
  const form = document.createElement("form");
  Object.assign(form, { action: address, method: "post", enctype: "multipart/form-data" });
  for (const [field, value] of Object.entries({ title, text, url: "https://quay.example/a?b=c" })) {
    form.append(Object.assign(document.createElement("textarea"), { name: field, value }));
  }
  const files = Object.assign(document.createElement("input"), { type: "file", name: "files", multiple: true });
  const held = new DataTransfer();
  held.items.add(new File(["hull number 7\\n"], name, { type: "text/plain" }));
  files.files = held.files;
  form.append(files);
  document.body.append(form);
  form.submit();
}"""


def until_kept(**wanted: object) -> Draft:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = Draft.objects.filter(**wanted).first()
        if found is not None:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no draft with {wanted}: {list(Draft.objects.values('subject', 'report', 'remind_days'))}")


def test_a_report_and_a_reminder_are_chosen_in_the_menu_and_kept(
    live: Live, maren: User, page: Page, axe: CheckAxe
) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    menu = page.locator(".composer-tools details[data-menu]").first
    menu.locator("summary").click()
    axe(page)
    menu.get_by_role("button", name="Tell me when it arrives").click()
    menu.locator("summary").click()
    menu.get_by_role("button", name="No answer within 3 days").click()
    page.locator("[name=subject]").fill("Berths")
    draft = until_kept(subject="Berths", report=True, remind_days=3)
    page.goto(f"{live.url}/compose/?draft={draft.pk}")
    menu.locator("summary").click()
    expect(menu.get_by_role("button", name="Tell me when it arrives")).to_have_attribute("aria-pressed", "true")
    expect(menu.get_by_role("button", name="No answer within 3 days")).to_have_attribute("aria-pressed", "true")
    expect(menu.get_by_role("button", name="No reminder")).to_have_attribute("aria-pressed", "false")


def test_files_that_the_server_would_not_take_do_not_even_go_up(live: Live, maren: User, page: Page) -> None:
    MailServer.objects.filter(protocol="smtp").update(message_limit=50_000)
    sign_in(page, maren, live)
    compose(page, live)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/files/") else None)
    choose = page.locator("[data-upload-input]")
    choose.set_input_files({"name": "small.txt", "mimeType": "text/plain", "buffer": b"x" * 20_000})
    expect(page.locator(".upload[data-upload]")).to_have_count(1)
    choose.set_input_files({"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * 20_000})
    expect(page.locator('[data-error="attachments"]')).to_contain_text("mail.example takes at most 50 KB")
    expect(page.locator(".upload")).to_have_count(1)
    assert len(asked) == 1
    assert Upload.objects.count() == 1
    MailServer.objects.filter(protocol="smtp").update(message_limit=None)


def test_four_gigabytes_do_not_even_go_up(live: Live, maren: User, page: Page, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    with film.open("wb") as file:
        file.truncate(2**32)  # of holes, so it takes no room
    sign_in(page, maren, live)
    compose(page, live)
    write(page, "The film of the opening")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/files/") else None)
    page.locator("[data-upload-input]").set_input_files(film)
    expect(page.locator('[data-error="attachments"]')).to_contain_text("at most 150 MB")
    expect(page.locator(".upload")).to_have_count(0)
    assert not asked
    assert "The film of the opening" in until_kept(html__contains="opening").html


def test_a_request_of_four_gigabytes_is_refused_by_its_length(live: Live) -> None:
    place = urlsplit(live.url)
    head = f"POST /signin/ HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {2**32}\r\n\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=10) as client:
        client.sendall(head.encode() + b"x" * 1000)
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


def test_what_happens_while_a_page_is_on_its_way_is_shown_by_it(live: Live, maren: User, open_page: OpenPage) -> None:
    first, page = open_page(), open_page()
    sign_in(first, maren, live)
    with first.expect_request(lambda request: "/live/" in request.url):
        first.goto(f"{live.url}/outbox/")  # for it the web server listens
    account = maren.mail_accounts.get()
    held: list[Route] = []
    page.route("**/live/*", lambda route: held.append(route))  # noqa: PLW0108  playwright marks the function
    sign_in(page, maren, live)
    held.clear()
    page.goto(f"{live.url}/outbox/")
    expect(page.locator("#outbox")).not_to_contain_text("Print files")
    Outgoing.objects.create(
        user=maren,
        account=account,
        message_id="late@harbour.example",
        subject="Print files",
        envelope_from=account.address,
        digest="0" * 64,
        sent_copy_digest="0" * 64,
        size=1,
        state=Outgoing.State.FAILED,
        send_after=timezone.now(),
    )
    with first.expect_event("console", lambda line: "heard of it" in line.text):
        first.evaluate("document.body.addEventListener('mailroom:outbox', () => console.log('heard of it'))")
        events.publish(maren.pk, "outbox", outgoing=Outgoing.objects.get().pk)
    # the line is slow: the stream is asked for longer after the page than the page knew when it asked
    page.wait_for_function("at => performance.now() > at", arg=2 * page.evaluate("performance.now()") + 500)
    held[-1].continue_()
    expect(page.locator("#outbox")).to_contain_text("Print files")


def test_an_unanswered_message_is_put_to_rest_and_that_is_taken_back(
    live: Live, maren: User, page: Page, axe: CheckAxe
) -> None:
    account, sent = maren.mail_accounts.get(), timezone.now() - timedelta(days=3)
    draft = Draft.objects.create(user=maren, account=account, html="<p>When?</p>", closed_at=sent)
    made = Outgoing.objects.create(
        user=maren,
        account=account,
        draft=draft,
        message_id="asks@harbour.example",
        subject="Print files",
        envelope_from=account.address,
        digest="0" * 64,
        sent_copy_digest="0" * 64,
        size=1,
        state=Outgoing.State.SENT,
        send_after=sent,
        sent_at=sent,
        filing=Outgoing.Filing.NONE,
        remind_days=3,
        remind_at=sent + timedelta(days=3),
    )
    OutgoingRecipient.objects.create(outgoing=made, address="amara@pier4.example", state="accepted")
    sign_in(page, maren, live)
    page.goto(f"{live.url}/outbox/{made.pk}/")  # the dispatcher finds that its time is over
    expect(page.locator("#out-title")).to_have_text("Nobody has answered for 3 days", timeout=A_WORKER)
    axe(page)
    page.get_by_role("button", name="Let it rest").click()
    expect(page.locator(".toast")).to_contain_text("No reminder any more")
    with page.expect_response(lambda answer: answer.url.endswith("/remind/")):
        page.locator(".toast").get_by_role("button", name="Undo").click()
    page.goto(f"{live.url}/outbox/{made.pk}/")
    expect(page.locator("#out-title")).to_have_text("Nobody has answered for 3 days", timeout=A_WORKER)
    page.get_by_role("button", name="Write again").click()
    expect(page.locator("[name=subject]")).to_have_value("Re: Print files")


def test_what_another_app_shares_lies_in_a_composer(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    page.goto(f"{live.url}/mail/all/")
    place = page.locator("#composers").get_attribute("data-share")
    page.wait_for_function(
        "async (place) => Boolean((await navigator.serviceWorker.getRegistration(place))?.active)", arg=place
    )
    page.evaluate(SHARE, [place, "A <b>boat</b>", "Seen at\nthe <i>quay</i>", "hull 7 ü.txt"])
    expect(page.locator("[name=subject]")).to_have_value("A <b>boat</b>", timeout=A_WORKER)
    text = page.frame_locator(".composer-frame").locator("#text")
    expect(text).to_contain_text("the <i>quay</i>")
    expect(text).to_contain_text("https://quay.example/a?b=c")
    expect(page.locator(".upload[data-upload] .file-name")).to_have_text("hull 7 ü.txt", timeout=A_WORKER)
    draft = until_kept(subject="A <b>boat</b>", html__contains="&lt;i&gt;quay")
    assert [(one.filename, one.size) for one in draft.uploads.all()] == [("hull 7 ü.txt", 14)]
    expect(page.locator(".composer-state")).to_contain_text("Saved", timeout=A_WORKER)
    page.goto(f"{live.url}{place}")  # taken once
    expect(page.locator("[name=subject]")).to_have_value("", timeout=A_WORKER)
    assert not page.locator(".upload").count()


def test_pages_name_what_installs_mailroom(live: Live, page: Page) -> None:
    page.goto(f"{live.url}/signin/")
    address = page.locator('link[rel="manifest"]').get_attribute("href")
    answer = page.request.get(f"{live.url}{address}")
    assert answer.headers["content-type"].startswith("application/manifest+json")
    told = answer.json()
    assert told["protocol_handlers"][0]["url"].endswith("?mailto=%s")
    icon = page.request.get(f"{live.url}{told['icons'][0]['src']}")
    assert icon.ok


def test_one_text_goes_to_each_of_a_table(live: Live, maren: User, page: Page, axe: CheckAxe) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.locator("[name=subject]").fill("Berth {berth}")
    write(page, "Hello {name}, see you at the quay.")
    page.locator(".composer-tools details[data-menu]").first.locator("summary").click()
    page.get_by_role("button", name="To each of a table").click()
    table = "name,berth,mail\nØyvind,A & B,oy@quay.example\nBo,8,nobody\nCy,9,cy@quay.example\n"
    page.locator("[name=table]").set_input_files(
        {"name": "berths.csv", "mimeType": "text/csv", "buffer": table.encode()}
    )
    page.get_by_role("button", name="Use this table").click()
    expect(page.locator("#merge-row")).to_have_text("Message 1 of 3")
    expect(page.locator(".merge-row")).to_contain_text("Berth A & B")
    axe(page)
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".merge-row")).to_contain_text("nobody: left out")
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".merge-row")).to_contain_text("Hello Cy, see you at the quay.")
    page.get_by_role("button", name="Send 2 messages").click()
    expect(page.locator("#merging")).to_contain_text("3 of 3 rows", timeout=A_WORKER)
    expect(page.locator("#merging")).to_contain_text("Row 2:")
    axe(page)
    page.get_by_role("button", name="Take all back that has not left").click()
    expect(page.get_by_text("2 messages were taken back")).to_be_visible()
    expect(page.get_by_role("button", name="Use this table")).to_be_visible()
    assert Draft.objects.filter(user=maren, closed_at=None).get().subject == "Berth {berth}"
    made = Outgoing.objects.filter(user=maren)
    assert sorted(made.values_list("subject", "state")) == [("Berth 9", "cancelled"), ("Berth A & B", "cancelled")]
