import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0007_audit_log_truncate"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("session_id", models.UUIDField()),
                ("user_id", models.UUIDField(null=True)),
                ("provider", models.CharField(max_length=50)),
                ("day", models.DateField()),
                ("tokens", models.PositiveIntegerField()),
                ("expires_at", models.DateTimeField(help_text="On the database's clock.")),
            ],
            options={
                "db_table": "spirit_reservations",
            },
        ),
    ]
