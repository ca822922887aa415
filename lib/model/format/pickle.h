// Interprets the pickle of a PyTorch checkpoint as data. A pickle is a program for a small stack machine that may name
// any Python function and have it called. This machine knows only the opcodes that a saved dict of tensors needs and
// the names in the allow-list of pickle.cpp. It never imports, calls or executes anything: the effect of REDUCE is
// written here for each allowed name, and any other name or opcode is an Error. Not a general unpickler; it cannot
// write one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/byte_cursor.h"
#include "model/format/checkpoint.h"

namespace frugal {

/// The most tensors that a pickle may have: as many as a GGUF file.
inline constexpr size_t kMaxPickleTensors = 65'536;

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

/// A handle to a value that the Pickle owns. Values own nothing, so a container that contains itself is no ownership
/// cycle, and destruction does not recurse.
struct PickleValue {
  PickleKind kind = PickleKind::unset;
  uint32_t text_bytes = 0;
  int64_t payload = 0;  // an integer's value, a text's offset, otherwise an index

  bool is_dict() const { return kind == PickleKind::dict || kind == PickleKind::ordered_dict; }
};

/// A file data/KEY of the archive, as the pickle describes it; none of it is checked.
struct PickleStorage {
  std::string_view key;
  SourceType type = SourceType::f32;
  int64_t elements = 0;  // not negative
};

/// A strided view of a storage. sizes and strides, in elements, are tuples of equally many integers; nothing else is
/// checked.
struct PickleTensor {
  PickleStorage storage;
  int64_t offset = 0;  // in elements
  PickleValue sizes, strides;
};

class Pickle {
 public:
  /// Interprets the program in bytes [begin, end) of `file`, which is borrowed. `where` names the file in errors;
  /// offsets count from its beginning. Uses at most some 100 MB for any program. Throws Error(bad_input) for a name or
  /// opcode that is not allowed, Error(corrupt_file) for a program that cannot run, both with the offset.
  Pickle(std::span<const std::byte> file, uint64_t begin, uint64_t end, std::string where);

  PickleValue root() const { return root_; }
  /// The characters of a text.
  std::string_view text(PickleValue value) const;
  /// Elements of a tuple or list; keys and values of a dict in turn. A key may appear twice.
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
