#include "model/format/pickle.h"

#include <doctest/doctest.h>

#include "support/errors.h"
#include "support/pytorch_files.h"

namespace frugal {
namespace {

using namespace testing;
using namespace pickled;

Pickle load(const std::string& bytes) {
  return Pickle(std::as_bytes(std::span(bytes)), 0, bytes.size(), "pickle 'm.pt'");
}
std::string complaint(const std::string& value) {
  return message_of([&] { load(program(value)); });
}

std::string repeated(std::string_view text, size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string stack_global(std::string_view module, std::string_view name) {
  return text(module) + text(name) + "\x93";
}

const std::string kTensor = tensor(storage("FloatStorage", "0", 6), 2, {4}, {1});

TEST_CASE("a dict of tensors is read as it was saved: texts, integers, views of storages") {
  const std::string bytes = program(dict({{"w", kTensor}, {"n", integer(-5)}, {"s", text("é")}}));
  const Pickle pickle = load(bytes);
  REQUIRE(pickle.root().kind == PickleKind::dict);
  const auto items = pickle.items(pickle.root());
  REQUIRE(items.size() == 6);
  CHECK(pickle.text(items[0]) == "w");
  REQUIRE(items[1].kind == PickleKind::tensor);
  const PickleTensor& w = pickle.tensor(items[1]);
  CHECK(w.storage.key == "0");
  CHECK(w.storage.type == SourceType::f32);
  CHECK(w.storage.elements == 6);
  CHECK(w.offset == 2);
  CHECK(pickle.items(w.sizes)[0].payload == 4);
  CHECK(items[3].payload == -5);
  CHECK(pickle.text(items[5]) == "é");
}

TEST_CASE("integers of every width and sign are read as Python means them") {
  const auto value = [](const std::string& opcode) {
    const std::string bytes = program(opcode);
    return load(bytes).root().payload;
  };
  using namespace std::string_literals;
  CHECK(value("K\xff"s) == 255);
  CHECK(value("M\xff\xff"s) == 65'535);
  CHECK(value("J\xff\xff\xff\xff"s) == -1);
  CHECK(value("J\x00\x00\x00\x80"s) == INT32_MIN);
  CHECK(value("\x8a\x00"s) == 0);
  CHECK(value("\x8a\x01\xff"s) == -1);
  CHECK(value("\x8a\x02\xff\x00"s) == 255);
  CHECK(value("\x8a\x06\x00\x00\x00\x00\x00\x01"s) == int64_t(1) << 40);
  CHECK(value("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"s) == INT64_MIN);
  CHECK(contains(complaint("\x8a\x09"s + std::string(9, '\1')), "an integer of 9 bytes (offset 2)"));
}

TEST_CASE(
    "names outside the allow-list are refused by name and offset, however they are written, and before any call") {
  for (const std::string module : {"os", "posix", "subprocess", "builtins", "__builtin__", "torch", "torch.jit"}) {
    for (const std::string name : {"system", "eval", "exec", "Popen", "load", "__import__"}) {
      const std::string expected =
          "the pickle names '" + module + "." + name + "', which no plain dict of tensors needs";
      INFO(expected);
      CHECK(contains(complaint(global(module, name)), expected + "; nothing was run (offset 2)"));
      CHECK(contains(complaint("N0" + stack_global(module, name) + text("x") + "\x85R"), expected));
      CHECK(contains(complaint(dict({{"w", call(global(module, name), tuple({text("x")}))}})), expected));
    }
  }
  const auto error = error_of([] { load(program(global("os", "system"))); });
  CHECK(error->code() == Code::bad_input);
  CHECK(contains(error->hint(), "safetensors"));
}

TEST_CASE("a name that looks like an allowed one is shown by its bytes") {
  using namespace std::string_literals;
  CHECK(
      contains(complaint(global("torch._utils\0"s, "_rebuild_tensor_v2")), R"('torch._utils\x00._rebuild_tensor_v2')"));
  CHECK(contains(complaint(global("t\u043erch._utils", "_rebuild_tensor_v2")), R"('t\xd0\xberch._utils.)"));
  CHECK(contains(complaint(stack_global("torch._utils ", "_rebuild_tensor_v2")), "'torch._utils ._rebuild"));
  CHECK(contains(complaint(stack_global("torch", "_utils._rebuild_tensor_v2")), "which no plain dict"));
  CHECK(contains(complaint(stack_global("collections", "OrderedDict.__init__")), "which no plain dict"));
  CHECK(contains(complaint(stack_global("\x1b[2J", "x")), R"('\x1b[2J.x')"));
  CHECK(contains(complaint(global(std::string(300, 'x'), "y")), "a name without an end in 257 bytes"));
}

TEST_CASE("opcodes that build objects of named classes are refused by their name") {
  const auto refused = [](const std::string& value, std::string_view opcode) {
    return contains(complaint(value), "the pickle uses " + std::string(opcode) + ", an opcode that no saved dict");
  };
  CHECK(refused("(" + text("x") + "ios\nsystem\n", "INST"));
  CHECK(refused("(" + global("torch", "FloatStorage") + "o", "OBJ"));
  CHECK(refused(global("collections", "OrderedDict") + ")\x81", "NEWOBJ"));
  CHECK(refused(global("collections", "OrderedDict") + ")}\x92", "NEWOBJ_EX"));
  CHECK(refused("\x82\x01", "EXT1"));
  CHECK(refused("P0\n", "PERSID"));
  CHECK(refused("N2", "DUP"));
  CHECK(refused("\x8b\xff\xff\xff\x7f", "LONG4"));
  CHECK(refused("\xff", "0xff"));
}

TEST_CASE("BUILD hangs _metadata on an OrderedDict and does nothing else") {
  const std::string metadata = "}" + text("_metadata") + ordered_dict() + "s";
  CHECK(complaint(ordered_dict() + metadata + "b") == "no error");
  CHECK(contains(complaint(dict({}) + metadata + "b"), "BUILD of a dict with a dict"));
  CHECK(contains(complaint(kTensor + metadata + "b"), "BUILD of a tensor"));
  CHECK(contains(complaint(ordered_dict() + ")b"), "BUILD of an OrderedDict with a tuple"));
  for (const std::string name : {"__setstate__", "__reduce__", "__class__", "__dict__", "_metadata2"})
    CHECK(contains(complaint(ordered_dict() + "}" + text(name) + "Nsb"), "another attribute than _metadata"));
}

TEST_CASE("what the allowed names are called with must be what torch calls them with") {
  CHECK(contains(complaint(call(global("collections", "OrderedDict"), "]\x85")), "the argument of OrderedDict"));
  CHECK(contains(complaint(call(global("torch", "FloatStorage"), integers({1 << 30}))), "REDUCE calls FloatStorage"));
  CHECK(contains(complaint(call(text("x"), ")")), "REDUCE calls a text"));
  CHECK(contains(complaint(call(global("collections", "OrderedDict"), "]")), "is a list, not a tuple"));
  CHECK(contains(complaint(call(global("torch._utils", "_rebuild_parameter"), tuple({text("x"), "\x88", "}"}))),
                 "the argument of _rebuild_parameter"));
  const std::string hooked = ordered_dict() + text("hook") + "Ns";
  CHECK(contains(complaint(call(global("torch._utils", "_rebuild_parameter"), tuple({kTensor, "\x88", hooked}))),
                 "backward hooks"));
}

TEST_CASE("any opcode on an empty stack, behind a mark or at the end of the file is an error or a value") {
  for (int opcode = 0; opcode < 256; ++opcode) {
    for (const std::string before : {"", "(", "N(", "](", "}(", "NNN"}) {
      for (const std::string& after :
           {std::string(), std::string(9, '\0'), std::string(9, '\1'), std::string(9, '\xff')}) {
        try {
          const std::string bytes = "\x80\x04" + before + static_cast<char>(opcode) + after;
          load(bytes);
          CHECK(opcode == '.');
        } catch (const Error& error) {
          REQUIRE(error.code() != Code::internal);
        }
      }
    }
  }
}

TEST_CASE("what grows is bounded: stack, memo, nesting, containers, elements, tensors, texts") {
  using namespace std::string_literals;
  CHECK(contains(complaint(repeated("N", 65'537)), "more than 65536 values on the pickle's stack"));
  CHECK(contains(complaint(repeated("(", 257)), "nested deeper than 256"));
  CHECK(contains(complaint("}r\xff\xff\xff\xff"), "memo entry 4294967295: the limit is 1048576"));
  CHECK(contains(complaint("}" + repeated("\x94", 1'048'577)), "memo entry 1048576"));
  CHECK(contains(complaint("}q\x05h\x04"), "memo entry 4 was never stored"));
  CHECK(contains(complaint("h\xff"), "memo entry 255 was never stored"));
  CHECK(contains(complaint(repeated("]0", 524'289)), "more than 524288 containers"));
  CHECK(
      contains(complaint("]q\1" + repeated("(" + repeated("h\1", 1'000) + "e", 2'098)), "more than 2097152 elements"));
  CHECK(contains(complaint(kTensor +
                           "q\1"
                           "0" +
                           repeated(kTensor + "0", 65'537)),
                 "more than 65536 storages"));
  CHECK(contains(complaint("X\x01\x00\x10\x00"s + std::string(1 << 20, 'x') + "x"), "is longer than 1048576"));
  CHECK(contains(complaint("\x95\xff\xff\xff\xff\xff\xff\xff\xff"), "a frame of 18446744073709551615 bytes"));
}

TEST_CASE("containers nest and contain themselves without recursion, in reading and in going away") {
  CHECK(complaint("]q\1h\1a") == "no error");
  CHECK(complaint("}q\1K\1h\1s") == "no error");
  CHECK(complaint("]q\1\x85q\2h\1h\2a0") == "no error");
  CHECK(complaint(")" + repeated("\x85", 500'000)) == "no error");
  // Ten references to the level below, two hundred levels: 10^200 leaves, a few kilobytes.
  std::string laughs = "]q\1";
  for (char level = 1; level < 100; ++level) {
    laughs += "0(" + repeated(std::string("h") + level, 10) + "tq" + static_cast<char>(level + 1);
  }
  CHECK(complaint(laughs) == "no error");
}

TEST_CASE("values of the wrong kind are refused by what they are") {
  CHECK(contains(complaint("}Na"), "APPEND to a dict"));
  CHECK(contains(complaint(")Na"), "APPEND to a tuple"));
  CHECK(contains(complaint("]" + text("k") + "Ns"), "SETITEM of a list"));
  CHECK(contains(complaint("}]Ns"), "the key of a dict is a list"));
  CHECK(contains(complaint("}(" + text("k") + "u"), "a key and no value"));
  CHECK(contains(complaint("NN\x93"), "STACK_GLOBAL of None and None"));
  CHECK(contains(complaint("K\1Q"), "a persistent id is an integer, not a tuple"));
  CHECK(contains(complaint("t"), "closes what it did not open"));
  CHECK(contains(complaint("(N\x86"), "holds too few values"));
  CHECK(contains(complaint("N("), "1 values are left at STOP"));
  CHECK(contains(complaint("NN"), "2 values are left at STOP"));
  CHECK(contains(complaint(text("\xc3\x28")), "not UTF-8"));
  CHECK(contains(message_of([] { load("\x80\x01N."); }), "pickle protocol 1, supported are 2 to 5"));
  CHECK(contains(message_of([] { load("N."); }), "does not begin with PROTO"));
}

}  // namespace
}  // namespace frugal
