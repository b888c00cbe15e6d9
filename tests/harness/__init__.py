"""Tests of the whole: real servers, real kills, one checker."""
