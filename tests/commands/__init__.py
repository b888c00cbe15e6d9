"""Tests of the operator's commands and of the terminal client."""
