import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_sync_words")]

    operations = [
        migrations.AlterField(
            "mailaccount",
            "next_why",
            models.CharField(
                blank=True,
                choices=[
                    ("open", "a page is open"),
                    ("active", "its owner came by today"),
                    ("idle", "nobody is looking"),
                    ("owed", "a change is to be sent"),
                    ("busy", "its connections are in use"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddField("mailaccount", "connection_cap", models.PositiveSmallIntegerField(blank=True, null=True)),
        migrations.AddField("mailaccount", "connection_cap_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "mailserver", "host_cap", models.PositiveSmallIntegerField(blank=True, editable=False, null=True)
        ),
        migrations.AddField("mailserver", "host_cap_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField(
            "mailserver",
            "host_connections",
            models.PositiveSmallIntegerField(
                blank=True,
                help_text="All accounts together. Empty: as many as it takes, learnt from its refusals.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="connections to its host at once",
            ),
        ),
        migrations.AlterField(
            "mailserver",
            "max_connections",
            models.PositiveSmallIntegerField(
                default=8,
                help_text="One of them waits for news, one syncs, one is kept for what people open.",
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="connections of an account at once",
            ),
        ),
    ]
