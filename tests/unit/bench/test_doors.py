"""How the doors are told side by side."""

from bench.doors import Cost, Doors, Waiting, parties
from bench.report import aligned


def test_the_doors_stand_in_one_table_and_the_cost_of_a_body_in_another() -> None:
    found = Doors((Waiting("native", 40, 91.24, 338.1, 513.4), Waiting("Lummy", 40, 117.0, 263.0, 414.0)), COST)
    assert aligned(found.speeds()).splitlines()[2:] == [
        "native                91.2        338     513",
        "Lummy                 117.0       263     414",
    ]
    assert [row[1:] for row in found.costs()[1:]] == [("1233", "1.00"), ("1833", "1.48")]


COST = Cost(40, 1_233.0, 1_833.4, 1.482)


def test_every_upload_has_a_party_of_its_own() -> None:
    assert parties(100) - parties(99) == 3 * (2 + 5 * 2)
