"""Tests of the admins' room."""
