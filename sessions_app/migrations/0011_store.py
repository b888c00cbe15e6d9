"""The database gets a row by which a copy of it knows that it is one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0010_streams_and_acts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Store",
            fields=[
                ("id", models.PositiveSmallIntegerField(editable=False, primary_key=True, serialize=False)),
                ("mark", models.CharField(editable=False, max_length=80)),
                ("written_by", models.CharField(editable=False, max_length=20)),
                ("written_at", models.DateTimeField(editable=False)),
            ],
            options={
                "verbose_name_plural": "store",
                "db_table": "store",
            },
        ),
    ]
