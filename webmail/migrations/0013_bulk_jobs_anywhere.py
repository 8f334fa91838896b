import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webmail", "0012_remote_images")]

    operations = [
        migrations.AlterField(
            model_name="bulkjob",
            name="mailbox",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="webmail.mailbox"
            ),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="instead",
            field=models.CharField(blank=True, max_length=100),
        ),
    ]
