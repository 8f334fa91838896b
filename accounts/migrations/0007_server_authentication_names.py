import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_user_labels")]

    operations = [
        migrations.AddField(
            model_name="mailserver",
            name="authentication_names",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=255),
                blank=True,
                default=list,
                help_text="Whose checks of senders are believed: the name after “Authentication-Results:” at the top of a received message's source, often that of the receiving mail server. It must be one whose server removes forged fields with its name (RFC 8601). A name that begins with a dot stands for all hosts below it. Empty: nobody's, except at providers whose name is known.",
                size=None,
                verbose_name="authentication service names",
            ),
        ),
    ]
