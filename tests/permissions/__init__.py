"""Tests of who may do what: one table for both doors, and tests made from it."""
