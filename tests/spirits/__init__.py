"""Room: tests/spirits. The spirit library, tested without Django, database or network."""
