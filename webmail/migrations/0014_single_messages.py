import django.db.models.expressions
import django.db.models.lookups
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webmail", "0013_bulk_jobs_anywhere"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="placement",
            index=models.Index(
                condition=models.Q(("state", 0)), fields=["mailbox", "-received_at", "-id"], name="placement_by_date"
            ),
        ),
        migrations.AddIndex(
            model_name="placement",
            index=models.Index(
                condition=models.Q(
                    ("state", 0),
                    django.db.models.lookups.Exact(
                        django.db.models.expressions.CombinedExpression(models.F("flags"), "&", models.Value(1)), 0
                    ),
                ),
                fields=["mailbox", "-received_at", "-id"],
                name="placement_unread_by_date",
            ),
        ),
    ]
