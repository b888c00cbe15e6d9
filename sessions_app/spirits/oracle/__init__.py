"""Room: sessions_app/spirits/oracle. The spirit that needs nobody: rules, a life, a memory and a grammar, as data."""
