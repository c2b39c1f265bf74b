"""What a process remembers of one object."""

from merit.reconciler.memory import REPLICA_WINDOW, ReplicaLog


def test_replicas_are_a_mean_over_half_an_hour_and_forget_what_is_older():
    log = ReplicaLog()
    log.note({"a": 2}, 0.0)
    assert log.means(0.0) == {"a": 2.0}
    log.note({"a": 4}, 900.0)
    assert log.means(1800.0) == {"a": 3.0}
    log.note({"a": 4, "b": 1}, 900.0 + REPLICA_WINDOW)
    assert log.means(900.0 + REPLICA_WINDOW) == {"a": 4.0, "b": 1.0}
    log.note({"b": 1}, 4000.0)
    assert log.means(4000.0) == {"b": 1.0}
