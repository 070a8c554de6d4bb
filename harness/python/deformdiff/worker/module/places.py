"""Where the values of a run show: PATH:in and PATH:out of submodules' calls, %N of all others (harness/core/WIRE.md).

A call is what lies between nodes that name its submodule. What it is given comes from outside and is no parameter;
what it returns is used outside.
"""

from collections import Counter


class Places:
    def __init__(self, graph):
        calls = _calls_of(graph)
        counts = Counter(path for path, *_ in calls)
        turns = Counter()
        named = set()
        self._opening, self._closing = {}, {}
        for path, first, last in calls:
            name = path if counts[path] == 1 else f"{path}#{turns[path]}"
            turns[path] += 1
            taken, left = _border(graph, first, last)
            self._opening.setdefault(first, []).append((f"{name}:in", taken))
            self._closing.setdefault(last, []).insert(0, (f"{name}:out", left))
            named.update(taken, left)
        self._constants, self._others, number = _constants_of(graph), {}, 0
        for i, node in enumerate(graph.nodes):
            self._others[i] = []
            for value in node.outputs:
                if value not in named:
                    self._others[i].append((f"%{number}", value))
                number += 1

    def show_before(self, i, value_of, show):
        """What node i is run for. `value_of` gives a Value's tensor, or None; `show` takes a name and a tensor."""
        for name, value in self._constants.get(i, []):
            tensor = value_of(value)
            if is_number(tensor):
                show(name, tensor)
        self._show(self._opening.get(i, []), value_of, show)

    def show_after(self, i, value_of, show):
        """What node i has made, and what the calls return that end with it."""
        for name, value in self._others[i]:
            tensor = value_of(value)
            if is_number(tensor):
                show(name, tensor)
        self._show(self._closing.get(i, []), value_of, show)

    @staticmethod
    def _show(borders, value_of, show):
        for name, values in borders:
            tensors = [tensor for tensor in map(value_of, values) if is_number(tensor)]
            for k, tensor in enumerate(tensors):
                show(f"{name}{k or ''}", tensor)


def is_number(tensor):
    """Floating or boolean: whole numbers on the way are seldom a stage."""
    kind = str(getattr(tensor, "dtype", ""))
    return "float" in kind or "bool" in kind


def _constants_of(graph):
    """What the graph holds in place of a result shows where it is first used."""
    places = {id(node): i for i, node in enumerate(graph.nodes)}
    found = {}
    for number, value in enumerate(graph.constants):
        users = [places[id(user)] for user, _ in value.users]
        if users and value.constant.size > 1:
            found.setdefault(min(users), []).append((f"%constant{number}", value))
    return found


def _calls_of(graph):
    """(path, its first node, its last node), the outermost first. Nodes without a place lie with those about them."""
    open_calls, found = [], []
    last_placed = -1
    for i, node in enumerate(graph.nodes):
        if node.calls is None:
            continue
        same = 0
        while same < min(len(open_calls), len(node.calls)) and open_calls[same][0] == node.calls[same]:
            same += 1
        for _, call in open_calls[same:]:
            call[2] = last_placed
        del open_calls[same:]
        for path_and_key in node.calls[same:]:
            call = [path_and_key[0], i, i]
            found.append(call)
            open_calls.append((path_and_key, call))
        last_placed = i
    for _, call in open_calls:
        call[2] = last_placed
    return [tuple(call) for call in found]


def _border(graph, first, last):
    inside = {id(node) for node in graph.nodes[first : last + 1]}
    returned = {id(value) for value in graph.outputs}
    taken, left = [], []
    for node in graph.nodes[first : last + 1]:
        for value in node.given():
            outside = value.role == "input" or (value.producer is not None and id(value.producer) not in inside)
            if outside and not value.integer and value not in taken:
                taken.append(value)
        for value in node.outputs:
            used = any(id(user) not in inside for user, _ in value.users)
            if (used or id(value) in returned) and not value.integer:
                left.append(value)
    # What a module is for is computed last, whatever else it returns.
    return taken, left[::-1]
