"""Room: sessions_app/spirits, the spirit as a pure library (no Django, no database, no realtime)."""
