import hashlib
from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def _from_what_is_here(apps: Any, schema_editor: Any) -> None:
    """Invitations whose content was fetched before there were notices; when they were written is not known of them."""
    bodies = apps.get_model("webmail", "MessageBody").objects.filter(special__has_key="invitation")
    notices = apps.get_model("webmail", "CalendarNotice").objects
    rows = bodies.values_list("message_id", "account_id", "special", "message__from_address").iterator(chunk_size=500)
    made = []
    for message, account, special, sender in rows:
        told = special["invitation"]
        if told.get("method") not in ("REQUEST", "CANCEL") or not told.get("organiser"):
            continue
        words = f"{told['uid']}\0{told['organiser']['address'].lower()}"
        made.append(
            notices.model(
                message_id=message,
                account_id=account,
                key=hashlib.blake2b(words.encode(), digest_size=16).hexdigest(),
                sender=sender.lower()[:500],
                recurrence_id=told["recurrence_id"][:16],
                sequence=told["sequence"],
                cancels=told["method"] == "CANCEL" or told["status"] == "CANCELLED",
            )
        )
    notices.bulk_create(made, batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_user_label_hues"), ("webmail", "0016_message_answers")]

    operations = [
        migrations.CreateModel(
            name="CalendarNotice",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="calendar_notice",
                        serialize=False,
                        to="webmail.message",
                    ),
                ),
                ("key", models.CharField(max_length=32)),
                ("sender", models.CharField(max_length=500)),
                ("recurrence_id", models.CharField(blank=True, max_length=16)),
                ("sequence", models.PositiveIntegerField()),
                ("stamp", models.CharField(blank=True, max_length=16)),
                ("cancels", models.BooleanField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.mailaccount",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["account", "key"], name="notice_of_event")]},
        ),
        migrations.RunPython(_from_what_is_here, migrations.RunPython.noop, elidable=True),
    ]
