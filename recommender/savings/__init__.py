"""Mesh and recommendations -> what the Sidecars save: configuration, and pushes of changes."""

from recommender.savings.measure import measure_savings
from recommender.savings.model import ChangeReach, NotEstimated, Savings, WorkloadSavings

__all__ = ["ChangeReach", "NotEstimated", "Savings", "WorkloadSavings", "measure_savings"]
