"""Keys of service accounts."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

__all__ = ["new_key", "public_key"]


@cache
def new_key() -> str:
    """Return a private key in PEM form, the same within a process: making one takes long."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


@cache
def public_key(private_pem: str) -> rsa.RSAPublicKey:
    """Return the public half of a key; raise `ValueError`."""
    key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("The service account's key is not an RSA key.")  # noqa: TRY004 - a value
    return key.public_key()
