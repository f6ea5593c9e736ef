"""`searchapp upsert`: documents for an index that stands, in place of those with the same ids."""

from searchapp.cli import options
from searchapp.cli.add import CorpusPath, Folder, ModelPlace, Restart, Template, grow
from searchapp.cli.console import guarded


@guarded
def upsert(
    folder: Folder,
    corpus: CorpusPath,
    text: Template = None,
    id_column: options.Id = None,
    store: options.Store = None,
    reader: options.Format = "auto",
    on_bad_row: options.OnBadRow = "error",
    locale: options.Locale = None,
    version: options.Version = None,
    model: ModelPlace = None,
    device: options.Device = None,
    dtype: options.DType = "auto",
    runtime: options.Runtime = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    restart: Restart = False,
    as_json: options.Json = False,
) -> None:
    """Add the documents of a corpus to an index, in place of those with the same ids.

    Documents that the index has with the same text and fields are left alone and not embedded. All of it happens in one
    step, as with add; give the --id and --store the index was made with.

    Examples:

        searchapp upsert indexes/shop products-today.jsonl

        searchapp upsert indexes/shop products-today.csv --id sku --json
    """
    from searchapp.cli.assemble import EncoderOptions, ReadTexts

    typed = ReadTexts(reader, text, id_column, store, on_bad_row, locale, version)
    wanted = EncoderOptions(device=device, dtype=dtype, trust_remote_code=trust_remote_code, runtime=runtime)
    grow("upsert", folder, corpus, typed=typed, model=(model, wanted), restart=restart, as_json=as_json)
