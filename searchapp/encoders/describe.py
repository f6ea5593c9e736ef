"""What is said about a loaded model, and about one that can't be loaded."""

from collections.abc import Sequence

from searchapp.encoders.folder import ModelFolder, one_line


def describe_pooling(modules: Sequence[object], *, assumed: bool) -> str:
    """Return what a model's modules make of the token vectors, like `mean+normalize`.

    The first makes those vectors, and says nothing of it, unless it takes their mean itself.

    `assumed` is for a folder that doesn't say, where the library takes the mean.
    """
    pooling = modules if type(modules[0]).__name__ == "StaticEmbedding" else modules[1:]
    described = "+".join(_describe(module) for module in pooling) or "none"
    return f"{described} (assumed: no modules.json)" if assumed else described


def explain(source: ModelFolder, error: Exception, *, trusted: bool) -> str:
    """Say why a model could not be loaded, and what to do."""
    config = source.path / "config.json"
    declares_code = config.is_file() and '"auto_map"' in config.read_text(encoding="utf-8", errors="replace")
    if not trusted and (declares_code or any(source.path.rglob("*.py"))):
        return (
            f"{source.name} comes with code of its own, and that is not run unasked; read it in {source.path}, then "
            f"add --trust-remote-code ({one_line(error)})"
        )
    return f"{source.name} can't be loaded ({one_line(error)}); check that {source.path} is whole, or fetch it again"


def _describe(module: object) -> str:
    if type(module).__name__ == "StaticEmbedding":
        return "mean"
    mode = getattr(module, "pooling_mode", None)
    if mode is None:
        return type(module).__name__.lower()
    text = mode if isinstance(mode, str) else ",".join(mode)
    return text if getattr(module, "include_prompt", True) else f"{text} without prompt"
