"""Room: sessions_app/spirits/providers. One file per kind of spirit; see `registry.py` for their names."""
