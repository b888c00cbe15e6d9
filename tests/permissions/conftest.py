"""Tests of who may do what: the server of the sockets is that of tests/realtime."""

from tests.realtime.conftest import quick, quick_server, quick_stack

__all__ = ["quick", "quick_server", "quick_stack"]
