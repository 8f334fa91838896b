import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webmail", "0006_failed_operations")]

    operations = [
        migrations.AddField(
            model_name="mailbox",
            name="renumbered_at",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), default=list, size=None),
        ),
    ]
