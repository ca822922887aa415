// Patches are in the order of the processor: the blocks of a row of blocks, from left to right, and in each block its
// patches by rows. A block is therefore a run of rows, and a matrix of patches is one of blocks without a copy.
//
// An image is a video of frames that are all equal. The pack keeps the weights of every frame, since they take a
// thousandth of the encoder and a sum of them would have to be rounded again.
#include "model/towers/qwen3_vision.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "model/nn/image_config.h"
#include "model/vision/image_processor.h"

namespace frugal {
namespace {

constexpr double kEpsilon = 1e-6;  // of every norm; no configuration has another
constexpr ActivationScales kScales = ActivationScales::per_token;
constexpr int kHeight = 1, kWidth = 2;   // axes
constexpr int64_t kPatchesAtOnce = 256;  // whose positions are interpolated; a few MiB

// The places of patches in the grid, in the processor's order.
std::vector<AxialPosition> places_of(ImageSize patches, int64_t merge) {
  std::vector<AxialPosition> places;
  places.reserve(static_cast<size_t>(patches.width * patches.height));
  for (int64_t top = 0; top < patches.height; top += merge)
    for (int64_t left = 0; left < patches.width; left += merge)
      for (int64_t y = top; y < top + merge; ++y)
        for (int64_t x = left; x < left + merge; ++x)
          places.push_back({0, static_cast<int32_t>(y), static_cast<int32_t>(x)});
  return places;
}

// Half of the pairs of a head turn with the height of the patch, half with its width, at the same frequencies.
std::vector<AxialPair> axial_pairs(int64_t head_dim, double theta) {
  std::vector<AxialPair> pairs;
  const int64_t count = head_dim / 4;
  pairs.reserve(static_cast<size_t>(2 * count));
  for (const int axis : {kHeight, kWidth})
    for (int64_t i = 0; i < count; ++i)
      pairs.push_back({std::pow(theta, -static_cast<double>(i) / static_cast<double>(count)), axis});
  return pairs;
}

// Where `place` of `count` lies among `side` learned positions, whose first and last are those of the image's edges.
struct Between {
  int64_t before = 0, after = 0;
  float share = 0;  // of `after`
};
Between between(int64_t place, int64_t count, int64_t side) {
  const float at = static_cast<float>(place * (side - 1)) / static_cast<float>(std::max<int64_t>(count - 1, 1));
  const float before = std::floor(at);
  const auto index = static_cast<int64_t>(before);
  return {std::min(index, side - 1), std::min(index + 1, side - 1), at - before};
}

// The four learned positions around a patch.
struct Corner {
  int32_t row = 0;
  float share = 0;
};
std::array<Corner, 4> corners_of(const AxialPosition& place, ImageSize patches, int64_t side) {
  const Between y = between(place[kHeight], patches.height, side), x = between(place[kWidth], patches.width, side);
  const auto row = [&](int64_t down, int64_t right) { return static_cast<int32_t>(down * side + right); };
  return {Corner{row(y.before, x.before), (1 - y.share) * (1 - x.share)},
          Corner{row(y.before, x.after), (1 - y.share) * x.share},
          Corner{row(y.after, x.before), y.share * (1 - x.share)}, Corner{row(y.after, x.after), y.share * x.share}};
}

View as_blocks(View x, int64_t merged) {
  return View(x.data, x.dtype, Shape{x.shape.elements() / merged, merged});
}

}  // namespace

bool gives_patches(const ImageProcessorConfig& processor, const Qwen3VisionConfig& c) {
  return processor.layout == ImageProcessorConfig::Layout::patches && processor.patch == c.patch &&
         processor.merge == c.merge && processor.frames == c.frames;
}

PatchMerger::PatchMerger(const WeightLoader& load, const Qwen3VisionConfig& c, const std::string& at, bool norms_blocks)
    : merged_(c.merged()),
      norms_blocks_(norms_blocks),
      norm_(load.norm(at + "norm", NormKind::layer, norms_blocks ? c.merged() : c.hidden, kEpsilon)),
      up_(load.linear(at + "up", c.merged(), c.merged(), kScales, Activation::gelu)),
      down_(load.linear(at + "down", c.output, c.merged(), kScales)) {}

void PatchMerger::forward(Ops& ops, View x, View out) const {
  const Ops::Scope scope(ops);
  const View inner = ops.allocate(Shape{out.rows(), merged_});
  {
    const Ops::Scope normed(ops);
    const View h = ops.allocate(x.shape);
    if (norms_blocks_)
      ops.norm(norm_, as_blocks(x, merged_), as_blocks(h, merged_));
    else
      ops.norm(norm_, x, h);
    up_.forward(ops, as_blocks(h, merged_), inner);
  }
  down_.forward(ops, inner, out);
}

Qwen3Vision::Qwen3Vision(const ModelSource& source, Ops& ops, const Qwen3VisionConfig& c)
    : config_(c),
      processor_(image_processor_of(source.config())),
      positions_(source.embedding("image.positions", c.side * c.side, c.hidden, ops)),
      pairs_(axial_pairs(c.head_dim(), c.theta)) {
  if (!gives_patches(processor_, c))
    source.config().fail(
        fmt::format("image.processor does not give patches of {0} × {0} pixels, {1} × {1} in a block, "
                    "for {2} frames",
                    c.patch, c.merge, c.frames));
  const WeightLoader load(source, ops);
  patches_ = load.linear("image.patches", c.hidden, c.patch_values(), kScales);
  const VisionLayerConfig layer{c.hidden, c.heads, c.intermediate, kEpsilon, c.activation};
  for (int64_t i = 0; i < c.layers; ++i) {
    layers_.emplace_back(load, layer, i);
    const std::string at = fmt::format("image.{}.merge.", i);
    const bool is_deep = load.has(at + "norm");
    deep_mergers_.push_back(is_deep ? std::optional<PatchMerger>(std::in_place, load, c, at, true) : std::nullopt);
    deep_layers_ += is_deep ? 1 : 0;
  }
  merger_ = PatchMerger(load, c, "image.merge.", false);
}

void Qwen3Vision::limit_pixels(int64_t max_pixels) {
  processor_.max_pixels = std::clamp(max_pixels, processor_.min_pixels, processor_.max_pixels);
}

ImageSize Qwen3Vision::grid(ImageSize size) const {
  const ImageSize resized = resized_size(processor_, size);
  const int64_t block = config_.patch * config_.merge;
  return {resized.width / block, resized.height / block};
}

// The rows are allocated when they are computed: the widest moment is in a layer before. The patches stay allocated
// below them, where the language model needs less than the encoder did.
SeenImage Qwen3Vision::encode(Ops& ops, const RgbImage& image, Budget& budget) const {
  SeenImage seen;
  seen.grid = grid({image.width(), image.height()});
  const ImageSize patches{seen.grid.width * config_.merge, seen.grid.height * config_.merge};
  const std::vector<AxialPosition> places = places_of(patches, config_.merge);
  const RopeRows rope = make_rope_rows(pairs_, places);
  std::vector<int32_t> positions(places.size());
  std::iota(positions.begin(), positions.end(), 0);
  const View x = ops.allocate(Shape{int64_t(places.size()), config_.hidden});
  place_patches(ops, places, patches, x);
  embed_patches(ops, image, budget, x);
  const PatchRotation rotation{rope.spec(), positions};
  const auto merge = [&](const PatchMerger& merger) {
    const View rows = ops.allocate(Shape{seen.grid.width * seen.grid.height, config_.output});
    merger.forward(ops, x, rows);
    return rows;
  };
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].forward(ops, x, &rotation);
    if (deep_mergers_[i]) seen.deep.push_back(merge(*deep_mergers_[i]));
  }
  seen.rows = merge(merger_);
  return seen;
}

