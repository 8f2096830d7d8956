# SPDX-License-Identifier: Apache-2.0
"""One CA and one serving certificate for everything on 127.0.0.1, a key that signs service account tokens, token users."""
import base64
import pathlib
import secrets
import shutil
import subprocess

import yaml

ADMIN = "admin"


def openssl(where, *argv):
    try:
        subprocess.run(["openssl", *argv], cwd=where, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise RuntimeError("the testbed makes its certificates with `openssl`, which is not on PATH (Debian: apt-get install openssl)") from None
    except subprocess.CalledProcessError as e:
        raise RuntimeError(f"openssl {' '.join(argv)}: {e.stderr}") from None


class Pki:
    """Files under one directory: ca.crt, tls.crt, tls.key, sa.key, tokens.csv; etc/ is what Kueue sees as /etc."""

    def __init__(self, where, users):
        self.dir = pathlib.Path(where)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.make_certificates()
        self.make_etc()
        self.tokens = {name: secrets.token_hex(16) for name in (ADMIN, *users)}
        groups = {ADMIN: "system:masters"}
        rows = [f'{t},{n},{n},"{groups.get(n, "testbed")}"' for n, t in self.tokens.items()]
        self["tokens.csv"].write_text("\n".join(rows) + "\n")
        self["tokens.csv"].chmod(0o600)

    def __getitem__(self, name):
        return self.dir / name

    def make_certificates(self):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl(self.dir, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=testbed", "-days", "30")
        self["ext"].write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl(self.dir, "req", *curve, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=127.0.0.1")
        openssl(self.dir, "x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tls.crt", "-days", "30",
                "-extfile", "ext")
        openssl(self.dir, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key")

    def make_etc(self):
        certs = self.dir / "etc" / "kueue" / "metrics" / "certs"
        certs.mkdir(parents=True, exist_ok=True)
        for name in ("tls.crt", "tls.key"):
            shutil.copy(self[name], certs / name)
        for name in ("hosts", "nsswitch.conf", "passwd", "group", "resolv.conf"):
            if pathlib.Path("/etc", name).exists():
                shutil.copy(pathlib.Path("/etc", name), self.dir / "etc" / name)

    def ca_base64(self):
        return base64.b64encode(self["ca.crt"].read_bytes()).decode()

    def kubeconfig(self, path, cluster, server, token, user=ADMIN):
        """Writes a kubeconfig file whose user has the token; returns its path."""
        path = pathlib.Path(path)
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": cluster,
            "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": self.ca_base64()}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}]}))
        return path
