// Attention with online softmax (Milakov & Gimelshein 2018), tiled so that neither the scores nor the widened keys and
// values ever exceed one tile. See isa/region.h for the primitives.
//
// The loops, from the outside in:
//
//   block of queries   kQueryBlock at most; the queries that share a prepared tile of keys
//     tile of keys     kKeyTile at most; transposed once for the block, and its values widened to floats once
//       tile of queries  kTileRows at most: scores, softmax, weighted sum of the values
//
// A tile of queries takes three steps. score_tile() multiplies queries with keys by float_tile: "outputs" are keys, and
// the transposed keys [head_dim][keys] are its weights. apply_softmax() turns scores into weights. add_values()
// multiplies these with the values, again by float_tile: "inputs" are now the keys.
//
// Softmax needs the maximum and the sum of a whole row, of which only one tile is known. So each query keeps three
// running figures: its maximum m, its sum s = Σ e^(score − m), and its unnormalised output o = Σ e^(score − m) · value,
// which is kept in `out` itself. Where a tile raises the maximum from m to m', s and o are multiplied by e^(m − m')
// before the tile is added. After the last tile the output is o / s. Every exponent is at most 0, so nothing overflows.
//
// Neither the causal mask nor a window costs a mask: a query sees a range of the keys, so a tile's row is cut to its
// visible keys (the rest of its weights are 0), and a tile of queries takes from a tile of keys only what one of them
// sees. Tiles of keys begin at multiples of kKeyTile, whatever the window, so that the bits of a query's output do not
// depend on which queries share its block. A soft cap and a bias by relative position are one more pass each over a row
// of scores.
//
// Decoding has one query. Transposing a tile of keys for it would cost more than the product, so below kTransposeFrom
// queries score_rows() dots each key where it lies, and values are widened as they are used. int8 keys and values bring
// a scale per row: it is applied to the score, or to the weight, and never to the row itself.

// A paragraph for an encoder fits one tile, whose keys (24 KiB at 32 dimensions) stay in the first-level cache; 128 is
// 5 % slower on 170 tokens (bench_kernels, Zen 3).
constexpr int64_t kKeyTile = 192;
constexpr int64_t kQueryBlock = 192;  // queries that share a transposed tile of keys
// With fewer queries, transposing the keys and widening the values costs more than it saves.
constexpr int64_t kTransposeFrom = 4;

struct AttentionScratch {
  float* keys;     // [head_dim][kKeyTile]: a tile of keys, transposed
  float* scores;   // [kTileRows][kKeyTile]
  float* max;      // [kQueryBlock]: running maximum of each query's scores
  float* sum;      // [kQueryBlock]: running sum of e^(score − max)
  float* widened;  // [kKeyTile][head_dim]: f16 or int8 rows as floats: first keys to be transposed, then the values
};

int64_t attention_scratch_floats(int64_t head_dim) {
  return head_dim * kKeyTile + kTileRows * kKeyTile + 2 * kQueryBlock + kKeyTile * head_dim;
}

FRUGAL_INLINE AttentionScratch lay_out(float* scratch, int64_t head_dim) {
  AttentionScratch s;
  s.keys = scratch;
  s.scores = s.keys + head_dim * kKeyTile;
  s.max = s.scores + kTileRows * kKeyTile;
  s.sum = s.max + kQueryBlock;
  s.widened = s.sum + kQueryBlock;
  return s;
}

// The keys that query i sees: [first_visible, end_visible).
FRUGAL_INLINE int64_t first_visible(const AttentionHead& h, int64_t i) {
  return h.window > 0 ? max_of(0, h.q_position + i - h.window) : 0;
}
FRUGAL_INLINE int64_t end_visible(const AttentionHead& h, int64_t i) {
  int64_t end = h.kv_tokens;
  if (h.causal) end = min_of(end, h.q_position + i + 1);
  if (h.window > 0) end = min_of(end, h.q_position + i + 1 + h.window);
  return end;
}

// One element of an f16 or int8 row as float: for the elements left after the last whole vector.
FRUGAL_INLINE float widen(float x) {
  return x;
}
FRUGAL_INLINE float widen(uint16_t half) {
  return f16_to_f32(half);
}
FRUGAL_INLINE float widen(int8_t code) {
  return static_cast<float>(code);
}

// Calls use() with the reader of the rows' type: F32Weights(), F16Weights() or I8Weights().
template <class Use>
FRUGAL_INLINE void with_weights(const HeadRows& rows, const Use& use) {
  if (rows.dtype == DType::f16) return use(F16Weights());
  if (rows.dtype == DType::i8) return use(I8Weights());
  use(F32Weights());
}

template <class Weights>
FRUGAL_INLINE const typename Weights::Element* row_of(const HeadRows& rows, int64_t row) {
  return static_cast<const typename Weights::Element*>(rows.first) + row * rows.stride;
}

template <class Weights>
FRUGAL_INLINE VecF load_elements(const typename Weights::Element* p) {
  return Weights::load_strip(reinterpret_cast<const std::byte*>(p));
}

