"""How a function of each kind is called with a case's arrays."""

from deformdiff.adapter import AdapterError
from deformdiff.worker.blocks import BACKWARD, OPAQUE, OPERATOR, output_names

_PARAMETER = "param."
_OPERATOR = ("value", "spatial_shapes", "level_start_index", "sampling_loc", "attn_weight")
_BACKWARD = (*_OPERATOR, "grad_output")


def call(served, given, attributes, taps):
    """What it returns. `given`: the case's inputs by name; `taps`: takes (name, value) of stages, or None."""
    if served.block == OPAQUE:
        return served.run(list(given.values()), taps)
    if served.autograd:
        return _through_autograd(served, given, attributes)
    if served.block in (OPERATOR, BACKWARD):
        # By their names: a case may hold them in any order.
        names = _OPERATOR if served.block == OPERATOR else _BACKWARD
        arguments = [*(given[name] for name in names), int(attributes["im2col_step"])]
        return served.subject.function(*arguments[: served.arguments])
    inputs = {name: value for name, value in given.items() if not name.startswith(_PARAMETER)}
    parameters = {name[len(_PARAMETER) :]: value for name, value in given.items() if name.startswith(_PARAMETER)}
    if served.subject.layout is None:
        return served.subject.function(inputs, parameters, dict(attributes))
    return _through_module(served, inputs, parameters, dict(attributes), taps)


def _through_autograd(served, given, attributes):
    import torch

    value, shapes, starts, locations, weights, grad_output = (given[name] for name in _BACKWARD)
    leaves = [tensor.detach().requires_grad_() for tensor in (value, locations, weights)]
    arguments = [leaves[0], shapes, starts, leaves[1], leaves[2], int(attributes["im2col_step"])]
    with torch.enable_grad():
        output = served.subject.function(*arguments[: served.arguments])
        gradients = torch.autograd.grad(output, leaves, grad_output, allow_unused=True)
    return tuple(torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in zip(leaves, gradients))


def _through_module(served, inputs, parameters, attributes, taps):
    made = served.subject.function(attributes, parameters)
    module, run = made if isinstance(made, tuple) else (made, _forward)
    dtype = next(iter(parameters.values())).dtype if parameters else None
    module = module.to(dtype=dtype).eval()
    lacking, surplus = module.load_state_dict(parameters, strict=False)
    own = {name for name, _ in module.named_parameters()}
    lacking = sorted(own.intersection(lacking))
    if lacking or surplus:
        raise AdapterError(
            f"the module's parameters are not those of {served.block}: "
            f"the block has no {', '.join(lacking) or '-'}; the module has no {', '.join(sorted(surplus)) or '-'}"
        )
    hooks = _hook(module, taps) if taps is not None else []
    try:
        returned = run(module, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    names = output_names(served.block, attributes)
    if isinstance(returned, tuple):
        return returned[: len(names)]  # frameworks return more than a block has
    if hasattr(returned, "keys") or not all(hasattr(returned, name) for name in names):
        return returned
    return {name: getattr(returned, name) for name in names}


def _forward(module, inputs):
    return module(**inputs)


def _hook(module, taps):
    def shows(name):
        def show(_module, _arguments, result):
            taps(name, result[0] if isinstance(result, (tuple, list)) else result)

        return show

    return [part.register_forward_hook(shows(name)) for name, part in module.named_modules() if name]
