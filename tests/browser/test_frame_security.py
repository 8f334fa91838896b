"""The message frame in a real browser: each wall alone keeps hostile mail from running, loading and leaving.

Three origins on this machine: the application, the mail content, and a foreign one that must never be asked for
anything. Scripts of the vectors report to the page above them, which works from inside a sandbox too.
"""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, TimeoutError

from tests.unit.render import vectors
from webmail.render.document import frame_document, frame_headers
from webmail.render.html import sanitize
from webmail.render.values import CleanHtml, Policy

NONCE = "AbCdEfGhIjKlMnOpQrStUv"
SCRIPT = "top.postMessage(`ran`,`*`)"
SANDBOX = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
BATCH = 64
TOGETHER = {"script": 2, "url": 4, "foreign": 1, "mutation": 1, "style": 4, "remote": 3}

LISTEN = """<script>
window.seen = []; window.heights = 0;
addEventListener("message", (event) => {
  if (event.data && Number.isFinite(event.data.h)) { window.heights++; window.origin_seen = event.origin; }
  else window.seen.push(String(event.data));
});
</script>"""

PROBE = 'try { parent.document.title = "x" } catch (e) { top.postMessage(e.name, "*") }'

# Everything a reader could do, without following links that lead out on purpose.
TOUCH = """() => {
  addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link && /^(https?|mailto|tel):/.test(link.href)) event.preventDefault();
  }, true);
  for (const node of document.querySelectorAll("#paper *")) {
    for (const type of ["click", "mouseover", "pointerenter", "toggle", "animationstart", "load", "error"])
      node.dispatchEvent(new Event(type, { bubbles: true, cancelable: true }));
    if (node.focus) node.focus();
  }
}"""


@dataclass(slots=True)
class Site:
    """One origin: the pages it serves, and the paths it was asked for."""

    origin: str = ""
    pages: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def page(self, path: str, body: str, headers: dict[str, str] | None = None) -> str:
        self.pages[path] = (headers or {"Content-Type": "text/html; charset=utf-8"}, body)
        return self.origin + path


def serve(site: Site) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            headers, body = site.pages.get(self.path, ({"Content-Type": "text/plain"}, ""))
            self.send_response(200 if self.path in site.pages else 404)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    for _ in range(50):
        port = random.randrange(20_000, 32_000)
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError:
            continue
        server.daemon_threads = True
        site.origin = f"http://127.0.0.1:{port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server
    raise RuntimeError("no free port below 32000")


@dataclass(frozen=True, slots=True)
class Sites:
    app: Site
    content: Site
    evil: Site

    def hostile(self) -> list[str]:
        return [vectors.filled(vector, script=SCRIPT, origin=self.evil.origin) for vector in vectors.ALL]

    def hostile_bodies(self) -> list[str]:
        """The vectors that run or load something, as few bodies: those that swallow what follows stay alone."""
        bodies = []
        for name, size in TOGETHER.items():
            table = [vectors.filled(vector, script=SCRIPT, origin=self.evil.origin) for vector in vectors.CLASSES[name]]
            bodies += ["\n".join(table[start : start + size]) for start in range(0, len(table), size)]
        return bodies

    def policy(self) -> Policy:
        return Policy(cid_url=lambda cid: None)

    def document(self, clean: CleanHtml) -> str:
        return frame_document(clean, nonce=NONCE, app_origin=self.app.origin, theme="light", paper=False)

    def headers(self) -> dict[str, str]:
        return frame_headers(nonce=NONCE, app_origin=self.app.origin, content_origin=self.content.origin, remote=True)

    def asked_for_content(self) -> list[str]:
        return [path for path in self.evil.asked if path != "/favicon.ico"]


