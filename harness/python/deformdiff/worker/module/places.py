"""Where the values of a run show: PATH:in and PATH:out of submodules' calls, %N of all others (harness/core/WIRE.md).

A call is what lies between nodes that name its submodule. What it is given comes from outside and is no parameter;
what it returns is used outside.
"""

from collections import Counter


class Places:
    """`before[i]` and `after[i]`: what shows before node i runs, and once it has: lists of (name, Value)."""

    def __init__(self, graph):
        self._shown = {}
        self._calls = _calls_of(graph)
        counts = Counter(path for path, *_ in self._calls)
        turns = Counter()
        named = set()
        opening, closing = {}, {}
        for path, first, last in self._calls:
            name = path if counts[path] == 1 else f"{path}#{turns[path]}"
            turns[path] += 1
            taken, left = _border(graph, first, last)
            opening.setdefault(first, []).append((name, taken))
            closing.setdefault(last, []).insert(0, (name, left))
            named.update(taken, left)
        number = 0
        self.before, self.after = {}, {}
        for i, node in enumerate(graph.nodes):
            self.before[i] = [
                (f"{name}:in{k or ''}", value) for name, taken in opening.get(i, []) for k, value in enumerate(taken)
            ]
            shown = []
            for value in node.outputs:
                if value not in named:
                    shown.append((f"%{number}", value))
                number += 1
            for name, left in closing.get(i, []):
                shown += [(f"{name}:out{k or ''}", value) for k, value in enumerate(left)]
            self.after[i] = shown


def _calls_of(graph):
    """(path, its first node, its last node), the outermost first. Nodes without a place are where their neighbours are."""
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
    return taken, left
