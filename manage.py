#!/usr/bin/env python
"""The command line of the project: `python manage.py <command>`."""

import gc
import os
import sys


def main() -> None:
    """Run one command; a wrong environment is one line and exit code 78."""
    gc.set_threshold(50_000)  # loading makes 200,000 objects that stay: looking for garbage among them takes 0.1 s
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
    from django.core.management import execute_from_command_line

    from seance_project.env import one_line_refusal

    if sys.argv[1:2] == ["doctor"]:
        from seance_project.doctor.report import refuse_settings

        refuse_settings(sys.argv[2:])
    with one_line_refusal():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
