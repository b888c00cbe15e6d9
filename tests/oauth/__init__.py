"""Tests of coming in by OAuth: against a provider that the tests start, over real HTTP."""
