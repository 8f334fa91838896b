from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webmail", "0004_bulk_jobs")]
    operations = [
        migrations.AddIndex(
            model_name="remoteop",
            index=models.Index(fields=["account", "id"], condition=models.Q(state="failed"), name="op_failed"),
        ),
    ]
