"""Tests of what a deployment stands on: real services beside real servers."""
