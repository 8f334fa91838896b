"""S22: what is uploaded has an end, lies where no web server looks, and is given back as a file whatever it claims."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.urls import reverse

from tests.app.conftest import Somebody, alice, bob, charlie
from webmail import storage
from webmail.models import Draft, Upload
from webmail.services import drafts
from webmail.views.composing import MOST_FILES

__all__ = ["alice", "bob", "charlie"]
PAGE = b"<!doctype html><script>alert(document.domain)</script>"


def a_draft(who: Somebody) -> Draft:
    return Draft.objects.create(user=who.user, account=who.account, identity=who.account.identities.get())


class Endless(io.RawIOBase):
    """A file that never ends, and counts what was read of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return b"x" * size


@pytest.mark.django_db
def test_s22_an_upload_is_cut_off_where_it_goes_too_far(alice: Somebody) -> None:
    draft, endless = a_draft(alice), Endless()
    before = stored(alice)
    small = override_settings(MAILROOM={**settings.MAILROOM, "UPLOAD_MAX_BYTES": 2**20})
    with small, pytest.raises(drafts.TooLarge):
        drafts.attach(draft, filename="endless", content_type="", file=endless)  # type: ignore[arg-type]  # read suffices
    assert endless.taken < 2 * 2**20
    assert stored(alice) == before
    assert not draft.uploads.exists()


@pytest.mark.django_db
def test_s22_a_form_brings_so_many_files_and_no_more(alice: Somebody) -> None:
    draft = a_draft(alice)
    files = [SimpleUploadedFile(f"{number}.txt", b"x") for number in range(MOST_FILES + 20)]
    alice.client.post(reverse("mail:draft_files", args=[draft.pk]), {"files": files})
    assert draft.uploads.count() <= MOST_FILES


@pytest.mark.django_db
@pytest.mark.parametrize("claimed", ["text/html", "image/svg+xml", "image/png", "application/xhtml+xml", "x/y\r\nA: b"])
def test_s22_a_page_among_the_files_is_never_opened_as_one(alice: Somebody, claimed: str) -> None:
    draft = a_draft(alice)
    file = SimpleUploadedFile("page.html", PAGE, content_type=claimed)
    alice.client.post(reverse("mail:draft_files", args=[draft.pk]), {"files": file, "inline": "1"})
    upload = Upload.objects.get()
    answer: Any = alice.client.get(reverse("mail:draft_file", args=[draft.pk, upload.pk]))
    assert answer.getvalue() == PAGE
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "\n" not in answer.headers["Content-Type"]


@pytest.mark.django_db
def test_s22_nothing_that_is_uploaded_lies_below_an_address(alice: Somebody) -> None:
    draft = a_draft(alice)
    upload = drafts.attach(draft, filename="../../static/x.js", content_type="", file=io.BytesIO(PAGE))
    assert "/" not in upload.filename
    place = Path(default_storage.path(storage.path(alice.account.pk, upload.digest))).resolve()
    served = [Path(folder).resolve() for folder in (settings.BASE_DIR / "static", settings.STATIC_ROOT) if folder]
    assert not any(place.is_relative_to(folder) for folder in served)
    assert "x.js" not in place.name
    for address in (f"/static/{upload.digest}", f"/{storage.path(alice.account.pk, upload.digest)}"):
        assert alice.client.get(address).status_code == 404


def stored(who: Somebody) -> list[Path]:
    folder = Path(default_storage.path(str(who.account.pk)))
    return sorted(folder.rglob("*")) if folder.exists() else []
