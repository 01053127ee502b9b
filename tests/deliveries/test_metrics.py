"""Counts by hour."""

from datetime import timedelta

from sqlalchemy import Connection

from smspipe.deliveries import metrics
from smspipe.model.ids import DestinationId
from tests.deliveries.conftest import NOW, SHOP

HOUR = timedelta(hours=1)
OTHER = DestinationId("other")


def test_counts_of_one_hour_are_added_up(connection: Connection) -> None:
    metrics.add(connection, {(SHOP, "triggered"): 2, (SHOP, "failed"): 1}, NOW)
    metrics.add(connection, {(SHOP, "triggered"): 3}, NOW + timedelta(minutes=59, seconds=59))
    metrics.add(connection, {}, NOW)
    assert metrics.read(connection, SHOP, NOW, NOW + HOUR) == [
        (NOW, "failed", "failure", 1),
        (NOW, "triggered", "other", 5),
    ]


def test_hours_and_destinations_are_kept_apart_and_told_oldest_first(connection: Connection) -> None:
    metrics.add(connection, {(SHOP, "masked"): 1}, NOW + HOUR)
    metrics.add(connection, {(SHOP, "masked"): 2, (OTHER, "masked"): 9}, NOW)
    metrics.add(connection, {(SHOP, "masked"): 4}, NOW + 2 * HOUR)
    assert metrics.read(connection, SHOP, NOW, NOW + 2 * HOUR) == [
        (NOW, "masked", "other", 2),
        (NOW + HOUR, "masked", "other", 1),
    ]
