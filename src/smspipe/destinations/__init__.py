"""Keeper of the destinations: what someone wrote down of which events become which texts, in all its versions."""

from smspipe.destinations import actions, integrations, project, registry, templates
from smspipe.destinations.actions import load_actions
from smspipe.destinations.project import load_shared
from smspipe.destinations.registry import Record, Version, load, load_accounts, load_all, load_paused, pause, resume
from smspipe.destinations.revision import revision
from smspipe.destinations.secrets import Keyring, generate_key

__all__ = [
    "Keyring",
    "Record",
    "Version",
    "actions",
    "generate_key",
    "integrations",
    "load",
    "load_accounts",
    "load_actions",
    "load_all",
    "load_paused",
    "load_shared",
    "pause",
    "project",
    "registry",
    "resume",
    "revision",
    "templates",
]
