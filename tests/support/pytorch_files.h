// Builds PyTorch checkpoints by hand, right or deliberately wrong: zip archives field by field, pickles opcode by
// opcode.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/model_files.h"

namespace frugal::testing {

/// One entry, with every field that a test may want to lie about.
struct ZipMember {
  ZipMember(std::string name_, std::string data_) : name(std::move(name_)), data(std::move(data_)) {}
  std::string name, data;
  uint16_t flags = 0, method = 0;
  uint32_t stored_bytes = uint32_t(data.size()), bytes = uint32_t(data.size());
  std::string extra;  // of the central header
  std::string local_name = name;
  int64_t offset_error = 0;  // added to the offset in the central header
};

/// A zip archive of stored members; the public fields, where set, replace what the end record would say.
struct ZipBuilder {
  std::vector<ZipMember> members;
  bool zip64 = false;
  std::string before_end;  // between the central directory and the end records
  std::string comment;
  uint16_t disk = 0;
  int64_t count_error = 0, directory_error = 0;

  ZipBuilder& add(std::string name, std::string data) {
    members.emplace_back(std::move(name), std::move(data));
    return *this;
  }

  std::string build() const {
    std::string file, directory;
    for (const ZipMember& member : members) {
      append_central(directory, member, static_cast<int64_t>(file.size()) + member.offset_error);
      append_local(file, member);
    }
    const uint64_t offset = file.size() + static_cast<uint64_t>(directory_error);
    const uint64_t count = members.size() + static_cast<uint64_t>(count_error);
    file += directory + before_end;
    if (zip64) append_end64(file, count, directory.size(), offset);
    append_value<uint32_t>(file, 0x06054b50);
    append_value<uint16_t>(file, disk);
    append_value<uint16_t>(file, 0);
    for (int i = 0; i < 2; ++i) append_value(file, zip64 ? uint16_t(0xffff) : static_cast<uint16_t>(count));
    append_value(file, zip64 ? 0xffffffffu : static_cast<uint32_t>(directory.size()));
    append_value(file, zip64 ? 0xffffffffu : static_cast<uint32_t>(offset));
    append_value(file, static_cast<uint16_t>(comment.size()));
    return file + comment;
  }

 private:
  static void append_sizes(std::string& out, const ZipMember& member) {
    out.append(8, '\0');  // time, date, checksum
    append_value(out, member.stored_bytes);
    append_value(out, member.bytes);
  }
  static void append_local(std::string& out, const ZipMember& member) {
    append_value<uint32_t>(out, 0x04034b50);
    append_value<uint16_t>(out, 0);
    append_value(out, member.flags);
    append_value(out, member.method);
    append_sizes(out, member);
    append_value(out, static_cast<uint16_t>(member.local_name.size()));
    append_value<uint16_t>(out, 0);
    out += member.local_name + member.data;
  }
  static void append_central(std::string& out, const ZipMember& member, int64_t offset) {
    append_value<uint32_t>(out, 0x02014b50);
    append_value<uint32_t>(out, 0);
    append_value(out, member.flags);
    append_value(out, member.method);
    append_sizes(out, member);
    append_value(out, static_cast<uint16_t>(member.name.size()));
    append_value(out, static_cast<uint16_t>(member.extra.size()));
    out.append(10, '\0');  // comment, disk, attributes
    append_value(out, static_cast<uint32_t>(offset));
    out += member.name + member.extra;
  }
  static void append_end64(std::string& out, uint64_t count, uint64_t bytes, uint64_t offset) {
    const uint64_t at = out.size();
    append_value<uint32_t>(out, 0x06064b50);
    append_value<uint64_t>(out, 44);
    out.append(12, '\0');  // versions, disks
    append_value(out, count);
    append_value(out, count);
    append_value(out, bytes);
    append_value(out, offset);
    append_value<uint32_t>(out, 0x07064b50);
    append_value<uint32_t>(out, 0);
    append_value(out, at);
    append_value<uint32_t>(out, 1);
  }
};

/// What a dict of tensors is made of, as opcodes (protocol 2, without a memo).
namespace pickled {

inline std::string text(std::string_view value) {
  std::string out = "X";
  append_value(out, static_cast<uint32_t>(value.size()));
  return out + std::string(value);
}
inline std::string integer(int64_t value) {
  std::string out = "\x8a\x08";
  append_value(out, value);
  return out;
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
inline std::string integers(const std::vector<int64_t>& values) {
  std::vector<std::string> items;
  for (const int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string call(const std::string& callable, const std::string& arguments) {
  return callable + arguments + "R";
}
inline std::string ordered_dict() {
  return call(global("collections", "OrderedDict"), ")");
}
inline std::string storage(std::string_view type, std::string_view key, int64_t elements) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) + "Q";
}
inline std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& sizes,
                          const std::vector<int64_t>& strides) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              tuple({storage, integer(offset), integers(sizes), integers(strides), "\x89", ordered_dict()}));
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += text(key) + value;
  return out + "u";
}
inline std::string program(const std::string& value) {
  return "\x80\x02" + value + ".";
}

}  // namespace pickled

/// A checkpoint with this data.pkl and the storage data/0.
inline ZipBuilder pytorch_file(const std::string& program, const std::string& storage) {
  ZipBuilder zip;
  zip.add("m/data.pkl", program).add("m/byteorder", "little").add("m/data/0", storage);
  return zip;
}

}  // namespace frugal::testing
