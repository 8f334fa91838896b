from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_pop_limit")]

    operations = [
        migrations.AddField(
            model_name="mailaccount",
            name="next_why",
            field=models.CharField(
                blank=True,
                choices=[
                    ("open", "a page is open"),
                    ("active", "its owner came by today"),
                    ("idle", "nobody is looking"),
                    ("owed", "a change is to be sent"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="mailaccount", name="progress_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="mailaccount", name="progress_rate", field=models.PositiveIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="mailaccount", name="resync_asked_at", field=models.DateTimeField(blank=True, null=True)
        ),
    ]
