"""seance_project, the doctor: what is wrong with an installation, and what to do about it.

A check is a function of the settings that yields findings. It asks the real thing, over connections of its own, and
needs none of Django's, so that it works where the server would not start. `visit` runs them all.
"""