template <class Weights>
FRUGAL_INLINE float dot_elements(const float* a, const typename Weights::Element* b, int64_t count) {
  VecF first = splat(0.0f), second = splat(0.0f);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    first = mul_add(load(a + i), load_elements<Weights>(b + i), first);
    second = mul_add(load(a + i + kLanes), load_elements<Weights>(b + i + kLanes), second);
  }
  float rest = 0;
  for (; i + kLanes <= count; i += kLanes) first = mul_add(load(a + i), load_elements<Weights>(b + i), first);
  for (; i < count; ++i) rest += a[i] * widen(b[i]);
  return hsum(first + second) + rest;
}

template <class Weights>
FRUGAL_INLINE void widen_row(const typename Weights::Element* from, int64_t count, float scale, float* to) {
  int64_t d = 0;
  for (; d + kLanes <= count; d += kLanes) store(to + d, load_elements<Weights>(from + d) * splat(scale));
  for (; d < count; ++d) to[d] = widen(from[d]) * scale;
}

// Rows [first, first + count) as floats: in place if they are f32, otherwise converted into `widened`, head_dim apart.
FRUGAL_INLINE HeadRows as_floats(const HeadRows& rows, int64_t first, int64_t count, int64_t head_dim, float* widened) {
  if (rows.dtype == DType::f32) return {row_of<F32Weights>(rows, first), rows.stride};
  with_weights(rows, [&](auto weights) {
    using Weights = decltype(weights);
    for (int64_t row = first; row < first + count; ++row)
      widen_row<Weights>(row_of<Weights>(rows, row), head_dim,
                         rows.scales ? rows.scales[row * rows.scale_stride] : 1.0f, widened + (row - first) * head_dim);
  });
  return {widened, head_dim};
}

// Transposes keys [first, first + count) into the columns of s.keys; columns up to the next multiple of kLanes become
// 0.
void transpose_tile(const AttentionHead& h, int64_t first, int64_t count, const AttentionScratch& s) {
  for (int64_t key = 0; key < count; key += kLanes) {
    const int64_t present = min_of(kLanes, count - key);
    const HeadRows rows = as_floats(h.k, first + key, present, h.head_dim, s.widened);
    const float* from = row_of<F32Weights>(rows, 0);
    float* to = s.keys + key;
    int64_t d = 0;
    if (present == kLanes)
      for (; d + kLanes <= h.head_dim; d += kLanes) transpose_block(from + d, rows.stride, to + d * kKeyTile, kKeyTile);
    for (; d < h.head_dim; ++d)
      for (int64_t lane = 0; lane < kLanes; ++lane)
        to[d * kKeyTile + lane] = lane < present ? from[lane * rows.stride + d] : 0.0f;
  }
}