@pytest.fixture
def sites() -> Iterator[Sites]:
    found = Sites(Site(), Site(), Site())
    servers = [serve(site) for site in (found.app, found.content, found.evil)]
    found.evil.page("/s.js", f"{SCRIPT}", {"Content-Type": "text/javascript"})
    yield found
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab whose console may complain: refusals are what these tests provoke."""
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.dismiss())
    yield page
    context.close()


def show_in_frames(
    tab: Page,
    sites: Sites,
    *,
    headers: dict[str, str],
    sandbox: str | None,
    app_policy: str,
    bodies: list[str] | None = None,
) -> list[str]:
    """Every body as it is in a frame of its own, a batch to a page; returns what scripts reported."""
    attribute = "" if sandbox is None else f' sandbox="{sandbox}"'
    hostile = sites.hostile_bodies() if bodies is None else bodies
    reported: list[str] = []
    for start in range(0, len(hostile), BATCH):
        frames = []
        for number, vector in enumerate(hostile[start : start + BATCH], start):
            url = sites.content.page(f"/m/{number}", sites.document(CleanHtml(html=vector)), headers)
            frames.append(f'<iframe src="{url}"{attribute} referrerpolicy="no-referrer"></iframe>')
        policy = {"Content-Type": "text/html", "Content-Security-Policy": app_policy} if app_policy else None
        url = sites.app.page(f"/{start}", f"<!doctype html>{LISTEN}{''.join(frames)}", policy)
        tab.goto(url, wait_until="load")
        tab.wait_for_function("() => window.heights > 0")
        tab.wait_for_timeout(250)  # scripts that were let run would report within it, as the control shows
        assert tab.url == url, "a frame moved the page above it"
        reported += tab.evaluate("window.seen")
    return reported


def app_policy(sites: Sites) -> str:
    return f"default-src 'none'; script-src 'unsafe-inline'; frame-src {sites.content.origin}"


def test_without_any_wall_the_vectors_bite(tab: Page, sites: Sites) -> None:
    reported = show_in_frames(tab, sites, headers={"Content-Type": "text/html"}, sandbox=None, app_policy="")
    assert len(reported) > 40
    assert len(set(sites.asked_for_content())) > 40


def test_the_frame_alone_holds(tab: Page, sites: Sites) -> None:
    assert show_in_frames(tab, sites, headers=sites.headers(), sandbox=SANDBOX, app_policy=app_policy(sites)) == []
    assert sites.asked_for_content() == []
    assert tab.evaluate("window.origin_seen") == "null"


def test_the_header_alone_holds(tab: Page, sites: Sites) -> None:
    assert show_in_frames(tab, sites, headers=sites.headers(), sandbox=None, app_policy=app_policy(sites)) == []
    assert sites.asked_for_content() == []
    assert tab.evaluate("window.origin_seen") == "null"


def bare_pages(sites: Sites, clean: Callable[[str], CleanHtml]) -> Iterator[str]:
    """Cleaned vectors with no policy and no sandbox around them: all styles, then a batch of bodies to a page."""
    cleaned = [clean(vector) for vector in sites.hostile()]
    style = "\n".join(one.stylesheet for one in cleaned)
    for start in range(0, len(cleaned), BATCH):
        body = "".join(f"<div>{one.html}</div>" for one in cleaned[start : start + BATCH])
        html = sites.document(CleanHtml(html=body, stylesheet=style))
        yield sites.app.page(f"/bare/{start}", html.replace("<head>", f"<head>{LISTEN}", 1))


def test_the_sanitizer_alone_holds(tab: Page, sites: Sites) -> None:
    for url in bare_pages(sites, lambda html: sanitize(html, policy=sites.policy())):
        tab.goto(url, wait_until="load")
        tab.evaluate(TOUCH)
        tab.wait_for_timeout(250)
        assert tab.evaluate("window.seen") == []
        assert tab.url == url
    assert sites.asked_for_content() == []
    assert [path for path in sites.app.asked if not path.startswith(("/bare/", "/favicon"))] == []


def test_pictures_come_from_the_proxys_path_only(tab: Page, sites: Sites) -> None:
    clean = CleanHtml(
        html=f'<img src="{sites.content.origin}/i/1"><img src="{sites.content.origin}/a/2"><img src="/c/3">'
    )
    url = sites.content.page("/m/1", sites.document(clean), sites.headers())
    tab.goto(sites.app.page("/", f"<!doctype html>{LISTEN}<iframe sandbox='{SANDBOX}' src='{url}'></iframe>"))
    tab.wait_for_function("() => window.heights > 0")
    assert sorted(path for path in sites.content.asked if path[:3] != "/m/") == ["/c/3", "/i/1"]
    without = frame_headers(nonce=NONCE, app_origin=sites.app.origin, content_origin=sites.content.origin, remote=False)
    sites.content.page("/m/1", sites.document(clean), without)
    sites.content.asked.clear()
    tab.reload(wait_until="load")
    assert sorted(path for path in sites.content.asked if path[:3] != "/m/") == ["/c/3"]


def test_another_site_cannot_frame_a_message(tab: Page, sites: Sites) -> None:
    url = sites.content.page("/m/1", sites.document(CleanHtml(html="<p>secret</p>")), sites.headers())
    tab.goto(sites.evil.page("/", f"<!doctype html>{LISTEN}<iframe src='{url}'></iframe>"), wait_until="load")
    assert tab.evaluate("window.heights") == 0
    assert all(frame.locator("text=secret").count() == 0 for frame in tab.frames)


def test_a_message_cannot_see_or_mark_the_page_around_it(tab: Page, sites: Sites) -> None:
    probe = f'<script nonce="{NONCE}">PROBE</script>'.replace("PROBE", PROBE)
    overlay = '<div style="position:fixed;inset:-999px;z-index:9;background:red">x</div>'
    url = sites.content.page("/m/1", sites.document(CleanHtml(html=overlay + probe)), sites.headers())
    empty = sites.content.page("/m/2", sites.document(CleanHtml(html="")), sites.headers())
    frame = "<!doctype html><title>app</title>{}<p>above</p><iframe id=f sandbox='{}' src='{}'></iframe>"
    pictures = []
    for target in (url, empty):
        tab.goto(sites.app.page("/", frame.format(LISTEN, SANDBOX, target)), wait_until="load")
        tab.wait_for_function("() => window.heights > 0")
        if target == url:
            assert tab.evaluate("[document.title, window.seen[0]]") == ["app", "SecurityError"]
        pictures.append(tab.screenshot(mask=[tab.locator("#f")]))
    assert pictures[0] == pictures[1]


def show_one(tab: Page, sites: Sites, html: str, *, width: int) -> str:
    """One cleaned mail in the frame at a width; returns the frame's URL when its height has arrived."""
    clean = sanitize(html, policy=sites.policy())
    url = sites.content.page("/m/1", sites.document(clean), sites.headers())
    style = "body{margin:0}iframe{border:0;width:100%;height:100px}"
    tab.set_viewport_size({"width": width, "height": 800})
    page = f"<!doctype html><style>{style}</style>{LISTEN}<iframe sandbox='{SANDBOX}' src='{url}'>"
    tab.goto(sites.app.page("/", page))
    tab.wait_for_function("() => window.heights > 0")
    return url


