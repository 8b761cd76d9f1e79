"""A config_dump of an Envoy -> the resources that it was sent, and how large each is."""

from recommender.config_dump.read import ConfigDump, read_config_dump

__all__ = ["ConfigDump", "read_config_dump"]
