import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webmail", "0007_mailbox_renumbered_at"),
    ]

    operations = [
        migrations.AddField(
            model_name="mailbox",
            name="label",
            field=models.CharField(blank=True, max_length=1000),
        ),
        migrations.AddField(
            model_name="mailbox",
            name="labelled",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="placement",
            name="labels",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None),
        ),
        migrations.AddField(
            model_name="placement",
            name="origin",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="views",
                to="webmail.placement",
            ),
        ),
        migrations.AddField(
            model_name="placement",
            name="server_labels",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None),
        ),
        migrations.AlterField(
            model_name="remoteop",
            name="kind",
            field=models.CharField(
                choices=[
                    ("flags", "Flags"),
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
        migrations.AddConstraint(
            model_name="placement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("origin__isnull", False)), fields=("origin", "mailbox"), name="placement_view_once"
            ),
        ),
    ]
