/* The C interface between the library and frugal_http.so, which exchanges one HTTP request for one answer.
 *
 * Plain data and integer statuses only: no exception, no standard-library type and no memory ownership crosses it, so
 * that the plugin may be built by another compiler, with another C++ runtime, against another version of its library.
 * A change of a struct or a function here needs a new FRUGAL_HTTP_ABI; a host refuses a plugin with another one.
 *
 * A plugin exports one symbol, frugal_http_query. A client is used by one thread at a time, and keeps its connections
 * open for its next exchange. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRUGAL_HTTP_ABI 1u
#define FRUGAL_HTTP_SYMBOL "frugal_http_query"

typedef struct frugal_http_client frugal_http_client;

/* The end of an exchange, in the values and the order of HttpEnd (net/http_client.h). */
enum {
  FRUGAL_HTTP_DONE,          /* a whole answer, whatever its status */
  FRUGAL_HTTP_UNREACHABLE,   /* no connection: no such host, refused, no route, TLS that cannot be verified */
  FRUGAL_HTTP_NOT_CONNECTED, /* no connection within connect_ms */
  FRUGAL_HTTP_NO_BYTE,       /* no byte of an answer within first_byte_ms */
  FRUGAL_HTTP_TOO_LONG,      /* no whole answer within total_ms */
  FRUGAL_HTTP_CUT,           /* the connection ended before the answer did */
  FRUGAL_HTTP_TOO_LARGE,     /* more bytes than max_bytes, or a head of more than 128 KiB */
  FRUGAL_HTTP_NO_HTTP,       /* the answer is no HTTP */
  FRUGAL_HTTP_CANCELLED,     /* the sink wanted no more */
  FRUGAL_HTTP_FAILED         /* a bug, or no memory */
};

typedef struct frugal_http_request {
  const char* method;         /* "GET" or "POST" */
  const char* url;            /* http: or https: */
  const char* const* headers; /* "Name: value" */
  uint64_t header_count;
  const char* body; /* of POST */
  uint64_t body_bytes;
  int64_t connect_ms, first_byte_ms, total_ms; /* from the start of the exchange; above 0 */
  uint64_t max_bytes;                          /* of head and body */
  /* Takes the next bytes of the body, after `answer`'s status and content type have been set. Returns 0 to cancel. */
  int32_t (*sink)(void* state, const char* data, uint64_t bytes);
  void* state;
} frugal_http_request;

typedef struct frugal_http_answer {
  int32_t end;            /* FRUGAL_HTTP_DONE … */
  int32_t status;         /* 200; 0: none came */
  int64_t retry_after_s;  /* of the header Retry-After; -1: none, or a date */
  char content_type[128]; /* cut to fit; "": none */
  char error[256];        /* unless it is done: the words of the library */
} frugal_http_answer;

typedef struct frugal_http_plugin {
  uint32_t abi;   /* FRUGAL_HTTP_ABI of the plugin's build */
  uint32_t bytes; /* sizeof(frugal_http_plugin) of the plugin's build */

  /* A client; 0: no memory. */
  frugal_http_client* (*open)(void); /* NOLINT(modernize-redundant-void-arg): C reads this too */
  void (*close)(frugal_http_client* client);
  /* Follows no redirection, verifies certificates, and uses the proxies that the environment names. */
  void (*exchange)(frugal_http_client* client, const frugal_http_request* request, frugal_http_answer* answer);
} frugal_http_plugin;

/* Returns the plugin's functions, which live as long as the shared object; 0 if it does not support `host_abi`. */
typedef const frugal_http_plugin* (*frugal_http_query_fn)(uint32_t host_abi);

#ifdef __cplusplus
}
#endif
