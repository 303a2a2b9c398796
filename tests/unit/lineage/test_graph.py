"""A trace is a graph in which every edge has two ends, walked from its root."""

import pytest

from globolatte_lineage.graph import Edge, Kind, Node, Trace
from globolatte_lineage.page import as_html

PREDICTION, MODEL, STATE, FILE = (
    Node("p", Kind.PREDICTION, "prediction <p>", {"probabilities": {"P1": 0.123456789012}}),
    Node("m", Kind.MODEL, "model version 1"),
    Node("s", Kind.STATE, "state"),
    Node("f", Kind.FILE, "sales/usa/2024/01/31/a.csv", {"rows": [1, 2]}),
)
EDGES = (Edge("p", "was made by", "m"), Edge("p", "was made of", "s"), Edge("s", "counts", "f"), Edge("m", "read", "f"))


def test_everything_is_reached_once_near_the_root_and_against_an_edge_without_its_relation() -> None:
    trace = Trace("p", (PREDICTION, MODEL, STATE, FILE), EDGES)
    assert [(depth, relation, node.id) for depth, relation, node in trace.walk()] == [
        (0, "", "p"),
        (1, "was made by", "m"),
        (2, "read", "f"),
        (1, "was made of", "s"),
    ]
    assert [node.id for _, _, node in Trace("f", trace.nodes, EDGES).walk()] == ["f", "s", "p", "m"]


@pytest.mark.parametrize(
    ("nodes", "edges", "said"),
    [
        ((PREDICTION, PREDICTION), (), "two nodes are called 'p'"),
        ((PREDICTION,), (Edge("p", "was made by", "m"),), "there is no node 'm'"),
        ((MODEL,), (), "there is no node 'p'"),
    ],
)
def test_a_graph_that_is_none_is_refused(nodes: tuple[Node, ...], edges: tuple[Edge, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Trace("p", nodes, edges)


def test_the_page_draws_every_node_and_edge_and_fetches_nothing() -> None:
    page = as_html(Trace("p", (PREDICTION, MODEL, STATE, FILE), EDGES, ("a *note*",)))
    assert page.count("<rect") == 4
    assert page.count("<path") == 4
    assert "prediction &lt;p&gt;" in page
    assert "0.123456789" in page
    assert "a *note*" in page
    assert "<script" not in page
    assert "href=" not in page
    assert "src=" not in page
