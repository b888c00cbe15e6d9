"""sessions_app, webhooks: what they say, how it is signed, and to whom it may go. Knows no models."""
