/* The C interface between the library and frugal_milvus.so (docs/design/0045-milvus.md): rows of vectors in a partition
 * of a Milvus server. What a partition holds and which of its rows count is the library's business (milvus_rows.h).
 *
 * Plain data and integer statuses only: no exception, no standard-library type and no memory ownership crosses it. A
 * change of a struct or a function here needs a new FRUGAL_MILVUS_ABI; a host refuses a plugin with another one. A
 * connection is used by one thread at a time. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRUGAL_MILVUS_ABI 1u
#define FRUGAL_MILVUS_SYMBOL "frugal_milvus_query"

typedef struct frugal_milvus_connection frugal_milvus_connection;

/* Status of a call; error_text of the table describes the failure. */
enum {
  FRUGAL_MILVUS_OK = 0,
  FRUGAL_MILVUS_TIMEOUT = 1,     /* the time is over */
  FRUGAL_MILVUS_AWAY = 2,        /* the server cannot be reached, or is not ready yet */
  FRUGAL_MILVUS_REFUSED = 3,     /* the server refused the call, or its reply is none of the protocol */
  FRUGAL_MILVUS_NO_PARTITION = 4 /* there is no such collection or partition */
};

/* Levels of consistency, with their numbers in the protocol. */
enum { FRUGAL_MILVUS_STRONG = 0, FRUGAL_MILVUS_SESSION = 1, FRUGAL_MILVUS_BOUNDED = 2, FRUGAL_MILVUS_EVENTUALLY = 3 };

typedef struct frugal_milvus_server {
  const char* address;      /* host:port */
  const char* token;        /* user:password or a key; 0: none */
  const char* certificates; /* of authorities, as PEM: the connection is encrypted; 0: it is not */
  uint64_t max_bytes;       /* of a reply */
} frugal_milvus_server;

typedef struct frugal_milvus_place {
  const char* database;   /* empty: the server's default */
  const char* collection; /* created with the first rows */
  const char* partition;
} frugal_milvus_place;

typedef struct frugal_milvus_layout {
  int64_t dimension;
  const char* index_type;       /* of Milvus: FLAT, IVF_FLAT, HNSW */
  const char* index_parameters; /* JSON */
} frugal_milvus_layout;

/* Rows, field by field. */
typedef struct frugal_milvus_rows {
  const int64_t* ids;
  const float* vectors; /* [count][dimension] */
  const float* scales;
  const int64_t* checksums;
  uint64_t count;
  int64_t dimension;
} frugal_milvus_rows;

typedef struct frugal_milvus_view {
  int32_t consistency;
  uint64_t stamp; /* FRUGAL_MILVUS_SESSION: what was inserted up to this stamp is seen */
} frugal_milvus_view;

typedef struct frugal_milvus_search {
  const float* query; /* [dimension] */
  int64_t dimension;
  int64_t limit;
  const char* filter;     /* an expression */
  const char* parameters; /* JSON, as the type of the index takes them */
} frugal_milvus_search;

/* Valid until the next call on the connection. */
typedef struct frugal_milvus_hits {
  const int64_t* ids;
  const float* scores;
  const float* scales; /* of the rows */
  uint64_t count;
} frugal_milvus_hits;

typedef struct frugal_milvus_names {
  const char* const* names;
  uint64_t count;
} frugal_milvus_names;

typedef struct frugal_milvus_table {
  uint32_t abi;   /* FRUGAL_MILVUS_ABI of the plugin's build */
  uint32_t bytes; /* sizeof(frugal_milvus_table) of the plugin's build */

  /* Text of this thread's last failure. */
  const char* (*error_text)(void); /* NOLINT(modernize-redundant-void-arg): C reads this too */

  /* Keeps what it needs of `server`. Nothing is sent before the first call. */
  int32_t (*connect)(const frugal_milvus_server* server, frugal_milvus_connection** connection);
  /* Creates what is missing of database, collection, index and partition, and has them loaded. */
  int32_t (*prepare)(frugal_milvus_connection* connection, const frugal_milvus_place* place,
                     const frugal_milvus_layout* layout, int32_t timeout_ms);
  /* stamp: of these rows; 0 if the server has none. */
  int32_t (*insert)(frugal_milvus_connection* connection, const frugal_milvus_place* place,
                    const frugal_milvus_rows* rows, int32_t timeout_ms, uint64_t* stamp);
  /* The rows of greatest inner product, best first. */
  int32_t (*search)(frugal_milvus_connection* connection, const frugal_milvus_place* place,
                    const frugal_milvus_view* view, const frugal_milvus_search* search, int32_t timeout_ms,
                    frugal_milvus_hits* hits);
  /* The rows that the expression selects, in any order, with all fields. */
  int32_t (*read)(frugal_milvus_connection* connection, const frugal_milvus_place* place,
                  const frugal_milvus_view* view, const char* filter, int64_t dimension, int32_t timeout_ms,
                  frugal_milvus_rows* rows);
  /* Deletes the rows that the expression selects, as the newest state has them. */
  int32_t (*erase)(frugal_milvus_connection* connection, const frugal_milvus_place* place, const char* filter,
                   int32_t timeout_ms);
  /* The partitions of the collection; none if there is no collection. */
  int32_t (*list)(frugal_milvus_connection* connection, const frugal_milvus_place* place, int32_t timeout_ms,
                  frugal_milvus_names* names);
  int32_t (*drop)(frugal_milvus_connection* connection, const frugal_milvus_place* place, int32_t timeout_ms);
  /* Lets the server store what it has buffered, and index it. */
  int32_t (*flush)(frugal_milvus_connection* connection, const frugal_milvus_place* place, int32_t timeout_ms);
  void (*close)(frugal_milvus_connection* connection);
} frugal_milvus_table;

/* Returns the plugin's functions, which live as long as the process; 0 if it does not support `host_abi`. */
typedef const frugal_milvus_table* (*frugal_milvus_query_fn)(uint32_t host_abi);

#ifdef __cplusplus
}
#endif
