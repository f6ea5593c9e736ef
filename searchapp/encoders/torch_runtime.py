"""The door to encoders that run in PyTorch: on one device, or on several by a process each."""

from searchapp.encoders.base import Encoder
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.torch_device import choose_devices, choose_dtype
from searchapp.encoders.torch_load import load_on
from searchapp.encoders.torch_pool import PooledEncoder
from searchapp.optional import require


def load_torch(source: ModelFolder, fingerprint: str, *, options: EncoderOptions) -> Encoder:
    """Load a model from its folder in float32 on the CPU, whatever it is stored in, or as asked for on GPUs.

    Raises ModelError where the model or the device can't be had, UsageError for options that make no sense,
    MissingExtraError where the libraries are not installed.
    """
    require("sentence_transformers", extra="models")
    devices = choose_devices(options.device)
    dtype = choose_dtype(options.dtype, devices)
    if len(devices) == 1:
        return load_on(devices[0], dtype, source=source, fingerprint=fingerprint, options=options)
    return PooledEncoder(devices, dtype, source=source, fingerprint=fingerprint, options=options)
