"""sessions_app/api, the REST door: it translates HTTP to services and selectors, and back. No rule lives here."""
