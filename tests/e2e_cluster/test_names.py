"""What follows from a cluster's number."""

import pytest

from e2e.cluster.names import Names
from e2e.cluster.paths import ClusterError


def test_two_clusters_share_no_address_name_or_directory() -> None:
    def every(n: int) -> set[str]:
        found = {field: str(getattr(Names(n), field)) for field in dir(Names) if field[0] != "_"}
        return {value for field, value in found.items() if field != "n"}

    assert not every(1) & every(2)


def test_the_node_its_host_and_the_api_service_have_fixed_places_in_their_ranges() -> None:
    names = Names(7)
    assert (names.host_address, names.node_address) == ("10.251.7.1", "10.251.7.2")
    assert (names.pods, names.services) == ("10.250.7.0/24", "10.252.7.0/24")
    assert names.service_address == "10.252.7.1"
    assert names.server == "https://10.251.7.2:6443"


def test_an_interface_name_fits_into_the_fifteen_characters_of_the_kernel() -> None:
    assert len(Names(254).mark) <= 15


@pytest.mark.parametrize("n", [0, 255, -1])
def test_a_number_that_makes_no_address_is_refused(n: int) -> None:
    with pytest.raises(ClusterError, match="1 to 254"):
        Names(n)


def test_the_state_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert str(Names(3).kubeconfig) == "/somewhere/merit/cluster3/kubeconfig"
