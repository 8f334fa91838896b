from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webmail", "0025_reports_and_reminders")]

    operations = [
        migrations.AddField(model_name="outgoing", name="holes", field=models.JSONField(default=list)),
        migrations.AddField(model_name="outgoing", name="sent_copy_holes", field=models.JSONField(default=list)),
    ]
