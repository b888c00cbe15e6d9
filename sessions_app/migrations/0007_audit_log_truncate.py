from django.db import migrations


def guard(apps, schema_editor):
    """A trigger for each row sees no TRUNCATE, which `flush` is made of."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()"
        )


def unguard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER audit_log_no_truncate ON audit_log")


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0006_analytics"),
    ]

    operations = [
        migrations.RunPython(guard, unguard, elidable=False),
    ]
