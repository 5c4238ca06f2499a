/*
 * dev_certificate.h - the certificate of `postroad dev`, and the authority that vouches for it.
 */
#ifndef CMD_DEV_CERTIFICATE_H
#define CMD_DEV_CERTIFICATE_H

#include "base/disk.h"

/* In the folder: the authority, for programs to trust; the server's certificate and its key. */
#define DEV_CA_FILE          "ca.pem"
#define DEV_CERTIFICATE_FILE "tls.pem"
#define DEV_KEY_FILE         "tls.key"

enum dev_certificate { DEV_CERTIFICATE_KEPT, DEV_CERTIFICATE_MADE, DEV_CERTIFICATE_FAILED };

/* Of localhost, 127.0.0.1 and ::1. What is there and holds for another month is kept, so that who
 * trusts it need not be told again. A failure is told. */
enum dev_certificate dev_certificate_see_to(struct disk_dir *dir);

#endif
