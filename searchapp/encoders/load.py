"""From a name to an encoder."""

from searchapp.encoders.base import Encoder
from searchapp.encoders.catalog import DEFAULT, check_packaged
from searchapp.encoders.folder import find_folder, fingerprint, hash_files
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.runtimes import choose_runtime


def load_encoder(name: str | None = None, options: EncoderOptions = EncoderOptions()) -> Encoder:
    """Load a model by its folder, its name in the catalog, or its hub name; the packaged one where none is named.

    What it is, and which prompts it applies, is in the encoder's `card`. Raises ModelError where the model can't be
    had or loaded, MissingExtraError naming the line to type where a library is missing, UsageError for options that
    make no sense.

    >>> encoder = load_encoder("minilm")
    >>> encoder.card.dim, encoder.card.pooling, encoder.card.prompts.source
    (384, 'mean+normalize', 'none')
    >>> encoder.encode_documents(["red bag", "blue bag"]).shape
    (2, 384)
    """
    name = DEFAULT if name is None else name
    source = find_folder(name, revision=options.revision)
    runtime = choose_runtime(source, options)
    hashes = hash_files(source.path)
    if source.packaged:
        check_packaged(name, hashes)
    return runtime.load(source, fingerprint(hashes), options=options)
