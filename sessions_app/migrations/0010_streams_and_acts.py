"""Streams of Server-Sent Events get rows, and what admins do by command gets acts."""

import django.db.models.deletion
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0009_days_and_acts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="act",
            field=models.CharField(
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
                    ("drop_sockets", "sockets dropped"),
                    ("reload_sockets", "sockets asked to come anew"),
                    ("ban", "banned"),
                    ("unban", "let in again"),
                    ("publish_persona", "persona published"),
                    ("hide_persona", "persona hidden"),
                    ("sign_out", "signed out everywhere"),
                    ("issue_token", "token issued by command"),
                    ("update_user", "account changed"),
                    ("close_report", "report closed"),
                    ("create_webhook", "webhook made"),
                    ("update_webhook", "webhook changed"),
                    ("rotate_webhook", "webhook given a secret"),
                    ("disable_webhook", "webhook disabled"),
                    ("delete_webhook", "webhook deleted"),
                    ("replay_webhook", "webhook sent again"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Stream",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("session", models.UUIDField()),
                ("user", models.UUIDField(blank=True, help_text="Empty where nobody said who reads.", null=True)),
                ("opened_at", models.DateTimeField(editable=False)),
                ("close_code", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "process",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="streams",
                        to="sessions_app.serverprocess",
                    ),
                ),
            ],
            options={
                "db_table": "streams",
            },
        ),
    ]
