"""The turns that did not go as they should are found among all: whose answer was degraded."""

from django.db import migrations, models

from sessions_app.unlocked import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("sessions_app", "0011_store"),
    ]

    operations = [
        AddIndex(
            model_name="spiritturn",
            index=models.Index(
                condition=models.Q(("degraded", ""), _negated=True),
                fields=["degraded", "id"],
                name="spirit_turns_degraded",
            ),
        ),
    ]
