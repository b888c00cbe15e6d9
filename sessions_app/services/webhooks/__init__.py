"""sessions_app, writes: webhooks: endpoints, and what is on its way to them."""
