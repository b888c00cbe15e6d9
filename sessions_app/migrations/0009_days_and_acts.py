"""Days get to know how long the sessions that ended on them took: each is added up anew at the next count."""

from typing import Any

from django.db import migrations, models


def mark(apps: Any, _: Any) -> None:
    """Every day is stale."""
    apps.get_model("sessions_app", "DayRollup").objects.update(is_stale=True)


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0008_reservations")]

    operations = [
        migrations.AddIndex(
            "message",
            models.Index(fields=["id"], name="messages_deleted", condition=models.Q(deleted_at__isnull=False)),
        ),
        migrations.AddIndex(
            "message", models.Index(fields=["id"], name="messages_off_record", condition=models.Q(off_record=True))
        ),
        migrations.AddField("dayrollup", "ended_us", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddField("dayrollup", "ended_person_us", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddField("dayrollup", "ended_peak", models.PositiveIntegerField(default=0, db_default=0)),
        migrations.AlterField(
            "auditentry",
            "act",
            models.CharField(
                max_length=20,
                choices=[
                    ("kick", "sent away"),
                    ("mute", "muted"),
                    ("unmute", "given the voice back"),
                    ("role", "given another role"),
                    ("host", "made the host"),
                    ("update_session", "session changed"),
                    ("end_session", "session ended"),
                    ("delete_session", "session deleted"),
                    ("export_session", "session exported"),
                    ("delete_message", "message taken away"),
                    ("cancel_question", "question cancelled"),
                    ("create_invite", "invite made"),
                    ("revoke_invite", "invite revoked"),
                    ("ban", "banned"),
                    ("unban", "let in again"),
                    ("publish_persona", "persona published"),
                    ("hide_persona", "persona hidden"),
                    ("sign_out", "signed out everywhere"),
                    ("close_report", "report closed"),
                    ("create_webhook", "webhook made"),
                    ("update_webhook", "webhook changed"),
                    ("rotate_webhook", "webhook given a secret"),
                    ("disable_webhook", "webhook disabled"),
                    ("delete_webhook", "webhook deleted"),
                    ("replay_webhook", "webhook sent again"),
                ],
            ),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
