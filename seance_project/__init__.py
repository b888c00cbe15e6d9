"""seance_project, the composition: settings, logs, entry points. It may import every room; no room imports it."""
