"""Certificates for tests that speak TLS, made by openssl."""
import os
import subprocess


def make_certificate(folder, name="mx", host="mx.example.org"):
    """(PATH, PATH) of a self-signed one and its key, which are valid for two days."""
    chain, key = os.path.join(str(folder), name + ".pem"), os.path.join(str(folder), name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={host}",
                    "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", chain],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return chain, key
