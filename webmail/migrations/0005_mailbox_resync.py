from django.db import migrations, models

# spread over a week, so that an upgrade is not followed by everything being compared at once
SPREAD = "UPDATE webmail_mailbox SET resynced_at = now() - random() * interval '7 days' WHERE phase = 'live'"


class Migration(migrations.Migration):
    dependencies = [("webmail", "0004_bulk_jobs")]

    operations = [
        migrations.AddField(model_name="mailbox", name="resync_asked_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="mailbox", name="resync_low", field=models.BigIntegerField(null=True)),
        migrations.AddField(model_name="mailbox", name="resync_done", field=models.PositiveIntegerField(default=0)),
        migrations.AddField(model_name="mailbox", name="resynced_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="mailbox", name="rate", field=models.PositiveIntegerField(default=0)),
        migrations.AddField(model_name="mailbox", name="rate_at", field=models.DateTimeField(null=True)),
        migrations.RunSQL(SPREAD, migrations.RunSQL.noop),
    ]