// x: the positions of the patches, to which they are added.
void Qwen3Vision::embed_patches(Ops& ops, const RgbImage& image, Budget& budget, View x) const {
  const Ops::Scope scope(ops);
  const View patches = ops.allocate(Shape{x.rows(), config_.patch_values()});
  {
    const PixelValues pixels = process_image(processor_, image, budget);
    FRUGAL_CHECK(pixels.rows == patches.rows() && pixels.cols == patches.cols());
    ops.upload(pixels.values(), patches);
  }
  patches_.forward(ops, patches, x, x);
}

// x becomes the positions, interpolated between the four learned ones around each patch.
void Qwen3Vision::place_patches(Ops& ops, std::span<const AxialPosition> places, ImageSize patches, View x) const {
  const auto features = static_cast<size_t>(config_.hidden);
  for (int64_t begin = 0; begin < x.rows(); begin += kPatchesAtOnce) {
    const int64_t count = std::min(kPatchesAtOnce, x.rows() - begin);
    std::vector<std::array<Corner, 4>> corners;
    corners.reserve(static_cast<size_t>(count));
    for (const AxialPosition& place : places.subspan(static_cast<size_t>(begin), static_cast<size_t>(count)))
      corners.push_back(corners_of(place, patches, config_.side));
    std::vector<float> sums(corners.size() * features), learned(sums.size());
    std::vector<int32_t> ids(corners.size());
    const View rows = x.slice_rows(begin, count);
    for (size_t corner = 0; corner < 4; ++corner) {
      for (size_t i = 0; i < ids.size(); ++i) ids[i] = corners[i][corner].row;
      embed(ops, positions_, ids, rows, false);
      ops.download(rows, learned);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += corners[i / features][corner].share * learned[i];
    }
    ops.upload(sums, rows);
  }
}