// Products of `rows` × `count` outputs, a multiple of kLanes; weight (i, output) is w[i · w_stride + output].
template <class Weights>
FRUGAL_INLINE void multiply(const float* x, int64_t x_stride, int rows, const typename Weights::Element* w,
                            int64_t w_stride, int64_t depth, int64_t count, float* out, int64_t out_stride,
                            bool accumulate) {
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

// One tile: queries [first_query, first_query + rows) against keys [first_key, first_key + keys).
struct TileOfScores {
  const AttentionHead& head;
  const AttentionScratch& scratch;
  int64_t block_query;  // first query of the block: index 0 of scratch.max and scratch.sum
  int64_t first_query;
  int rows;
  int64_t first_key;
  int64_t keys;
  int64_t skipped;  // keys of the prepared tile before first_key, a multiple of kLanes

  // Scores from the transposed keys in scratch.
  void score_tile() const {
    const int64_t padded = (keys + kLanes - 1) / kLanes * kLanes;
    multiply<F32Weights>(head.q + first_query * head.q_stride, head.q_stride, rows, scratch.keys + skipped, kKeyTile,
                         head.head_dim, padded, scratch.scores, kKeyTile, false);
  }

  // Scores from the keys in place.
  void score_rows() const {
    const float* q = head.q + first_query * head.q_stride;
    with_weights(head.k, [&](auto weights) {
      using Weights = decltype(weights);
      for (int64_t key = 0; key < keys; ++key)
        for (int r = 0; r < rows; ++r)
          scratch.scores[r * kKeyTile + key] =
              dot_elements<Weights>(q + r * head.q_stride, row_of<Weights>(head.k, first_key + key), head.head_dim);
    });
    scale_scores(head.k);
  }

  // Turns scores into weights relative to the running maximum; rescales the row's sum and output if the maximum grew.
  void apply_softmax() const {
    for (int r = 0; r < rows; ++r) {
      float* row = scratch.scores + r * kKeyTile;
      float& max = scratch.max[first_query - block_query + r];
      float& sum = scratch.sum[first_query - block_query + r];
      const int64_t first = min_of(keys, max_of(0, first_visible(head, first_query + r) - first_key));
      const int64_t end = max_of(first, min_of(keys, end_visible(head, first_query + r) - first_key));
      for (int64_t key = 0; key < first; ++key) row[key] = 0.0f;
      for (int64_t key = end; key < keys; ++key) row[key] = 0.0f;
      if (first == end) continue;
      row += first;
      const int64_t visible = end - first;
      float scale = head.scale;  // of the scores in `row`
      if (head.soft_cap > 0) {
        cap_row(row, visible, scale, head.soft_cap);
        scale = 1.0f;
      }
      if (head.bias) {
        add_bias(row, visible, scale, first_key + first - (head.q_position + first_query + r));
        scale = 1.0f;
      }
      const float tile_max = max_of_row(row, visible) * scale;
      if (tile_max > max) {
        if (sum > 0) {
          const float correction = std::exp(max - tile_max);
          sum *= correction;
          scale_row(head.out + (first_query + r) * head.out_stride, head.head_dim, correction);
        }
        max = tile_max;
      }
      sum += exp_row(row, visible, scale, max);
    }
  }

  // Adds the weighted values of the tile, given as floats.
  void add_values(const HeadRows& values) const {
    add_rows<F32Weights>(row_of<F32Weights>(values, skipped), values.stride);
  }

  // Adds the weighted values in place. A value's scale is multiplied into its weight, which is not used again.
  void add_values() const {
    scale_scores(head.v);
    with_weights(head.v, [&](auto weights) {
      using Weights = decltype(weights);
      add_rows<Weights>(row_of<Weights>(head.v, first_key), head.v.stride);
    });
  }

 private:
  // x = x · scale + bias over the scores of one query, whose first key lies `distance` keys after the query's position.
  // The bias is constant before and after its table.
  void add_bias(float* x, int64_t count, float scale, int64_t distance) const {
    const int64_t reach = head.bias_reach;
    const int64_t begin = min_of(count, max_of(0, -reach - distance));
    const int64_t end = max_of(begin, min_of(count, reach + 1 - distance));
    const VecF factor = splat(scale);
    const auto add = [&](int64_t from, int64_t to, auto bias_at) {
      for (int64_t i = from; i < to; i += kLanes) {
        const int64_t n = min_of(kLanes, to - i);
        store_n(x + i, mul_add(load_n(x + i, n), factor, bias_at(i, n)), n);
      }
    };
    add(0, begin, [this](int64_t, int64_t) { return splat(head.bias[0]); });
    add(begin, end, [&](int64_t i, int64_t n) { return load_n(head.bias + distance + i + reach, n); });
    add(end, count, [this, reach](int64_t, int64_t) { return splat(head.bias[2 * reach]); });
  }

  void scale_scores(const HeadRows& of) const {
    if (!of.scales) return;
    const float* scale = of.scales + first_key * of.scale_stride;
    for (int64_t key = 0; key < keys; ++key, scale += of.scale_stride)
      for (int r = 0; r < rows; ++r) scratch.scores[r * kKeyTile + key] *= *scale;
  }

  template <class Weights>
  void add_rows(const typename Weights::Element* v, int64_t stride) const {
    float* out = head.out + first_query * head.out_stride;
    const int64_t whole = head.head_dim / kLanes * kLanes;
    multiply<Weights>(scratch.scores, kKeyTile, rows, v, stride, keys, whole, out, head.out_stride, true);
    for (int64_t d = whole; d < head.head_dim; ++d)
      for (int r = 0; r < rows; ++r)
        for (int64_t key = 0; key < keys; ++key)
          out[r * head.out_stride + d] += scratch.scores[r * kKeyTile + key] * widen(v[key * stride + d]);
  }
};

// Queries [begin, end), at most kQueryBlock.
void attend_block(const AttentionHead& h, int64_t begin, int64_t end, const AttentionScratch& s) {
  for (int64_t i = begin; i < end; ++i) {
    s.max[i - begin] = -FLT_MAX;
    s.sum[i - begin] = 0.0f;
    for (int64_t d = 0; d < h.head_dim; ++d) h.out[i * h.out_stride + d] = 0.0f;
  }
  const bool transposed = end - begin >= kTransposeFrom;
  const int64_t end_key = end_visible(h, end - 1);
  for (int64_t key = first_visible(h, begin) / kKeyTile * kKeyTile; key < end_key; key += kKeyTile) {
    const int64_t tile_keys = min_of(kKeyTile, end_key - key);
    HeadRows values;
    if (transposed) {
      transpose_tile(h, key, tile_keys, s);
      values = as_floats(h.v, key, tile_keys, h.head_dim, s.widened);
    }
    RowTiles tiles(end - begin);
    int rows = 0;
    for (int64_t i = begin; i < end; i += rows) {
      rows = tiles.next();
      const int64_t skipped = max_of(0, first_visible(h, i) - key) / kLanes * kLanes;
      const int64_t keys = min_of(tile_keys, end_visible(h, i + rows - 1) - key) - skipped;
      if (keys <= 0) continue;
      const TileOfScores tile{h, s, begin, i, rows, key + skipped, keys, skipped};
      transposed ? tile.score_tile() : tile.score_rows();
      tile.apply_softmax();
      transposed ? tile.add_values(values) : tile.add_values();
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
