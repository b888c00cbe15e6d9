"""Tests of the page at /board, in a real Chromium against real servers: `make test-browser`."""
