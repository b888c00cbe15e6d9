"""sessions_app, the terminal client: a séance from the command line, and the reference for other clients.

Read it in this order: `happenings` (what a client can learn), `outbox`, `retry` and `planchette` (three small rules),
`client` (the protocol, without any I/O), `connection` (the socket), `narrator` and `view` (what is shown), `keyboard`.
"""
