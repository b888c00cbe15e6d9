#!/usr/bin/env python
"""The command line of the project: `python manage.py <command>`."""

import os
import sys


def main() -> None:
    """Run one command; a wrong environment is one line and exit code 78."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
    from django.core.management import execute_from_command_line

    from seance_project.env import one_line_refusal

    with one_line_refusal():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
