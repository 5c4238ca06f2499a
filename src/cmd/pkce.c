/*
 * pkce.c - the page is shown a hash of what the token URL is told.
 */
#include "cmd/pkce.h"

#include "base/codec.h"

#include <assert.h>
#include <openssl/evp.h>

bool pkce_challenge(struct buf *out, struct slice verifier)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int done = EVP_Digest(verifier.data, verifier.len, hash, &len, EVP_sha256(), NULL);

    assert(done == 1); /* fails only when the library is not itself */
    return base64url_encode(out, (struct slice){(const char *)hash, len});
}
