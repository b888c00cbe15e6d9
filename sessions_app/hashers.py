"""sessions_app, the kitchen: how slowly a password is hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id as OWASP's cheat sheet advises it: 19 MiB, two passes, one thread.

    Django's own takes 100 MiB and eight threads, so that a handful of people who log in at once have a small machine
    for themselves. A hash names its own costs: older ones stay good, and are made anew at the next login.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
