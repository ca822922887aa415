// Builds E5S1 files by hand, right or deliberately wrong: a BERT of one layer with hidden size 32 and a vocabulary of
// eight pieces.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/model_files.h"

namespace frugal::testing {

struct E5s1Builder {
  struct Tensor {
    std::string name;
    uint8_t dtype = 0;  // 0: f32, 1: Q4_0
    uint32_t elements = 0;
    uint64_t bytes = 0;
    std::string data;
    int64_t offset = -1;  // −1: after the tensor before it
  };

  uint32_t version = 1;
  std::array<int32_t, 7> dimensions{32, 1,  2, 64,
                                    8,  16, 2};  // hidden, layers, heads, intermediate, vocabulary, positions, types
  int32_t block = 32;
  std::array<int32_t, 5> counts{8, 0, 2, 1, 3};  // pieces, bos, eos, pad, unk
  std::vector<std::string> pieces{"<s>", "<pad>", "</s>", "<unk>", "\u2581a", "b", "\u2581", "\u2581ab"};
  std::vector<float> scores{0, 0, 0, 0, -1, -2, -3, -4};
  std::vector<std::pair<uint32_t, std::vector<uint32_t>>> replacements{{0x9, {0x20}}, {0xFB01, {'f', 'i'}}, {0x7, {}}};
  std::vector<Tensor> tensors = all_tensors();

  static Tensor f32(std::string name, uint32_t elements, float first) {
    std::vector<float> values(elements);
    for (uint32_t i = 0; i < elements; ++i) values[i] = first + 0.01f * static_cast<float>(i % 7);
    return {std::move(name), 0, elements, elements * 4, bytes_of(values)};
  }
  /// Codes count up from `first`; the scale is 1/32.
  static Tensor q4(std::string name, uint32_t elements, uint8_t first) {
    std::string data;
    for (uint32_t block = 0; block < elements / 32; ++block) {
      append_value<uint16_t>(data, 0x2800);
      for (uint32_t i = 0; i < 16; ++i) append_value<uint8_t>(data, static_cast<uint8_t>(first + 31 * block + 17 * i));
    }
    return {std::move(name), 1, elements, data.size(), data};
  }
  static std::vector<Tensor> all_tensors() {
    std::vector<Tensor> all{q4("emb.word", 8 * 32, 3), f32("emb.pos", 16 * 32, 0.1f), f32("emb.type", 2 * 32, 0),
                            f32("emb.ln.w", 32, 1), f32("emb.ln.b", 32, 0)};
    for (const char* name : {"q", "k", "v", "ao"}) {
      all.push_back(q4(std::string("l0.") + name + ".w", 32 * 32, static_cast<uint8_t>(name[0])));
      all.push_back(f32(std::string("l0.") + name + ".b", 32, 0));
    }
    all.push_back(q4("l0.fi.w", 64 * 32, 5)), all.push_back(f32("l0.fi.b", 64, 0));
    all.push_back(q4("l0.fo.w", 32 * 64, 6)), all.push_back(f32("l0.fo.b", 32, 0));
    for (const char* name : {"l0.aln.w", "l0.oln.w"}) all.push_back(f32(name, 32, 1));
    for (const char* name : {"l0.aln.b", "l0.oln.b"}) all.push_back(f32(name, 32, 0));
    return all;
  }

  /// The file up to the directory's end; the data follow.
  std::string header() const {
    std::string file = "E5S1";
    append_value(file, version);
    for (const int32_t dimension : dimensions) append_value(file, dimension);
    append_value(file, 1e-12f);
    append_value(file, block);
    for (const int32_t count : counts) append_value(file, count);
    std::string text, offsets;
    for (const std::string& piece : pieces) append_value(offsets, static_cast<uint32_t>(text.size())), text += piece;
    append_value(offsets, static_cast<uint32_t>(text.size()));
    append_value<uint64_t>(file, text.size());
    file += offsets;
    for (const float score : scores) append_value(file, score);
    file += text;
    std::string entries;
    for (const auto& [from, to] : replacements) {
      append_value(entries, from);
      append_value(entries, static_cast<uint8_t>(to.size()));
      for (const uint32_t c : to) append_value(entries, c);
    }
    append_value(file, static_cast<int32_t>(replacements.size()));
    append_value(file, static_cast<uint32_t>(entries.size()));
    file += entries;
    return file + directory(file.size());
  }

  std::string build() const {
    std::string file = header();
    for (const Tensor& tensor : tensors) file += tensor.data;
    return file;
  }

 private:
  std::string directory(size_t begin) const {
    size_t at = begin + 4;
    for (const Tensor& tensor : tensors) at += 2 + tensor.name.size() + 1 + 4 + 8 + 8;
    std::string bytes;
    append_value(bytes, static_cast<int32_t>(tensors.size()));
    for (const Tensor& tensor : tensors) {
      append_value(bytes, static_cast<uint16_t>(tensor.name.size()));
      bytes += tensor.name;
      append_value(bytes, tensor.dtype);
      append_value(bytes, tensor.elements);
      append_value(bytes, tensor.offset < 0 ? static_cast<uint64_t>(at) : static_cast<uint64_t>(tensor.offset));
      append_value(bytes, tensor.bytes);
      at += tensor.data.size();
    }
    return bytes;
  }
};

}  // namespace frugal::testing
