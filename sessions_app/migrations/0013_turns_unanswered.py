"""The turns that did not go as they should are found among all: which came to no answer of their own."""

from django.db import migrations, models

from sessions_app.unlocked import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("sessions_app", "0012_turns_degraded"),
    ]

    operations = [
        AddIndex(
            model_name="spiritturn",
            index=models.Index(
                condition=models.Q(("state__in", ["cancelled", "failed", "withdrawn", "merged"])),
                fields=["state", "id"],
                name="spirit_turns_unanswered",
            ),
        ),
    ]
