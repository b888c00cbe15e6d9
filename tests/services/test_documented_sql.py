"""Tests of the documentation: what it tells administrators to say to PostgreSQL is understood by it."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.docs.pages import Block, blocks, pages

pytestmark = [pytest.mark.services, pytest.mark.django_db]
SQL = [block for page in pages() for block in blocks(page) if block.language == "sql"]


@pytest.mark.parametrize("block", SQL, ids=[block.text.split("\n", 1)[0][:40] for block in SQL])
def test_statements_for_administrators_are_understood(block: Block) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'seance'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE ROLE seance")  # gone with the test's transaction

        cursor.execute(block.text)
