from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webmail", "0005_mailbox_resync")]
    operations = [
        migrations.AddIndex(
            model_name="remoteop",
            index=models.Index(fields=["account", "id"], condition=models.Q(state="failed"), name="op_failed"),
        ),
    ]
