import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_connection_caps"),
    ]

    operations = [
        migrations.AddField(
            model_name="credential",
            name="renew_token_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="credential",
            name="sealed_access",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="credential",
            name="sealed_code",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="credential",
            name="token_claimed_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="OAuthProvider",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="As people know it: “Sign in with …”.", max_length=60, verbose_name="name"
                    ),
                ),
                (
                    "authorize_url",
                    models.CharField(
                        max_length=500,
                        validators=[
                            django.core.validators.URLValidator(
                                ["https"], message="An https address: tokens travel over nothing else."
                            )
                        ],
                        verbose_name="authorisation address",
                    ),
                ),
                (
                    "token_url",
                    models.CharField(
                        max_length=500,
                        validators=[
                            django.core.validators.URLValidator(
                                ["https"], message="An https address: tokens travel over nothing else."
                            )
                        ],
                        verbose_name="token address",
                    ),
                ),
                ("client_id", models.CharField(max_length=300, verbose_name="client id")),
                (
                    "scopes",
                    models.CharField(
                        help_text="As the provider names them, with spaces.", max_length=500, verbose_name="scopes"
                    ),
                ),
                ("ca_certificates", models.TextField(blank=True, verbose_name="own certificate authority")),
                ("data_key", models.CharField(blank=True, max_length=200)),
                ("sealed_secret", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: offered to every organisation.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "sign-in provider",
                "verbose_name_plural": "sign-in providers",
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="credential",
            name="provider",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credentials",
                to="accounts.oauthprovider",
            ),
        ),
    ]
