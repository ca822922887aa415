// The pickle in a PyTorch checkpoint, interpreted as data. A pickle is a program for a small stack machine that may
// name any Python function and have it called; this machine knows only the opcodes that a saved dict of tensors
// consists of, and the handful of names in the allow-list of pickle.cpp. Nothing is ever imported, called or executed:
// what REDUCE means for each of those names is written down here, and any other name or opcode is an Error. Not a
// general unpickler, and not a way to save one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/byte_cursor.h"
#include "model/format/checkpoint.h"

namespace frugal {

enum class PickleKind : uint8_t {
  unset,
  none,
  boolean,
  integer,
  real,
  text,
  tuple,
  list,
  dict,
  ordered_dict,
  global,
  storage,
  tensor
};
std::string_view to_string(PickleKind kind);

/// A handle: what it stands for belongs to the Pickle. A container that contains itself is therefore no cycle of
/// owners, and nothing recurses when it goes.
struct PickleValue {
  PickleKind kind = PickleKind::unset;
  uint32_t text_bytes = 0;
  int64_t payload = 0;  // the integer; the offset of the text; the index of anything else

  bool is_dict() const { return kind == PickleKind::dict || kind == PickleKind::ordered_dict; }
};

/// A file of the archive, data/KEY, as the pickle describes it: nothing of it has been checked.
struct PickleStorage {
  std::string_view key;
  SourceType type = SourceType::f32;
  int64_t elements = 0;  // not negative
};

/// A strided view of a storage. Sizes and strides, in elements, are tuples of the same number of integers; nothing else
/// of it has been checked.
struct PickleTensor {
  PickleStorage storage;
  int64_t offset = 0;  // in elements
  PickleValue sizes, strides;
};

class Pickle {
 public:
  /// Interprets the program in bytes [begin, end) of `file`, which is borrowed; `where` names the file in errors, and
  /// offsets count from its begin. Holds at most some 100 MB whatever the program does. Throws Error(bad_input) naming
  /// a name or an opcode that is not allowed, Error(corrupt_file) for a program that cannot run, both with the offset.
  Pickle(std::span<const std::byte> file, uint64_t begin, uint64_t end, std::string where);

  PickleValue root() const { return root_; }
  /// Of a text.
  std::string_view text(PickleValue value) const;
  /// Of a tuple, list or dict: the elements, or keys and values in turn. A key may be there twice.
  std::span<const PickleValue> items(PickleValue value) const;
  const PickleTensor& tensor(PickleValue value) const { return tensors_[static_cast<size_t>(value.payload)]; }

 private:
  class Machine;

  std::span<const std::byte> file_;
  std::vector<std::vector<PickleValue>> containers_;
  std::vector<PickleStorage> storages_;
  std::vector<PickleTensor> tensors_;
  PickleValue root_;
};

}  // namespace frugal
