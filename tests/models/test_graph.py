"""What an ONNX file says of itself, and files that lie or are cut short."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_files import FLOAT, message, model, node, number, photo_model, text_model, value_info

from lookalike.errors import ModelError
from lookalike.models import bundled_names, load_bundled
from lookalike.models.graph import Graph, Tensor, read_graph


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        return read_graph(path)

    return read


def test_inputs_and_outputs_are_read(read):
    graph = read(photo_model(size="side"))
    assert graph.inputs == {"pixel_values": Tensor("float32", (None, 3, None, None))}
    assert graph.outputs == {"pooler_output": Tensor("float32", (None, 3))}
    assert (graph.foreign, graph.external) == (set(), False)
    assert read(text_model()).inputs["input_ids"] == Tensor("int64", (None, None))


@pytest.mark.parametrize("name", bundled_names())
def test_the_bundled_files_are_read(name):
    record = load_bundled(name)
    graph = read_graph((record.photo or record.text).file.path)
    known = {each.shape[-1] for each in graph.outputs.values()}
    assert record.dim in known or {"strongest"} == {part.tower.output_name for part in record.parts}
    assert not graph.foreign and not graph.external


def test_initializers_are_no_inputs(read):
    weights = message(5, message(8, "weights"))
    listed = [value_info(name, FLOAT, (1,)) for name in ("pixel_values", "weights")]
    assert list(read(model(listed, [value_info("out", FLOAT, (1,))], [], weights)).inputs) == ["pixel_values"]


OUTSIDE = message(8, "w") + message(13, message(1, "location") + message(2, "../x"))
INSIDE = message(8, "w") + number(1, 1) + number(2, 1) + message(9, b"\0\0\0\0")
PLACES = {  # onnx.proto: what a graph, an attribute or a model may hold, around a tensor
    "an initializer": ("graph", lambda tensor: message(5, tensor)),
    "values of a sparse initializer": ("graph", lambda tensor: message(15, message(1, tensor))),
    "places of a sparse initializer": ("graph", lambda tensor: message(15, message(2, tensor))),
    "a tensor": ("attribute", lambda tensor: message(5, tensor)),
    "tensors": ("attribute", lambda tensor: message(10, INSIDE) + message(10, tensor)),
    "values of a sparse tensor": ("attribute", lambda tensor: message(22, message(1, tensor))),
    "places of a sparse tensor": ("attribute", lambda tensor: message(22, message(2, tensor))),
    "values of sparse tensors": ("attribute", lambda tensor: message(23, message(1, tensor))),
    "places of sparse tensors": ("attribute", lambda tensor: message(23, message(2, tensor))),
}
AROUND_GRAPHS = {
    "the main graph": lambda graph: message(7, graph),
    "a graph within": lambda graph: in_main(message(5, message(6, graph))),
    "graphs within": lambda graph: in_main(message(5, message(11, b"") + message(11, graph))),
    "a graph within one within": lambda graph: in_main(
        message(5, message(6, message(1, message(5, message(6, graph)))))
    ),
    "a graph within a function": lambda graph: message(25, message(7, message(5, message(6, graph)))),
    "a graph as a default": lambda graph: message(25, message(11, message(6, graph))),
    "the start of a training": lambda graph: message(20, message(1, graph)),
    "the steps of a training": lambda graph: message(20, message(2, graph)),
}
AROUND_ATTRIBUTES = {
    "a node of a function": lambda attribute: message(25, message(7, message(5, attribute))),
    "a default of a function": lambda attribute: message(25, message(11, attribute)),
}


def in_main(attributes):
    return message(7, message(1, node("If", "x", "y", "", attributes)))


def everywhere():
    """Name each way to put a tensor into a model, and give what makes the fields of a model of a tensor."""
    for name, (kind, put) in PLACES.items():
        for outer, around in AROUND_GRAPHS.items():
            if kind == "graph":
                yield pytest.param(lambda t, a=around, p=put: a(p(t)), id=f"{name} of {outer}")
            else:
                inner = lambda t, p=put: message(1, node("Constant", "", "x", "", message(5, p(t))))  # noqa: E731
                yield pytest.param(lambda t, a=around, i=inner: a(i(t)), id=f"{name} in {outer}")
        for outer, around in AROUND_ATTRIBUTES.items() if kind == "attribute" else ():
            yield pytest.param(lambda t, a=around, p=put: a(p(t)), id=f"{name} in {outer}")


@pytest.mark.parametrize("made", list(everywhere()))
def test_weights_in_another_file_are_seen_wherever_a_tensor_can_be(read, made):
    assert read(photo_model() + made(OUTSIDE)).external
    assert read(photo_model() + made(message(8, "w") + number(14, 1))).external
    assert not read(photo_model() + made(INSIDE)).external
    assert not read(photo_model() + made(INSIDE + number(14, 0))).external


@pytest.mark.parametrize("location", [2, 1 << 32 | 1, (1 << 64) - 1])
def test_weights_in_a_place_that_is_not_known_are_in_another_file(read, location):
    assert read(photo_model(extra=message(5, message(8, "w") + number(14, location)))).external


def test_an_operator_that_reads_a_file_has_its_weights_there(read):
    assert read(photo_model(extra=message(1, node("EPContext", "x", "y", "com.microsoft")))).external


def test_a_field_that_other_readers_take_for_another_one_is_refused(read):
    hidden = message(7 | 1 << 29, message(5, OUTSIDE))  # in 32 bits it is the graph
    with pytest.raises(ModelError, match="not in its format"):
        read(photo_model() + hidden)


def test_operators_from_elsewhere_are_seen_in_graphs_within_too(read):
    foreign = node("Evil", "x", "y", "com.evil")
    assert read(photo_model(extra=message(1, foreign))).foreign == {"com.evil:Evil"}
    inner = message(5, message(1, "then_branch") + message(6, message(1, foreign)))
    assert read(photo_model(extra=message(1, node("If", "x", "y", "", inner)))).foreign == {"com.evil:Evil"}
    assert not read(photo_model(extra=message(1, node("QAttention", "x", "y", "com.microsoft")))).foreign


def test_operators_that_the_file_defines_itself_are_fine(read):
    content = photo_model(extra=message(1, node("Gelu", "x", "y", "mine")))
    assert not read(content + message(25, message(1, "Gelu") + message(10, "mine"))).foreign
    foreign = message(
        25, message(1, "Gelu") + message(10, "mine") + message(7, node("Evil", "a", "b", "far"))
    )
    assert read(content + foreign).foreign == {"far:Evil"}


def test_what_is_no_model_is_refused(read, tmp_path):
    for content in (b"not a model", b"\xff" * 40, number(1, 8), b"{}", photo_model()[:-9], b""):
        with pytest.raises(ModelError, match=r"model\.onnx is not an ONNX model that can be read"):
            read(content)
    with pytest.raises(ModelError, match="is not an ONNX model"):
        read_graph(tmp_path / "missing.onnx")


def test_graphs_without_end_are_refused(read):
    content = node("Evil", "x", "y", "com.evil")
    for _ in range(40):
        content = node("If", "x", "y", "", message(5, message(6, message(1, content))))
    with pytest.raises(ModelError, match="too deep"):
        read(photo_model(extra=message(1, content)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_no_bytes_make_it_fail_otherwise(tmp_path_factory, noise, at, value):
    path = tmp_path_factory.getbasetemp() / "noise.onnx"
    spoilt = bytearray(photo_model())
    spoilt[at % len(spoilt)] = value
    for content in (noise, bytes(spoilt)):
        path.write_bytes(content)
        with suppress(ModelError):
            assert isinstance(read_graph(path), Graph)
