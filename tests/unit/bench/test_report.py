"""What the benchmark says follows from what it measured."""

import json
import os

from bench.cpu import spent
from bench.latency import Latency
from bench.report import Report, aligned, markdown
from bench.rounds import Round


def round_of(arm: str, rate: float, cpu: float = 1.0) -> Round:
    return Round(
        arm=arm, uploads=100, seconds=100 / rate, rate=rate, feed_seconds=0.1, cpu_ms={"worker": cpu, "server": 1.0}
    )


def report() -> Report:
    rounds = [
        *(round_of("ours", 100, 1.0), round_of("theirs", 10, 9.0)),
        *(round_of("ours", 50, 2.0), round_of("theirs", 10, 10.0)),
        *(round_of("ours", 10, 3.0), round_of("theirs", 2.5, 11.0)),
    ]
    return Report({"when": "now"}, rounds, [Latency("RabbitMQ", 10, 1.0, 2.0, 3.0, 4.0)])


def test_the_ratio_is_the_median_of_what_each_round_says() -> None:
    assert report().ratios() == {"theirs": 5.0}


def test_cpu_is_the_median_per_process() -> None:
    assert report().cpu_ms("ours") == {"worker": 2.0, "server": 1.0}


def test_the_table_shows_speed_ratio_and_cpu_of_each() -> None:
    heading, ours, theirs = report().speeds()
    assert ours == ("ours", "50.0", "10.0", "100.0", "", "3.00", "1.0x")
    assert theirs == ("theirs", "10.0", "2.5", "10.0", "5.0x", "11.00", "3.7x")
    assert len(aligned([heading, ours, theirs]).splitlines()) == 4


def test_the_page_and_the_document_hold_all_of_it() -> None:
    page = markdown(report())
    for cell in ("| theirs | 10.0 |", "| RabbitMQ | 1.0 | 2.0 | 3.0 | 4.0 |", "| ours | worker | 2.000 |", "when: now"):
        assert cell in page
    document = json.loads(report().json())
    assert document["ratios"] == {"theirs": 5.0}
    assert len(document["rounds"]) == 6


def test_cpu_time_of_a_process_never_shrinks() -> None:
    before = spent({"me": os.getpid()})
    sum(number * number for number in range(200_000))
    assert spent({"me": os.getpid()})["me"] >= before["me"] > 0
