"""Tests of what can go wrong: one file for each row of the fault table in docs/reliability.md."""
