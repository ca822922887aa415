/* The C interface between the library and a backend in a shared object (docs/design/0014-torch-plugin.md).
 *
 * Plain data and integer statuses only: no exception, no standard-library type and no memory ownership crosses it, so
 * that a plugin may be built by another compiler, with another C++ runtime, against another version of its library.
 * A change of a struct or a function here needs a new FRUGAL_PLUGIN_ABI; a host refuses a plugin with another one.
 *
 * A plugin exports one symbol, frugal_plugin_query. A context is used by one thread at a time. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRUGAL_PLUGIN_ABI 5u
#define FRUGAL_PLUGIN_SYMBOL "frugal_plugin_query"

typedef struct frugal_context frugal_context;

/* Status of a call; frugal_plugin.error_text describes the failure. */
enum { FRUGAL_OK = 0, FRUGAL_FAILED = 1, FRUGAL_NO_DEVICE = 2, FRUGAL_OUT_OF_MEMORY = 3, FRUGAL_UNSUPPORTED = 4 };

/* Type of weights and of the products with them; activations are always fp32. */
enum { FRUGAL_FP32 = 0, FRUGAL_BF16 = 1, FRUGAL_FP16 = 2 };

/* The values of Activation, NormKind and Pooling (compute/tensor/activation.h), in their order. */
enum { FRUGAL_NONE, FRUGAL_GELU, FRUGAL_GELU_TANH, FRUGAL_SILU, FRUGAL_RELU, FRUGAL_TANH, FRUGAL_QUICK_GELU };
enum { FRUGAL_LAYER_NORM, FRUGAL_RMS_NORM };
enum { FRUGAL_POOL_MEAN, FRUGAL_POOL_CLS, FRUGAL_POOL_LAST };

/* A row-major fp32 matrix in the context's memory; rows are `row_stride` floats apart. data 0: absent. */
typedef struct frugal_matrix {
  float* data;
  int64_t rows;
  int64_t cols;
  int64_t row_stride;
} frugal_matrix;

/* fp32 values in the host's memory, read before the call returns. data 0: absent. */
typedef struct frugal_vector {
  const float* data;
  int64_t count;
} frugal_vector;

/* AttentionSpan of ops.h. */
typedef struct frugal_span {
  int64_t q_begin, q_tokens, kv_begin, kv_tokens;
} frugal_span;

/* AttentionSpec of ops.h. */
typedef struct frugal_attention {
  int64_t num_heads, num_kv_heads, head_dim;
  float scale;
  int32_t causal;
  int64_t window;              /* 0: none */
  frugal_vector relative_bias; /* [num_heads, an odd number of distances], or absent */
  float soft_cap;              /* 0: none */
} frugal_attention;

typedef struct frugal_open {
  const char* device; /* "cpu", "cuda" or "cuda:N" */
  int32_t precision;  /* FRUGAL_FP32 … */
  int32_t threads;    /* on the host */
} frugal_open;

typedef struct frugal_device {
  char name[128];    /* "cpu", "NVIDIA H100" */
  char library[128]; /* "libtorch 1.13.1" */
  int32_t is_host;   /* 1: the context computes in the host's memory, which the host allocates */
} frugal_device;

/* Bytes of a device's memory; -1: not known, as always on the host. */
typedef struct frugal_memory {
  int64_t used_bytes;     /* held by live matrices and weights */
  int64_t reserved_bytes; /* taken from the device, caches included */
  int64_t peak_bytes;     /* peak of used_bytes since the last reset */
  int64_t free_bytes;
  int64_t total_bytes;
} frugal_memory;

typedef struct frugal_plugin {
  uint32_t abi;   /* FRUGAL_PLUGIN_ABI of the plugin's build */
  uint32_t bytes; /* sizeof(frugal_plugin) of the plugin's build */
  const char* name;

  /* Text of this thread's last failure, in any context. */
  const char* (*error_text)(void); /* NOLINT(modernize-redundant-void-arg): C reads this too */

  int32_t (*open)(const frugal_open* how, frugal_context** context);
  void (*close)(frugal_context* context);
  int32_t (*device)(frugal_context* context, frugal_device* device);

  /* The context's memory. allocate and release are not called if is_host. */
  int32_t (*allocate)(frugal_context* context, uint64_t bytes, void** data);
  void (*release)(frugal_context* context, void* data);
  int32_t (*upload)(frugal_context* context, frugal_vector from, frugal_matrix to);
  int32_t (*download)(frugal_context* context, frugal_matrix from, float* to);
  int32_t (*memory)(frugal_context* context, frugal_memory* memory);
  int32_t (*drop_caches)(frugal_context* context);
  int32_t (*reset_peak)(frugal_context* context);

  /* A weight [outputs, inputs] is made empty and filled with rows of fp32. The number of a released weight may be
   * reused. */
  int32_t (*make_weight)(frugal_context* context, int64_t outputs, int64_t inputs, int64_t* weight);
  int32_t (*fill_weight)(frugal_context* context, int64_t weight, int64_t first_row, frugal_vector rows);
  void (*release_weight)(frugal_context* context, int64_t weight);

  /* The operations of ops.h. */
  int32_t (*embed)(frugal_context* context, int64_t weight, const int32_t* ids, int64_t count, frugal_matrix out);
  int32_t (*linear)(frugal_context* context, int64_t weight, frugal_vector bias, int32_t activation, frugal_matrix x,
                    frugal_matrix residual, frugal_matrix out);
  int32_t (*norm)(frugal_context* context, int32_t kind, frugal_vector gamma, frugal_vector beta, float epsilon,
                  frugal_matrix x, frugal_matrix out);
  /* cosine, sine: [rows of x, rotary_dim / 2], the table's rows at the positions of x's rows. */
  int32_t (*rope)(frugal_context* context, frugal_vector cosine, frugal_vector sine, int64_t rotary_dim,
                  int32_t interleaved, int64_t heads, int64_t head_dim, frugal_matrix x);
  int32_t (*attention)(frugal_context* context, const frugal_attention* spec, const frugal_span* spans, int64_t count,
                       frugal_matrix q, frugal_matrix k, frugal_matrix v, frugal_matrix out);
  int32_t (*activate)(frugal_context* context, int32_t activation, frugal_matrix x, frugal_matrix out);
  int32_t (*activate_gated)(frugal_context* context, int32_t activation, frugal_matrix gate, frugal_matrix up,
                            frugal_matrix out);
  int32_t (*add)(frugal_context* context, frugal_matrix a, frugal_matrix b, frugal_matrix out);
  int32_t (*scale)(frugal_context* context, float factor, frugal_matrix x);
  int32_t (*pool)(frugal_context* context, int32_t kind, const frugal_span* spans, int64_t count, frugal_matrix x,
                  frugal_matrix out);
  int32_t (*normalize_rows)(frugal_context* context, frugal_matrix x);
  /* Within the context's memory. */
  int32_t (*copy)(frugal_context* context, frugal_matrix from, frugal_matrix to);

  /* Thin singular value decomposition a = u · diag(s) · vᵀ, all in the host's memory, row-major: a [rows, cols],
   * u [rows, k], s [k] descending, vt [k, cols], k = min(rows, cols). */
  int32_t (*svd)(frugal_context* context, const float* a, int64_t rows, int64_t cols, float* u, float* s, float* vt);
} frugal_plugin;

/* Returns the plugin's functions, which live as long as the shared object; 0, with an error text, if the plugin does
 * not support `host_abi`. */
typedef const frugal_plugin* (*frugal_plugin_query_fn)(uint32_t host_abi);

#ifdef __cplusplus
}
#endif
