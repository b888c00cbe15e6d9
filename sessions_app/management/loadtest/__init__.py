"""sessions_app, the load test: rooms full of people on a running server, what they wait for, and whether all is well.

`verdict` is the judge and knows no socket, `person` is one client, `evening` opens the rooms and keeps the pace.
"""
