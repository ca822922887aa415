// Attention with online softmax (Milakov & Gimelshein 2018): keys are visited in tiles; for every query the running
// maximum, the running sum and the unnormalised output (kept in `out` itself) are corrected as the maximum grows. See
// isa/region.h for the primitives.

// A paragraph that an encoder reads fits one tile, whose keys (24 KiB at 32 dimensions) stay in the first-level cache;
// 128 is 5 % slower on 170 tokens (bench_kernels, Zen 3).
constexpr int64_t kKeyTile = 192;
constexpr int64_t kQueryBlock = 192;  // queries that share a transposed tile of keys
// With fewer queries, transposing the keys costs more than it saves: keys are then dotted one by one.
constexpr int64_t kTransposeFrom = 4;

struct AttentionScratch {
  float* keys;     // [head_dim][kKeyTile]: a tile of keys, transposed
  float* scores;   // [kTileRows][kKeyTile]
  float* highest;  // [kQueryBlock]
  float* sum;      // [kQueryBlock]
  float* widened;  // [kLanes][head_dim]: keys in int8, as floats, on their way to `keys`
};

int64_t attention_scratch_floats(int64_t, int64_t head_dim) {
  return head_dim * kKeyTile + kTileRows * kKeyTile + 2 * kQueryBlock + kLanes * head_dim;
}

FRUGAL_INLINE AttentionScratch lay_out(float* scratch, int64_t head_dim) {
  AttentionScratch s;
  s.keys = scratch;
  s.scores = s.keys + head_dim * kKeyTile;
  s.highest = s.scores + kTileRows * kKeyTile;
  s.sum = s.highest + kQueryBlock;
  s.widened = s.sum + kQueryBlock;
  return s;
}

// Keys that query i may see.
FRUGAL_INLINE int64_t visible_keys(const AttentionHead& h, int64_t i) {
  return h.causal ? min_of(h.kv_tokens, h.kv_tokens - h.q_tokens + i + 1) : h.kv_tokens;
}

struct FloatRows {
  const float* first;
  int64_t stride;
};

// `count` keys, at most kLanes, from `first` on: where they lie, or widened into scratch.
FRUGAL_INLINE FloatRows keys_as_floats(const AttentionHead& h, int64_t first, int64_t count, float* widened) {
  if (!h.k_codes) return {h.k + first * h.k_stride, h.k_stride};
  for (int64_t key = 0; key < count; ++key) {
    const int8_t* codes = h.k_codes + (first + key) * h.k_stride;
    const float scale = h.k_scales[(first + key) * h.scale_stride];
    float* to = widened + key * h.head_dim;
    int64_t d = 0;
    for (; d + kLanes <= h.head_dim; d += kLanes) store(to + d, load_codes(codes + d) * splat(scale));
    for (; d < h.head_dim; ++d) to[d] = static_cast<float>(codes[d]) * scale;
  }
  return {widened, h.head_dim};
}

// Keys [first, first + count) to the columns of s.keys; columns up to the next multiple of kLanes become 0.
void transpose_tile(const AttentionHead& h, int64_t first, int64_t count, const AttentionScratch& s) {
  for (int64_t key = 0; key < count; key += kLanes) {
    const int64_t present = min_of(kLanes, count - key);
    const FloatRows from = keys_as_floats(h, first + key, present, s.widened);
    float* to = s.keys + key;
    int64_t d = 0;
    if (present == kLanes)
      for (; d + kLanes <= h.head_dim; d += kLanes)
        transpose_block(from.first + d, from.stride, to + d * kKeyTile, kKeyTile);
    for (; d < h.head_dim; ++d)
      for (int64_t lane = 0; lane < kLanes; ++lane)
        to[d * kKeyTile + lane] = lane < present ? from.first[lane * from.stride + d] : 0.0f;
  }
}

// Products of `rows` × `count` outputs in whole strips whose inputs are rows of one matrix: w[i · w_stride + output].
template <class Weights, class Element>
FRUGAL_INLINE void multiply(const float* x, int64_t x_stride, int rows, const Element* w, int64_t w_stride,
                            int64_t depth, int64_t count, float* out, int64_t out_stride, bool accumulate) {
  static_assert(sizeof(Element) == Weights::kBytes);
  const int64_t step = w_stride * Weights::kBytes;
  const auto strip = [w](int64_t o) { return reinterpret_cast<const std::byte*>(w + o); };
  with_rows(rows, [&](auto r) {
    int64_t o = 0;
    for (; o + 2 * kLanes <= count; o += 2 * kLanes) {
      const std::byte* strips[2] = {strip(o), strip(o + kLanes)};
      float_tile<Weights, r.value, 2>(x, x_stride, strips, step, depth, out + o, out_stride, accumulate);
    }
    if (o < count) {
      const std::byte* strips[1] = {strip(o)};
      float_tile<Weights, r.value, 1>(x, x_stride, strips, step, depth, out + o, out_stride, accumulate);
    }
  });
}

// One tile of queries [first_query, first_query + rows) against keys [first_key, first_key + keys).
struct TileOfScores {
  const AttentionHead& head;
  const AttentionScratch& scratch;
  int64_t block_query;  // first query of the block: index 0 of scratch.highest and scratch.sum
  int64_t first_query;
  int rows;
  int64_t first_key;
  int64_t keys;

