"""sessions_app, nouns: the database as a whole: one row, by which a copy of it knows that it is a copy."""

from django.db import models


class Store(models.Model):
    """`mark` names the place that the row was written at, `written_by` PostgreSQL's transaction that wrote it.

    `services.store` compares both with what is: whoever copies or restores the row does that somewhere else, or in
    another transaction.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, editable=False)
    mark = models.CharField(max_length=80, editable=False)
    written_by = models.CharField(max_length=20, editable=False)
    written_at = models.DateTimeField(editable=False)

    class Meta:
        db_table = "store"
        verbose_name_plural = "store"

    def __str__(self) -> str:
        return self.mark