CELLS = "".join(f"<td nowrap>Quarter {n} results</td>" for n in range(8))
WIDE = {
    "one line": "<table width=700><tr><td style='white-space:nowrap'>" + "words on one line " * 5 + "</table>",
    "a picture": "<table width=600><tr><td><img width=2000 height=10 src=https://a.test/1></table>",
    "fixed columns": "<table width=900 style='table-layout:fixed;min-width:900px'><tr>" + "<td>words" * 6 + "</table>",
    "eight columns": f"<table width=900 border=1 cellpadding=8><tr>{CELLS}</tr></table>",
    "tables in a table": f"<table width=640><tr><td width=320><table width=320><tr>{CELLS[:80]}</tr></table>" * 3,
    "a wide div": "<style>.w{width:1200px;min-width:1200px}</style><div class=w><p style='width:1100px'>words</div>",
    "a long word": "<p>" + "w" * 400 + "</p><pre>" + "x" * 300 + "</pre>",
    "two pictures": "<table><tr><td><img width=500 height=9 src=cid:1><td><img width=500 height=9 src=cid:2></table>",
}


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("width", [390, 320])
def test_a_wide_mail_is_made_to_fit_a_phone(tab: Page, sites: Sites, name: str, width: int) -> None:
    frame = tab.frame(url=show_one(tab, sites, WIDE[name], width=width))
    assert frame is not None
    frame.wait_for_load_state("load")
    paper = "document.getElementById('paper')"
    try:  # asked by the clock: a frame that Chromium does not paint just now has no animation frames
        frame.wait_for_function(f"() => {paper}.scrollWidth <= {paper}.clientWidth + 1", polling=50)
    except TimeoutError:
        sizes = f"[innerWidth, {paper}.clientWidth, {paper}.scrollWidth, {paper}.style.zoom, {paper}.className]"
        pytest.fail(f"too wide: {frame.evaluate(sizes)}")
    assert frame.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_quote_at_the_end_is_folded_and_opens(tab: Page, sites: Sites) -> None:
    mail = (
        "<div>My answer</div><div class=gmail_quote>On Monday:<blockquote>" + "<p>old</p>" * 40 + "</blockquote></div>"
    )
    frame = tab.frame(url=show_one(tab, sites, mail, width=800))
    assert frame is not None
    heights = tab.evaluate("window.heights")
    assert not frame.locator("text=old").first.is_visible()
    frame.locator("summary").click()
    assert frame.locator("text=old").first.is_visible()
    tab.wait_for_function("(before) => window.heights > before", arg=heights)


def test_an_answer_between_the_quotes_is_not_folded(tab: Page, sites: Sites) -> None:
    mail = "<div>Dear all</div><blockquote type=cite>why?</blockquote><div>because</div>"
    frame = tab.frame(url=show_one(tab, sites, mail, width=800))
    assert frame is not None
    assert frame.locator("details").count() == 0
