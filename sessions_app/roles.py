"""sessions_app, the kitchen: the role of those who may look at everything in the admin and change nothing.

It is a group, brought up to date after every migration: exactly the rights to view what the admin shows. Its people are
accounts that need not be staff, since staff may act over the API.
"""

from django.db.models import Q

READERS = "Readers"


def enter_readers() -> None:
    """Make the group, or give it the rights that have come since."""
    from django.contrib.admin import site
    from django.contrib.auth.models import Group, Permission

    wanted = Q()
    for model in site._registry:
        options = model._meta
        wanted |= Q(content_type__app_label=options.app_label, codename=f"view_{options.model_name}")
    group, _ = Group.objects.get_or_create(name=READERS)
    group.permissions.set(Permission.objects.filter(wanted))
