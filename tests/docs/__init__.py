"""Tests of the documentation: what it says is true, and complete."""
