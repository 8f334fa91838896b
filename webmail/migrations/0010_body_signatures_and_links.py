from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webmail", "0009_keywords")]

    operations = [
        migrations.AddField(
            model_name="messagebody",
            name="signatures",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="messagebody",
            name="suspect_links",
            field=models.JSONField(default=list),
        ),
    ]
