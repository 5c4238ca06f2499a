"""A provider of tokens (OAuth 2.0) over HTTPS, in a thread: a page where somebody says yes, and a URL
where codes and refresh tokens become access tokens. Each refresh token is good once; one that comes
again is taken for stolen, and ends the grant, as strict providers do."""
import base64
import hashlib
import http.server
import json
import ssl
import threading
import urllib.parse


class Provider:
    CLIENT, SECRET = "postroad-test", "s3cret & more"

    def __init__(self, chain, key, port=0, address="127.0.0.1"):
        self.life_s = 3600
        self.rotates = True
        self.says = None  # (status, dict): instead of a token
        self.refuses_at_page = None  # an error
        self.grants, self.codes, self.access = {}, {}, {}
        self.refreshes, self.requests, self.made = 0, [], 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.page(self)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
                form = {name: value[0] for name, value in urllib.parse.parse_qs(body).items()}
                if self.path == "/introspect":
                    outer.answer(self, *outer.whose(form["token"]))
                    return
                outer.requests.append(form)
                outer.answer(self, *outer.token(form))

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def page(self, handler):
        """Who opens it says yes."""
        url = urllib.parse.urlparse(handler.path)
        ask = {name: value[0] for name, value in urllib.parse.parse_qs(url.query).items()}
        assert ask["response_type"] == "code" and ask["code_challenge_method"] == "S256"
        back = {"state": ask["state"]}
        if self.refuses_at_page:
            back["error"] = self.refuses_at_page
            back["error_description"] = "the person said \x1b[31mno"
        else:
            back["code"] = f"4/{len(self.codes)}&x"
            self.codes[back["code"]] = ask
        handler.send_response(302)
        handler.send_header("Location", ask["redirect_uri"] + "?" + urllib.parse.urlencode(back))
        handler.end_headers()

    @staticmethod
    def answer(handler, status, fields):
        body = json.dumps(fields).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json;charset=UTF-8")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def token(self, form):
        if self.says:
            return self.says
        if form.get("client_id") != self.CLIENT or form.get("client_secret") != self.SECRET:
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "authorization_code":
            ask = self.codes.pop(form["code"], None)
            proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
            if not ask or proof.rstrip(b"=").decode() != ask["code_challenge"] or \
                    form["redirect_uri"] != ask["redirect_uri"]:
                return 400, {"error": "invalid_grant", "error_description": "bad code"}
            return self.give(ask["login_hint"])
        if form["grant_type"] == "refresh_token":
            self.refreshes += 1
            user = self.grants.get(form["refresh_token"])
            if user is None:
                self.revoke()
                return 400, {"error": "invalid_grant",
                             "error_description": "Token has been expired or revoked."}
            return self.give(user, form["refresh_token"])
        return 400, {"error": "unsupported_grant_type"}

    def whose(self, token):
        user = self.access.get(token)
        return 200, {"active": True, "username": user} if user else {"active": False}

    def give(self, user, refresh=None):
        self.made += 1
        access = f"access-{self.made}"
        self.access[access] = user
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.life_s}
        if refresh is None or self.rotates:
            if refresh:
                self.grants[refresh] = None
            answer["refresh_token"] = f"1//refresh-{self.made}"
            self.grants[answer["refresh_token"]] = user
        return 200, answer

    def revoke(self):
        """Nothing that was given is good any more."""
        self.grants, self.access = {}, {}