// --- tensors --------------------------------------------------------------------------------------------------------

namespace {

void list_merger(TensorTable& table, const Qwen3VisionConfig& c, const TensorNames& at, bool norms_blocks) {
  constexpr auto kBias = TensorTable::Bias::required;
  table.enter(at);
  table.norm({"norm", "norm", ""}, norms_blocks ? c.merged() : c.hidden, kBias);
  table.linear({"up", "linear_fc1", ""}, c.merged(), c.merged(), kBias);
  table.linear({"down", "linear_fc2", ""}, c.output, c.merged(), kBias);
  table.enter();
}

}  // namespace

void list_qwen3_vision(TensorTable& table, const Qwen3VisionConfig& c, std::span<const int64_t> deep) {
  constexpr auto kBias = TensorTable::Bias::required;
  table.exact_rows({"image.positions", "pos_embed.weight", ""}, c.side * c.side, c.hidden);
  table.linear({"image.patches", "patch_embed.proj", ""}, c.hidden, c.patch_values(), kBias);
  size_t next = 0;
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("image.{}.", i), fmt::format("blocks.{}.", i), ""});
    table.norm({"norm1", "norm1", ""}, c.hidden, kBias);
    table.linear({"qkv", "attn.qkv", ""}, 3 * c.hidden, c.hidden, kBias);
    table.linear({"out", "attn.proj", ""}, c.hidden, c.hidden, kBias);
    table.norm({"norm2", "norm2", ""}, c.hidden, kBias);
    table.linear({"up", "mlp.linear_fc1", ""}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "mlp.linear_fc2", ""}, c.hidden, c.intermediate, kBias);
    table.enter();
    if (next == deep.size() || deep[next] != i) continue;
    list_merger(table, c, {fmt::format("image.{}.merge.", i), fmt::format("deepstack_merger_list.{}.", next), ""},
                true);
    ++next;
  }
  list_merger(table, c, {"image.merge.", "merger.", ""}, false);
}

}  // namespace frugal
