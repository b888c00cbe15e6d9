"""sessions_app, OAuth: who somebody is elsewhere. It knows no model; `services.oauth` decides what that is worth."""
