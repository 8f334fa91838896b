"""S06 for contact cards: whatever stands in one is text, and nothing in it is fetched."""

import pytest

from .arriving import address_of, deliver
from .ground import World

pytestmark = pytest.mark.django_db

HEAD = (
    b"From: Noor <noor@x.test>\r\nTo: alice@harbourlane.example\r\nSubject: Card\r\nMessage-ID: <vcf@x.test>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n"
    b'--b\r\nContent-Type: text/vcard; charset=utf-8\r\nContent-Disposition: attachment; filename="noor.vcf"\r\n\r\n'
)


def test_s06_a_contact_card_is_text(alice: World) -> None:
    hostile = "<svg onload=alert(1)>"
    lines = [
        f"FN:Noor {hostile}",
        f"EMAIL:{hostile}@x.test",
        f"TEL:{hostile}",
        f"ADR:;;{hostile};;;;",
        f"ORG:{hostile}",
    ]
    lines += ["PHOTO;VALUE=URI:https://track.test/x.png", "URL:javascript:alert(1)"]
    raw = HEAD + "\r\n".join(["BEGIN:VCARD", *lines, "END:VCARD"]).encode() + b"\r\n--b--\r\n"
    html = alice.client.get(address_of(alice.inbox, deliver(alice.inbox, raw))).content.decode()
    assert 'class="card contact-card"' in html
    assert "Noor &lt;svg onload=alert(1)&gt;" in html
    assert "<svg onload" not in html
    assert "track.test" not in html
    assert 'href="javascript:' not in html
