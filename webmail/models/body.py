from django.db import models

from accounts.models import MailAccount

from .message import Message


class MessageBody(models.Model):
    """What has been fetched of a message's content, and what was made of it for reading.

    ``parts`` lists the MIME leaves: ``{"path", "type", "charset", "encoding", "size", "filename", "disposition",
    "cid", "digest", "role"}`` with role text | html | inline | attachment | package (opened, its content listed in its
    place); ``digest`` names the decoded content in storage once it is here. ``special`` is told in ``sync.special``.
    ``clean_html`` is the sanitizer's output of ``clean_version`` and nothing edits it; pictures of other servers stand
    in it as places (``render.pictures``) whose URLs are ``image_urls``.
    ``signatures`` are (domain, selector, beginning of the signature, names of the fields it claims to cover) of the
    DKIM signatures, known of whole messages and of those that offer one-click unsubscribing; nobody has checked them.
    ``suspect_links`` are (claimed, host): the site that a link names, "" for letters in disguise, and the one it
    leads to.
    """

    class State(models.TextChoices):
        WANTED = "wanted"
        HERE = "here"
        FAILED = "failed"

    message = models.OneToOneField(Message, on_delete=models.CASCADE, primary_key=True, related_name="body")
    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=6, choices=State.choices, default=State.WANTED)
    error = models.CharField(max_length=500, blank=True)
    wanted_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    raw_digest = models.CharField(max_length=64, blank=True)  # the whole message is in storage (POP3, sent, drafts)
    parts = models.JSONField(default=list)
    special = models.JSONField(default=dict)
    headers = models.JSONField(default=list)  # [[name, value], …] when the whole message is here
    text = models.TextField(blank=True)  # readable text: search, quotes, reading without HTML
    has_html = models.BooleanField(default=False)
    clean_html = models.TextField(blank=True)
    stylesheet = models.TextField(blank=True)
    clean_version = models.PositiveSmallIntegerField(default=0)
    designed = models.BooleanField(default=False)
    remote_images = models.PositiveIntegerField(default=0)
    image_urls = models.JSONField(default=list)
    remote_backgrounds = models.PositiveIntegerField(default=0)  # named by styles; never shown
    trackers = models.PositiveIntegerField(default=0)
    signatures = models.JSONField(default=list)
    suspect_links = models.JSONField(default=list)
    problem = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"body {self.pk}"
