from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_server_authentication_names")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="label_hues",
            field=models.JSONField(default=dict, editable=False),
        ),
    ]
