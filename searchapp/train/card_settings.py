"""What a model card tells of loss and trainer, taken from their own objects without importing them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, TypeAlias

Settings: TypeAlias = Mapping[str, object]

_UNTOLD = frozenset(
    {
        *("output_dir", "logging_dir", "run_name", "report_to", "hub_token", "push_to_hub_token", "hub_model_id"),
        *("logging_strategy", "logging_first_step", "logging_steps", "evaluation_strategy", "eval_strategy"),
        *("eval_steps", "eval_delay", "save_strategy", "save_steps", "save_total_limit", "metric_for_best_model"),
        *("greater_is_better", "samples_per_label", "show_progress_bar", "do_train", "do_eval", "do_test"),
    }
)
"""Arguments that say nothing of the model; those that sentence-transformers' cards leave out too."""


def describe_losses(loss: Any) -> tuple[tuple[str, Settings], ...]:
    """Return the name and the parameters of a sentence-transformers loss, then of the loss within it, and so on."""
    parameters = dict(loss.get_config_dict())
    # Only one that tells of another is made around it; the cached loss keeps one that is no part of what it computes.
    within = describe_losses(loss.loss) if "loss" in parameters else ()
    return ((type(loss).__name__, parameters), *within)


def describe_arguments(arguments: Any, defaults: Any) -> tuple[Settings, Settings]:
    """Return all of a trainer's arguments that say something of the model, and those that aren't the `defaults`'."""
    told = {name: value for name, value in arguments.to_dict().items() if name not in _UNTOLD and not _is_path(value)}
    usual = defaults.to_dict()
    return told, {name: value for name, value in told.items() if name not in usual or usual[name] != value}


def loss_lines(losses: Sequence[tuple[str, Settings]]) -> Iterator[str]:
    """Yield the card's account of the losses, the outermost first, parameters as JSON."""
    for place, (name, parameters) in enumerate(losses):
        lead = "Loss" if place == 0 else "Within it"
        yield f"* {lead}: <code>{name}</code> with these parameters:"
        body = json.dumps(dict(parameters), indent=4, ensure_ascii=False, default=str)
        yield "\n".join(f"  {line}" for line in ("```json", *body.split("\n"), "```"))


def setting_lines(settings: Settings) -> Iterator[str]:
    """Yield a bullet for each setting."""
    return (f"- `{name}`: {_flat(value)}" for name, value in settings.items())


def _flat(value: object) -> str:
    return " ".join(str(value).split()) if value != "" else '""'


def _is_path(value: object) -> bool:
    return isinstance(value, str) and PurePath(value).is_absolute()
