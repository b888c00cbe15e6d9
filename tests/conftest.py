"""Tests: what all of them share."""

pytest_plugins = ["tests.harness.plugin"]
