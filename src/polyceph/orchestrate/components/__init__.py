"""Dagster's registry module of polyceph: the four components that a domain uses by YAML alone."""

from polyceph.orchestrate.components.ingest import Ingest
from polyceph.orchestrate.components.output import Output
from polyceph.orchestrate.components.shell import Shell
from polyceph.orchestrate.components.transform import Transform

__all__ = ["Ingest", "Output", "Shell", "Transform"]
