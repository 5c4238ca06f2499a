"""Certificates for tests that speak TLS, made by openssl."""
import os
import subprocess


def run(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_authority(folder):
    """The PATH of its certificate; its key lies beside it."""
    path = os.path.join(str(folder), "authority.pem")
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
        "2", "-subj", "/CN=An authority", "-keyout", path + ".key", "-out", path)
    return path


def issue(authority, folder, names, name="mx", subject="x"):
    """(PATH, PATH) of a certificate and its key; `names` as "DNS:mx.example.org,IP:127.0.0.1"."""
    chain, key = os.path.join(str(folder), name + ".pem"), os.path.join(str(folder), name + ".key")
    with open(chain + ".names", "w", encoding="ascii") as file:
        file.write(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
        f"/CN={subject}", "-keyout", key, "-out", chain + ".request")
    run("x509", "-req", "-in", chain + ".request", "-CA", authority, "-CAkey", authority + ".key",
        "-CAcreateserial", "-days", "2", "-extfile", chain + ".names", "-out", chain)
    return chain, key


def make_certificate(folder, name="mx", host="mx.example.org"):
    """(PATH, PATH) of a self-signed one and its key, which are valid for two days."""
    chain, key = os.path.join(str(folder), name + ".pem"), os.path.join(str(folder), name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={host}",
                    "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", chain],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return chain, key
