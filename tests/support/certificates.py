"""Server certificates from a private CA, trusted only by programs that are given its file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme

PAST = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Authority:
    """`ca_file` is its own certificate."""

    ca: trustme.CA
    ca_file: Path

    def certificate(self, host: str = "127.0.0.1", not_after: datetime | None = None) -> Path:
        """The key and the certificates of a server, in one file."""
        path = self.ca_file.with_name(f"{len(list(self.ca_file.parent.iterdir()))}.pem")
        made = self.ca.issue_cert(host, not_after=not_after)
        made.private_key_and_cert_chain_pem.write_to_path(path)
        return path


def authority(folder: Path) -> Authority:
    folder.mkdir()
    made = Authority(trustme.CA(), folder / "ca.pem")
    made.ca.cert_pem.write_to_path(made.ca_file)
    return made
