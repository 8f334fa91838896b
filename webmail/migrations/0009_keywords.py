import django.contrib.postgres.fields
from django.db import migrations, models

# until now keywords were what the server said, and nothing else
_SAID = "UPDATE webmail_placement SET server_keywords = keywords WHERE keywords <> '{}'"
_LINES = """
UPDATE webmail_mailboxthread line SET keywords = said.words FROM (
    SELECT mailbox_id, thread_id, array_agg(DISTINCT word COLLATE "C" ORDER BY word COLLATE "C") AS words
    FROM webmail_placement, unnest(keywords) AS word
    WHERE keywords <> '{}' AND state = 0 AND flags & 32 = 0 GROUP BY mailbox_id, thread_id
) said WHERE line.mailbox_id = said.mailbox_id AND line.thread_id = said.thread_id
"""


def _words() -> models.Field:
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.CharField(max_length=100), default=list, size=None
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_user_labels"), ("webmail", "0008_label_views")]

    operations = [
        migrations.AddField(model_name="bulkjob", name="keyword", field=models.CharField(blank=True, max_length=100)),
        migrations.AddField(model_name="mailboxthread", name="keywords", field=_words()),
        migrations.AddField(model_name="placement", name="pending_keywords", field=_words()),
        migrations.AddField(model_name="placement", name="server_keywords", field=_words()),
        migrations.AlterField(
            model_name="remoteop",
            name="kind",
            field=models.CharField(
                choices=[
                    ("flags", "Flags"),
                    ("keywords", "Keywords"),
                    ("labels", "Labels"),
                    ("move", "Move"),
                    ("copy", "Copy"),
                    ("expunge", "Expunge"),
                    ("append", "Append"),
                    ("create", "Create"),
                    ("rename", "Rename"),
                    ("remove", "Remove"),
                    ("subscribe", "Subscribe"),
                ],
                max_length=9,
            ),
        ),
        migrations.AddIndex(
            model_name="mailboxthread",
            index=models.Index(condition=~models.Q(keywords=[]), fields=["account"], name="line_labelled"),
        ),
        migrations.RunSQL(_SAID, migrations.RunSQL.noop),
        migrations.RunSQL(_LINES, migrations.RunSQL.noop),
    ]
