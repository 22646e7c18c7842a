/* What both sides of the HTTP interface know about its cookie: DIR/cookie, shown as `Authorization: Bearer TOKEN`.
 * A header that browsers never add by themselves, so no foreign page can ride on it. */
#ifndef GRANARY_COMMON_HTTP_COOKIE_H
#define GRANARY_COMMON_HTTP_COOKIE_H

#define HTTP_COOKIE_FILE "cookie"
#define HTTP_COOKIE_TEXT 65 /* 32 random bytes in hex and a NUL */
#define HTTP_COOKIE_SCHEME "Bearer "

#endif
