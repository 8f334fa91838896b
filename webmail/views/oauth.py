"""Signing in to mail at the provider's own page (OAuth 2.0, RFC 6749 section 4.1, with PKCE, RFC 7636).

Nothing is kept between leaving and coming back: the state is signed, names the person and lasts ten minutes, and the
verifier follows from it. Coming back shows a form, so that no visit of an address adds an account by itself; the code
is exchanged by a worker, since no view talks to a server.
"""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import MailAccount, OAuthProvider, User
from accounts.services import provisioning
from webmail.forms.accounts import SignedInForm
from webmail.jobs import Job, enqueue_on_commit
from webmail.queries import access

from .lists import signed_in

_SALT = "webmail.oauth"
_SECONDS = 600
_LONGEST_CODE = 4_000


@login_required
@require_GET
def begin(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Leads to the provider; ``account`` names one that is to be signed in again."""
    user = signed_in(request)
    provider = access.oauth_provider(user, provider_id)
    again = _account(user, request.GET.get("account", ""))
    claim = {
        "u": user.pk,
        "p": provider.pk,
        "a": again.pk if again else 0,
        "t": time.time_ns() // 1000,
        "n": get_random_string(22),
    }
    state = signing.dumps(claim, salt=_SALT)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(_verifier(state).encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": _redirect_uri(),
        "scope": provider.scopes,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "access_type": "offline",  # Google gives a refresh token only when asked in its own words
        "prompt": "consent",
    }
    if again:
        query["login_hint"] = again.address
    separator = "&" if "?" in provider.authorize_url else "?"
    return HttpResponseRedirect(f"{provider.authorize_url}{separator}{urlencode(query)}")


@login_required
@sensitive_post_parameters("code", "state")
@require_http_methods(["GET", "HEAD", "POST"])
def finish(request: HttpRequest) -> HttpResponse:
    """Where the provider sends the browser back: a form with the address, then the account."""
    user = signed_in(request)
    given = request.POST if request.method == "POST" else request.GET
    state, code = given.get("state", ""), given.get("code", "")
    claim = _claim(user, state)
    if claim is None or not 0 < len(code) <= _LONGEST_CODE:
        return _back_to_the_beginning(request, refused=given.get("error", "") == "access_denied")
    provider, again = access.oauth_provider(user, claim["p"]), _account(user, str(claim["a"] or ""))
    initial = {"address": again.address if again else "", "code": code, "state": state}
    form = SignedInForm(request.POST if request.method == "POST" else None, initial=initial)
    if again:
        del form.fields["address"]
    if form.is_bound and form.is_valid():
        grant = {"code": code, "code_verifier": _verifier(state), "redirect_uri": _redirect_uri()}
        account = _stored(user, form, provider, grant, again, asked_at=claim.get("t"))
        if account is not None:
            return HttpResponseRedirect(f"{reverse('mail:account', args=[account.pk])}{'' if again else '?first=1'}")
    context: dict[str, Any] = {"form": form, "provider": provider, "again": again}
    return render(request, "accounts/signed_in.html", context, status=422 if form.is_bound else 200)


def _stored(
    user: User,
    form: SignedInForm,
    provider: OAuthProvider,
    grant: dict[str, str],
    again: MailAccount | None,
    *,
    asked_at: int | None,
) -> MailAccount | None:
    """The account with its new authorisation, being tried; None with the reason beside the address.

    One that got a newer authorisation or password since the person left (``asked_at``, microseconds) keeps that: a
    form that is sent twice would put a used code in the place of good tokens.
    """
    try:
        with transaction.atomic():
            if again is not None:
                if not provisioning.update_grant(again, provider, grant, asked_at=asked_at):
                    return again
                account = again
            else:
                address = form.cleaned_data["address"]
                account = provisioning.add_account(user, protocol="imap", address=address, grant=(provider, grant))
            enqueue_on_commit(Job.SYNC_ACCOUNT, account.pk)
            return account
    except provisioning.AlreadyThere:
        form.add_error("address", _("This account is there already. Its settings are under Accounts."))
    except IntegrityError:
        form.add_error(None, _("The same account was being added at this moment. Try once more."))
    except IndexError:
        form.add_error("address", _("No server is known for this address. Your administrator can name one."))
    return None


def _account(user: User, text: str) -> MailAccount | None:
    return access.account(user, int(text)) if text.isdecimal() and len(text) <= 18 else None


def _claim(user: User, state: str) -> dict[str, int] | None:
    """What the state says, if it is ours, fresh and this person's."""
    try:
        found: dict[str, int] = signing.loads(state, salt=_SALT, max_age=_SECONDS)
    except signing.BadSignature:
        return None
    return found if found.get("u") == user.pk else None


def _verifier(state: str) -> str:
    return salted_hmac(_SALT + ".verifier", state, algorithm="sha256").hexdigest()


def _redirect_uri() -> str:
    return settings.SITE_URL.rstrip("/") + reverse("mail:oauth_finish")


def _back_to_the_beginning(request: HttpRequest, *, refused: bool) -> HttpResponse:
    over = _("That sign-in has run out. Begin anew.")
    context = {"trouble": _("The provider was told no, so nothing was added.") if refused else over}
    return render(request, "accounts/signed_in.html", context, status=422)
