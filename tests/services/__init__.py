"""Tests of sessions_app/services and selectors, on the real database."""
