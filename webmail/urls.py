"""Every address of Mailroom. A new one needs its line in tests/app/test_routes.py: who may open it, and by what."""

from django.urls import include, path

from accounts.admin.site import site as administration
from webmail.views import (
    accounts,
    acting,
    composer_parts,
    composing,
    errors,
    files,
    folders,
    health,
    labels,
    lists,
    live,
    oauth,
    outbox,
    reading,
    remote_images,
    searching,
    session,
    settings,
    unsynced,
)

mail = [
    path("", lists.home, name="home"),
    path("signin/", session.SignIn.as_view(), name="signin"),
    path("signout/", session.SignOut.as_view(), name="signout"),
    path("mail/all/", lists.unified, name="unified"),
    path("mail/starred/", lists.starred, name="starred"),
    path("mail/<int:account_id>/<int:mailbox_id>/", lists.mailbox, name="mailbox"),
    path("mail/<int:account_id>/<int:mailbox_id>/<int:thread_id>/", reading.thread, name="thread"),
    path("search/", searching.search, name="search"),
    path("actions/", acting.act, name="act"),
    path("actions/newest/", acting.undo_newest, name="undo_newest"),
    path("actions/<uuid:action_id>/", acting.offer, name="action"),
    path("undo/<uuid:action_id>/", acting.undo, name="undo"),
    path("message/<int:message_id>/download/", acting.download, name="pop_download"),
    path("message/<int:message_id>/images/", remote_images.decide, name="images"),
    path("message/<int:message_id>/source/", files.source, name="source"),
    path("message/<int:message_id>/attachment/<str:path>/", files.attachment, name="attachment"),
    path("message/<int:message_id>/attachments/", files.attachments, name="attachments"),
    path("m/<str:token>/", reading.frame, name="frame"),
    path("m/<str:token>/c/<str:path>", reading.inline_part, name="inline_part"),
    path("i/<str:token>", remote_images.image, name="image"),
    path("live/", live.live, name="live"),
    path("compose/", composing.compose, name="compose"),
    path("compose/editor/", composer_parts.editor, name="editor"),
    path("compose/people/", composer_parts.suggestions, name="people"),
    path("compose/<int:draft_id>/files/", composer_parts.files, name="draft_files"),
    path("compose/<int:draft_id>/reopen/", composing.reopen, name="draft_reopen"),
    path("outbox/", outbox.listing, name="outbox"),
    path("outbox/<int:outgoing_id>/", outbox.detail, name="outgoing"),
    path("outbox/<int:outgoing_id>/<slug:do>/", outbox.decide, name="outgoing_do"),
    path("settings/", settings.overview, name="settings"),
    path("settings/appearance/", settings.preferences, name="appearance"),
    path("settings/identities/", settings.identities, name="identities"),
    path("settings/images/", remote_images.senders, name="image_senders"),
    path("settings/images/<str:token>/restore/", remote_images.restore, name="image_sender_restore"),
    path("settings/labels/", labels.listing, name="labels"),
    path("settings/password/", settings.password, name="password"),
    path("settings/accounts/add/", accounts.add, name="account_add"),
    path("settings/accounts/servers/", accounts.servers, name="servers"),
    path("settings/accounts/sign-in/<int:provider_id>/", oauth.begin, name="oauth_begin"),
    path("settings/accounts/signed-in/", oauth.finish, name="oauth_finish"),
    path("settings/account/<int:account_id>/", accounts.account, name="account"),
    path("settings/account/<int:account_id>/password/", accounts.password, name="account_password"),
    path("settings/account/<int:account_id>/remove/", accounts.remove, name="account_remove"),
    path("settings/account/<int:account_id>/folder/<int:mailbox_id>/resync/", accounts.resync_folder, name="resync"),
    path("settings/account/<int:account_id>/folders/", folders.listing, name="folders"),
    path("settings/folder/<int:mailbox_id>/rename/", folders.rename, name="folder_rename"),
    path("settings/folder/<int:mailbox_id>/delete/", folders.remove, name="folder_remove"),
    path("settings/folder/<int:mailbox_id>/<slug:do>/", folders.do, name="folder_do"),
    path("settings/unsynced/", unsynced.listing, name="unsynced"),
    path("settings/unsynced/<int:op_id>/<slug:do>/", unsynced.decide, name="unsynced_do"),
    path("settings/unsynced/<slug:do>/", unsynced.decide_all, name="unsynced_all"),
    path("settings/account/<int:account_id>/<slug:action>/", accounts.do, name="account_do"),
]

urlpatterns = [
    path("admin/", administration.urls),
    path("healthz", health.healthz, name="healthz"),
    path("", include((mail, "mail"))),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
