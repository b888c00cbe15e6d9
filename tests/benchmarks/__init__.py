"""Tests of the benchmarks: they run, they are bounded, and they say what they measured."""