  void score(bool transposed) const {
    const float* q = head.q + first_query * head.q_stride;
    if (transposed) {
      const int64_t padded = (keys + kLanes - 1) / kLanes * kLanes;
      multiply<F32Weights>(q, head.q_stride, rows, scratch.keys, kKeyTile, head.head_dim, padded, scratch.scores,
                           kKeyTile, false);
      return;
    }
    if (head.k_codes) return score_codes(q);
    const float* k = head.k + first_key * head.k_stride;
    for (int64_t key = 0; key < keys; ++key, k += head.k_stride)
      for (int r = 0; r < rows; ++r)
        scratch.scores[r * kKeyTile + key] = dot_inline(q + r * head.q_stride, k, head.head_dim);
  }

  void score_codes(const float* q) const {
    const int8_t* codes = head.k_codes + first_key * head.k_stride;
    const float* scale = head.k_scales + first_key * head.scale_stride;
    for (int64_t key = 0; key < keys; ++key, codes += head.k_stride, scale += head.scale_stride)
      for (int r = 0; r < rows; ++r)
        scratch.scores[r * kKeyTile + key] = dot_codes_inline(q + r * head.q_stride, codes, head.head_dim) * *scale;
  }

  // Scores become weights relative to the new maximum; what the row has summed so far is rescaled to it.
  void soften() const {
    for (int r = 0; r < rows; ++r) {
      float* row = scratch.scores + r * kKeyTile;
      float& highest = scratch.highest[first_query - block_query + r];
      float& sum = scratch.sum[first_query - block_query + r];
      const int64_t seen = max_of(0, min_of(keys, visible_keys(head, first_query + r) - first_key));
      for (int64_t key = seen; key < keys; ++key) row[key] = 0.0f;
      if (seen == 0) continue;
      const float tile_highest = max_of_row(row, seen) * head.scale;
      if (tile_highest > highest) {
        if (sum > 0) {
          const float correction = std::exp(highest - tile_highest);
          sum *= correction;
          scale_row(head.out + (first_query + r) * head.out_stride, head.head_dim, correction);
        }
        highest = tile_highest;
      }
      sum += exp_row(row, seen, head.scale, highest);
    }
  }

  void add_values() const {
    if (!head.v_codes) return add_rows<F32Weights>(head.v + first_key * head.v_stride);
    // The scale of a value goes to its weight, which is needed for nothing else.
    const float* scale = head.v_scales + first_key * head.scale_stride;
    for (int64_t key = 0; key < keys; ++key, scale += head.scale_stride)
      for (int r = 0; r < rows; ++r) scratch.scores[r * kKeyTile + key] *= *scale;
    add_rows<I8Weights>(head.v_codes + first_key * head.v_stride);
  }

 private:
  template <class Weights, class Element>
  void add_rows(const Element* v) const {
    float* out = head.out + first_query * head.out_stride;
    const int64_t whole = head.head_dim / kLanes * kLanes;
    multiply<Weights>(scratch.scores, kKeyTile, rows, v, head.v_stride, keys, whole, out, head.out_stride, true);
    for (int64_t d = whole; d < head.head_dim; ++d)
      for (int r = 0; r < rows; ++r)
        for (int64_t key = 0; key < keys; ++key)
          out[r * head.out_stride + d] +=
              scratch.scores[r * kKeyTile + key] * static_cast<float>(v[key * head.v_stride + d]);
  }
};

// Queries [begin, end), at most kQueryBlock.
void attend_block(const AttentionHead& h, int64_t begin, int64_t end, const AttentionScratch& s) {
  for (int64_t i = begin; i < end; ++i) {
    s.highest[i - begin] = -FLT_MAX;
    s.sum[i - begin] = 0.0f;
    for (int64_t d = 0; d < h.head_dim; ++d) h.out[i * h.out_stride + d] = 0.0f;
  }
  const bool transposed = end - begin >= kTransposeFrom;
  const int64_t last_visible = visible_keys(h, end - 1);
  for (int64_t key = 0; key < last_visible; key += kKeyTile) {
    const int64_t tile_keys = min_of(kKeyTile, last_visible - key);
    if (transposed) transpose_tile(h, key, tile_keys, s);
    RowTiles tiles(end - begin);
    int rows = 0;
    for (int64_t i = begin; i < end; i += rows) {
      rows = tiles.next();
      const int64_t keys = min_of(tile_keys, visible_keys(h, i + rows - 1) - key);
      if (keys <= 0) continue;
      const TileOfScores tile{h, s, begin, i, rows, key, keys};
      tile.score(transposed);
      tile.soften();
      tile.add_values();
    }
  }
  for (int64_t i = begin; i < end; ++i) {
    const float sum = s.sum[i - begin];
    scale_row(h.out + i * h.out_stride, h.head_dim, sum > 0 ? 1.0f / sum : 0.0f);
  }
}

void attention(const AttentionHead& head, float* scratch) {
  const AttentionScratch s = lay_out(scratch, head.head_dim);
  for (int64_t begin = 0; begin < head.q_tokens; begin += kQueryBlock)
    attend_block(head, begin, min_of(begin + kQueryBlock, head.q_tokens), s);
}
