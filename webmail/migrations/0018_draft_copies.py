from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_the_mailbox(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Copies were in the account's folder for drafts, and recorded without saying so."""
    draft, mailbox = apps.get_model("webmail", "Draft"), apps.get_model("webmail", "Mailbox")
    for row in draft.objects.exclude(remote_uid=None, superseded_uids=[]):
        box = mailbox.objects.filter(account=row.account_id, role="drafts").exclude(phase="gone").first()
        row.remote_box = box.pk if box is not None and row.remote_uid else None
        row.superseded_uids = [[box.pk, *entry] for entry in row.superseded_uids] if box is not None else []
        row.save(update_fields=["remote_box", "superseded_uids"])


class Migration(migrations.Migration):
    dependencies = [("webmail", "0017_calendar_notices")]

    operations = [
        migrations.AddField(model_name="draft", name="remote_box", field=models.BigIntegerField(null=True)),
        migrations.AddField(model_name="draft", name="copy_after", field=models.DateTimeField(null=True)),
        migrations.RunPython(name_the_mailbox, migrations.RunPython.noop),
    ]
