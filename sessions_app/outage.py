"""sessions_app, the kitchen: the errors that say that the database cannot do it now, and not what is wrong with it."""

from django.db import InterfaceError, InternalError, OperationalError

# PostgreSQL's InternalError is about its own state: made read-only because its disk is nearly full, or a transaction
# that it ended since nothing came.
OUTAGE = (OperationalError, InterfaceError, InternalError)
