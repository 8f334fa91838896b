from collections.abc import Iterable

from webmail.mime.structure import BodyChoice, Part, choose_body, tree_has_attachments


def leaf(path: str, media_type: str, *, disposition: str = "", filename: str = "", cid: str = "") -> Part:
    return Part(path=path, media_type=media_type, disposition=disposition, filename=filename, content_id=cid)


def multi(subtype: str, *children: Part, start: str = "") -> Part:
    params = {"start": start} if start else {}
    return Part(path="TEXT", media_type=f"multipart/{subtype}", params=params, children=children)


def names(parts: Iterable[Part]) -> list[str]:
    return [part.path for part in parts]


def shown(choice: BodyChoice) -> tuple[str, str, list[str], list[str], list[str]]:
    text, html = choice.text, choice.html
    return (
        text.path if text else "",
        html.path if html else "",
        names(choice.more),
        [*choice.inline],
        names(choice.attachments),
    )


PLAIN = leaf("t", "text/plain")
HTML = leaf("h", "text/html")
PDF = leaf("pdf", "application/pdf", disposition="attachment", filename="a.pdf")
PICTURE = leaf("pic", "image/png", cid="logo@x")


def test_alternatives_and_files() -> None:
    choice = choose_body(multi("mixed", multi("alternative", PLAIN, HTML), PDF))
    assert shown(choice) == ("t", "h", [], [], ["pdf"])


def test_the_last_displayable_alternative_wins() -> None:
    other = leaf("h2", "text/html")
    amp = leaf("amp", "text/x-amp-html")
    strange = leaf("s", "application/x-strange")
    assert shown(choose_body(multi("alternative", PLAIN, HTML, amp, other, strange))) == ("t", "h2", [], [], ["s"])


def test_related_pictures_belong_to_the_html() -> None:
    choice = choose_body(multi("alternative", PLAIN, multi("related", HTML, PICTURE)))
    assert shown(choice) == ("t", "h", [], ["logo@x"], [])
    assert names(choice.unreferenced(set())) == ["pic"]
    assert choice.unreferenced({"logo@x"}) == ()


def test_related_root_is_named_by_start() -> None:
    root = leaf("root", "text/html", cid="root@x")
    assert shown(choose_body(multi("related", PICTURE, root, start="<root@x>"))) == ("", "root", [], ["logo@x"], [])


def test_pictures_known_only_by_cid_are_inline_in_mixed() -> None:
    declared = leaf("pic2", "image/png", disposition="attachment", filename="b.png", cid="b@x")
    choice = choose_body(multi("mixed", HTML, PICTURE, declared))
    assert shown(choice) == ("", "h", [], ["logo@x", "b@x"], ["pic2"])


def test_pictures_beside_plain_text_are_attachments() -> None:
    assert shown(choose_body(multi("related", PLAIN, PICTURE))) == ("t", "", [], [], ["pic"])


def test_apple_mail_interleaves_text_and_files() -> None:
    rich = multi("mixed", HTML, PDF, leaf("h2", "text/html"))
    assert shown(choose_body(multi("alternative", PLAIN, rich))) == ("t", "h", ["h2"], [], ["pdf"])


def test_a_list_footer_is_shown_below() -> None:
    assert shown(choose_body(multi("mixed", PLAIN, leaf("foot", "text/plain")))) == ("t", "", ["foot"], [], [])


def test_named_texts_are_files_but_not_as_the_whole_message() -> None:
    log = leaf("log", "text/plain", filename="a.log")
    assert shown(choose_body(multi("mixed", PLAIN, log))) == ("t", "", [], [], ["log"])
    assert shown(choose_body(log)) == ("log", "", [], [], [])
    declared = leaf("x", "text/plain", disposition="attachment")
    assert shown(choose_body(declared)) == ("x", "", [], [], [])


def test_invitations() -> None:
    invite = leaf("cal", "text/calendar")
    choice = choose_body(multi("alternative", PLAIN, HTML, invite))
    assert names(choice.calendar) == ["cal"]
    assert choose_body(invite).attachments == (invite,)


def test_reports_signatures_and_ciphertext() -> None:
    status = leaf("st", "message/delivery-status")
    original = leaf("orig", "message/rfc822")
    choice = choose_body(multi("report", PLAIN, status, original))
    assert (choice.report, names(choice.attachments)) == (status, ["st", "orig"])
    signature = leaf("sig", "application/pgp-signature", filename="signature.asc")
    choice = choose_body(multi("signed", PLAIN, signature))
    assert (choice.security, names(choice.attachments)) == ("signed", ["sig"])
    assert not tree_has_attachments(multi("signed", PLAIN, signature))
    choice = choose_body(
        multi("encrypted", leaf("v", "application/pgp-encrypted"), leaf("c", "application/octet-stream"))
    )
    assert (choice.security, names(choice.attachments)) == ("encrypted", ["v", "c"])


def test_attached_messages_are_not_opened() -> None:
    attached = Part(path="2", media_type="message/rfc822", children=(leaf("2.1", "text/html"),))
    assert shown(choose_body(multi("mixed", PLAIN, attached))) == ("t", "", [], [], ["2"])
    assert tree_has_attachments(multi("mixed", PLAIN, attached))
