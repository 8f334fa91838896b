import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_oauth_providers")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="labels",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=100), default=list, editable=False, size=None
            ),
        ),
    ]
