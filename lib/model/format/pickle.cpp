// A pickle is a program for a machine with a stack, a memo (an array of values for later reuse) and nothing else. An
// opcode pushes a literal, or takes values from the stack and pushes a result; at STOP one value is left, the root.
// Three things make pickles dangerous in Python, and each is closed here:
//
// - GLOBAL and STACK_GLOBAL name any attribute of any module. Here a name must be in kAllowed; the value that they push
//   is an index into it, never something that could be called.
// - REDUCE calls a callable with arguments. Here it is a switch over the allowed names: OrderedDict() gives an empty
//   dict, _rebuild_tensor_v2 records a PickleTensor, _rebuild_parameter returns its first argument. A storage cannot be
//   called, only named in a persistent id.
// - BUILD and backward hooks set attributes or hold code. Here BUILD accepts only the "_metadata" that torch hangs on a
//   state dict and ignores it; hooks must be empty.
//
// How values live. Lists, tuples and dicts are rows of `containers_`, tensors and storages rows of their own tables,
// and texts stay in the mapped file. The stack and the memo hold handles (PickleValue). A list that contains itself is
// thus an index that occurs in its own row: legal, harmless, and never followed by recursion, since neither the
// interpreter nor the destructor recurses.
//
// MARK remembers the height of the stack; the opcode that closes it (TUPLE, APPENDS, SETITEMS, POP_MARK) takes the
// values above. Nothing may reach below the last mark (floor()), so a program cannot take values that belong to an
// enclosing container.
//
// Every resource has a limit (below), so a hostile program either ends or fails with an offset. Opcodes have the names
// of Python's pickletools, which documents each.
#include "model/format/pickle.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"

namespace frugal {
namespace {

// A tensor of a saved model takes 5 containers, some 21 values and 10 memo entries. Each limit leaves room for the
// 65,536 tensors that a GGUF file may have; together they bound the memory at some 100 MB.
constexpr uint64_t kMaxProgramBytes = 100'000'000;  // the limit of the other formats' headers
constexpr size_t kMaxContainers = 1 << 19;
constexpr size_t kMaxValues = 1 << 21;  // elements of all containers together
constexpr size_t kMaxMemo = 1 << 20;
constexpr size_t kMaxStack = 65'536;       // the pickler fills containers in batches of 1,000
constexpr size_t kMaxMarks = 256;          // nesting
constexpr size_t kMaxTextBytes = 1 << 20;  // a text stays in the file; torch's are names
constexpr size_t kMaxGlobalNameBytes = 256;
constexpr size_t kMaxRank = 64;  // torch's own limit; what a tensor here may have is checked where its name is known

constexpr std::string_view kConvertHint =
    "where you trust the file, write its state_dict() as safetensors (safetensors.torch.save_file) and give that";

enum class Role { ordered_dict, rebuild_tensor, rebuild_parameter, storage };

// The names that a pickle may use.
struct Allowed {
  std::string_view module, name;
  Role role;
  SourceType type = SourceType::f32;  // element type, for a storage
};
constexpr std::array kAllowed{
    Allowed{"collections", "OrderedDict", Role::ordered_dict},
    Allowed{"torch._utils", "_rebuild_tensor_v2", Role::rebuild_tensor},
    Allowed{"torch._utils", "_rebuild_parameter", Role::rebuild_parameter},
    Allowed{"torch", "FloatStorage", Role::storage, SourceType::f32},
    Allowed{"torch", "HalfStorage", Role::storage, SourceType::f16},
    Allowed{"torch", "BFloat16Storage", Role::storage, SourceType::bf16},
    Allowed{"torch", "DoubleStorage", Role::storage, SourceType::f64},
    Allowed{"torch", "CharStorage", Role::storage, SourceType::i8},
    Allowed{"torch", "ByteStorage", Role::storage, SourceType::u8},
    Allowed{"torch", "BoolStorage", Role::storage, SourceType::u8},
    Allowed{"torch", "IntStorage", Role::storage, SourceType::i32},
    Allowed{"torch", "LongStorage", Role::storage, SourceType::i64},
};

enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

// Names of the opcodes that build objects of arbitrary classes, for error messages; other opcodes are shown as numbers.
std::string opcode_name(uint8_t opcode) {
  struct Named {
    uint8_t opcode;
    std::string_view name;
  };
  static constexpr std::array kNamed{Named{'i', "INST"},       Named{'o', "OBJ"},    Named{0x81, "NEWOBJ"},
                                     Named{0x92, "NEWOBJ_EX"}, Named{0x82, "EXT1"},  Named{0x83, "EXT2"},
                                     Named{0x84, "EXT4"},      Named{'P', "PERSID"}, Named{'B', "BINBYTES"},
                                     Named{'2', "DUP"},        Named{0x8b, "LONG4"}, Named{0x8d, "BINUNICODE8"},
                                     Named{0x8f, "EMPTY_SET"}};
  const auto* known = std::find_if(kNamed.begin(), kNamed.end(), [&](const Named& n) { return n.opcode == opcode; });
  return known != kNamed.end() ? std::string(known->name) : fmt::format("{:#04x}", opcode);
}

// For error messages: bytes that are not plain ASCII are shown in hex, so that a name cannot imitate another.
std::string escaped(std::string_view name) {
  std::string result;
  for (const char c : name.substr(0, kMaxGlobalNameBytes)) {
    const bool plain = c >= 0x20 && c < 0x7f && c != '\\';
    result += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return result;
}

}  // namespace

std::string_view to_string(PickleKind kind) {
  static constexpr std::array<std::string_view, 13> kNames{
      "nothing", "None",   "a boolean",      "an integer", "a float",   "a text",  "a tuple",
      "a list",  "a dict", "an OrderedDict", "a name",     "a storage", "a tensor"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view Pickle::text(PickleValue value) const {
  FRUGAL_CHECK(value.kind == PickleKind::text);
  return {reinterpret_cast<const char*>(file_.data()) + value.payload, value.text_bytes};
}

std::span<const PickleValue> Pickle::items(PickleValue value) const {
  FRUGAL_CHECK(value.is_dict() || value.kind == PickleKind::tuple || value.kind == PickleKind::list);
  return containers_[static_cast<size_t>(value.payload)];
}

class Pickle::Machine {
 public:
  Machine(Pickle& pickle, ByteCursor program) : pickle_(pickle), program_(std::move(program)) {}

  PickleValue run() {
    if (program_.remaining() > kMaxProgramBytes)
      fail(fmt::format("a pickle of {} bytes is longer than {}", program_.remaining(), kMaxProgramBytes));
    read_protocol();
    while (step()) {
    }
    if (program_.remaining() > 0) fail(fmt::format("{} bytes follow STOP", program_.remaining()));
    if (stack_.size() != 1 || !marks_.empty()) fail(fmt::format("{} values are left at STOP, not 1", stack_.size()));
    return stack_.front();
  }

 private:
  [[noreturn]] void fail(std::string_view what) const { program_.fail_at(opcode_offset_, what); }
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(Code::bad_input, fmt::format("{}: {} (offset {})", program_.where(), what, opcode_offset_))
        .hint(std::string(kConvertHint));
  }

  void read_protocol() {
    opcode_offset_ = program_.offset();
    if (program_.read<uint8_t>("pickle") != kProto) fail("the pickle does not begin with PROTO");
    const auto protocol = program_.read<uint8_t>("protocol");
    if (protocol < 2 || protocol > 5) fail(fmt::format("pickle protocol {}, supported are 2 to 5", protocol));
  }

  // False at STOP. The opcodes are in four groups, each a switch that is compared with pickletools at a glance.
  bool step() {
    opcode_offset_ = program_.offset();
    const auto opcode = program_.read<uint8_t>("opcode");
    if (opcode == kStop) return false;
    if (!push_constant(opcode) && !build_container(opcode) && !use_memo(opcode) && !make_object(opcode))
      refuse(fmt::format("the pickle uses {}, an opcode that no saved dict of tensors needs", opcode_name(opcode)));
    return true;
  }

  // Each of these executes `opcode` if it is one of its group, and says whether it was.
  bool push_constant(uint8_t opcode) {
    switch (opcode) {
      case kNone:
        return push({PickleKind::none}), true;
      case kNewTrue:
      case kNewFalse:
        return push({PickleKind::boolean, 0, opcode == kNewTrue}), true;
      case kBinInt:
        return push_integer(program_.read<int32_t>("BININT")), true;
      case kBinInt1:
        return push_integer(program_.read<uint8_t>("BININT1")), true;
      case kBinInt2:
        return push_integer(program_.read<uint16_t>("BININT2")), true;
      case kLong1:
        return push_integer(read_long()), true;
      case kBinFloat:
        program_.take(8, "BINFLOAT");  // no float matters to a tensor
        return push({PickleKind::real}), true;
      case kBinUnicode:
        return push_text(program_.read<uint32_t>("BINUNICODE")), true;
      case kShortBinUnicode:
        return push_text(program_.read<uint8_t>("SHORT_BINUNICODE")), true;
      default:
        return false;
    }
  }

  bool build_container(uint8_t opcode) {
    switch (opcode) {
      case kMark:
        return push_mark(), true;
      case kPop:
        return pop(), true;
      case kPopMark:
        return pop_to_mark(), true;
      case kEmptyTuple:
        return push_container(PickleKind::tuple, {}), true;
      case kEmptyList:
        return push_container(PickleKind::list, {}), true;
      case kEmptyDict:
        return push_container(PickleKind::dict, {}), true;
      case kTuple:
        return push_container(PickleKind::tuple, pop_to_mark()), true;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return push_container(PickleKind::tuple, pop_many(opcode - kTuple1 + 1u)), true;
      case kAppend:
        return append(pop_many(1)), true;
      case kAppends:
        return append(pop_to_mark()), true;
      case kSetItem:
        return set_items(pop_many(2)), true;
      case kSetItems:
        return set_items(pop_to_mark()), true;
      default:
        return false;
    }
  }

  bool use_memo(uint8_t opcode) {
    switch (opcode) {
      case kBinGet:
        return push_remembered(program_.read<uint8_t>("BINGET")), true;
      case kLongBinGet:
        return push_remembered(program_.read<uint32_t>("LONG_BINGET")), true;
      case kBinPut:
        return remember(program_.read<uint8_t>("BINPUT")), true;
      case kLongBinPut:
        return remember(program_.read<uint32_t>("LONG_BINPUT")), true;
      case kMemoize:
        return remember(memo_.size()), true;
      default:
        return false;
    }
  }

  bool make_object(uint8_t opcode) {
    switch (opcode) {
      case kFrame:
        return skip_frame_header(), true;
      case kGlobal:
        return push_global_line(), true;
      case kStackGlobal:
        return push_stack_global(), true;
      case kBinPersId:
        return push_storage(pop()), true;
      case kReduce:
        return reduce(), true;
      case kBuild:
        return build(), true;
      default:
        return false;
    }
  }

  // --- the stack ---

  void push(PickleValue value) {
    if (stack_.size() == kMaxStack) fail(fmt::format("more than {} values on the pickle's stack", kMaxStack));
    stack_.push_back(value);
  }
  void push_mark() {
    if (marks_.size() == kMaxMarks) fail(fmt::format("the pickle is nested deeper than {}", kMaxMarks));
    marks_.push_back(stack_.size());
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  std::vector<PickleValue> pop_many(size_t count) {
    if (stack_.size() - floor() < count) fail("the pickle's stack holds too few values");
    std::vector<PickleValue> values(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return values;
  }
  PickleValue pop() {
    const PickleValue value = top();
    stack_.pop_back();
    return value;
  }
  PickleValue top() const {
    if (stack_.size() == floor()) fail("the pickle's stack is empty");
    return stack_.back();
  }
  std::vector<PickleValue> pop_to_mark() {
    if (marks_.empty()) fail("the pickle closes what it did not open with MARK");
    std::vector<PickleValue> values = pop_many(stack_.size() - floor());
    marks_.pop_back();
    return values;
  }

  // --- values ---

  void push_integer(int64_t value) { push({PickleKind::integer, 0, value}); }

  // A little-endian integer of any length; 64 bits hold every valid size.
  int64_t read_long() {
    const auto length = program_.read<uint8_t>("LONG1");
    if (length > sizeof(int64_t)) fail(fmt::format("an integer of {} bytes", length));
    const auto bytes = program_.take(length, "LONG1");
    uint64_t value = length > 0 && std::to_integer<int>(bytes.back()) >= 0x80 ? ~uint64_t(0) : 0;
    for (size_t i = length; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
    return static_cast<int64_t>(value);
  }

  void push_text(uint32_t length) {
    if (length > kMaxTextBytes) fail(fmt::format("a text of {} bytes is longer than {}", length, kMaxTextBytes));
    const auto begin = static_cast<int64_t>(program_.offset());
    const std::string_view text = program_.take_text(length, "text");
    if (!simdjson::validate_utf8(text.data(), text.size())) fail("a text that is not UTF-8");
    push({PickleKind::text, length, begin});
  }

  void push_container(PickleKind kind, std::vector<PickleValue> items) {
    if (pickle_.containers_.size() == kMaxContainers) fail(fmt::format("more than {} containers", kMaxContainers));
    count_values(items.size());
    pickle_.containers_.push_back(std::move(items));
    push({kind, 0, static_cast<int64_t>(pickle_.containers_.size() - 1)});
  }

  void count_values(size_t count) {
    values_ += count;  // at most kMaxStack at a time
    if (values_ > kMaxValues) fail(fmt::format("more than {} elements in the pickle's containers", kMaxValues));
  }

  std::vector<PickleValue>& add_to_top(const std::vector<PickleValue>& items) {
    count_values(items.size());
    std::vector<PickleValue>& container = pickle_.containers_[static_cast<size_t>(top().payload)];
    container.insert(container.end(), items.begin(), items.end());
    return container;
  }

  void append(const std::vector<PickleValue>& items) {
    if (top().kind != PickleKind::list) fail(fmt::format("APPEND to {}", to_string(top().kind)));
    add_to_top(items);
  }

  void set_items(const std::vector<PickleValue>& items) {
    if (!top().is_dict()) fail(fmt::format("SETITEM of {}", to_string(top().kind)));
    if (items.size() % 2 != 0) fail("SETITEMS with a key and no value");
    for (size_t i = 0; i < items.size(); i += 2)
      if (items[i].kind != PickleKind::text && items[i].kind != PickleKind::integer)
        fail(fmt::format("the key of a dict is {}", to_string(items[i].kind)));
    add_to_top(items);
  }

  // A frame is a hint for readers that fetch in pieces; it only has to lie inside the program.
  void skip_frame_header() {
    const auto length = program_.read<uint64_t>("FRAME");
    if (length > program_.remaining()) fail(fmt::format("a frame of {} bytes runs past the end", length));
  }

  // --- the memo ---

  void remember(uint64_t index) {
    if (index >= kMaxMemo) fail(fmt::format("memo entry {}: the limit is {}", index, kMaxMemo));
    if (index >= memo_.size()) memo_.resize(index + 1);
    memo_[index] = top();
  }
  void push_remembered(uint64_t index) {
    if (index >= memo_.size() || memo_[index].kind == PickleKind::unset)
      fail(fmt::format("memo entry {} was never stored", index));
    push(memo_[index]);
  }

  // --- names ---

  std::string_view read_line() {
    const std::string_view ahead = program_.peek_text(kMaxGlobalNameBytes + 1);
    const size_t length = ahead.find('\n');
    if (length == ahead.npos) fail(fmt::format("a name without an end in {} bytes", ahead.size()));
    const std::string_view line = program_.take_text(length, "name");
    program_.take(1, "newline");
    return line;
  }

  void push_global_line() {
    const std::string_view module = read_line();
    push_global(module, read_line());
  }

  void push_stack_global() {
    const std::vector<PickleValue> names = pop_many(2);
    if (names[0].kind != PickleKind::text || names[1].kind != PickleKind::text)
      fail(fmt::format("STACK_GLOBAL of {} and {}", to_string(names[0].kind), to_string(names[1].kind)));
    push_global(pickle_.text(names[0]), pickle_.text(names[1]));
  }

  void push_global(std::string_view module, std::string_view name) {
    const auto* allowed = std::find_if(kAllowed.begin(), kAllowed.end(),
                                       [&](const Allowed& a) { return a.module == module && a.name == name; });
    if (allowed == kAllowed.end()) refuse_global(module, name);
    push({PickleKind::global, 0, allowed - kAllowed.begin()});
  }
  [[noreturn]] void refuse_global(std::string_view module, std::string_view name) const {
    const bool is_type = module == "torch" && name.ends_with("Storage");
    refuse(fmt::format("the pickle names '{}.{}', {}", escaped(module), escaped(name),
                       is_type ? "a type of elements that is not supported"
                               : "which no plain dict of tensors needs; nothing was run"));
  }
  static const Allowed& allowed(PickleValue global) { return kAllowed[static_cast<size_t>(global.payload)]; }

  // --- effects of the allowed names ---

  // The elements of `tuple`, which must be of exactly these kinds; `what` names it in the error.
  std::span<const PickleValue> expect(PickleValue tuple, std::initializer_list<PickleKind> kinds,
                                      std::string_view what) const {
    if (tuple.kind != PickleKind::tuple) fail(fmt::format("{} is {}, not a tuple", what, to_string(tuple.kind)));
    const std::span<const PickleValue> items = pickle_.items(tuple);
    const auto same = [](PickleValue value, PickleKind kind) { return value.kind == kind; };
    if (!std::equal(items.begin(), items.end(), kinds.begin(), kinds.end(), same))
      fail(fmt::format("{} has {} elements, or one of the wrong kind", what, items.size()));
    return items;
  }

  // ("storage", torch.XStorage, key, location, elements)
  void push_storage(PickleValue id) {
    using enum PickleKind;
    const auto items = expect(id, {text, global, text, text, integer}, "a persistent id");
    if (pickle_.text(items[0]) != "storage" || allowed(items[1]).role != Role::storage || items[4].payload < 0)
      fail("a persistent id that names no storage");
    if (pickle_.storages_.size() == kMaxPickleTensors) fail(fmt::format("more than {} storages", kMaxPickleTensors));
    pickle_.storages_.push_back({pickle_.text(items[2]), allowed(items[1]).type, items[4].payload});
    push({storage, 0, static_cast<int64_t>(pickle_.storages_.size() - 1)});
  }

  void reduce() {
    const PickleValue arguments = pop();
    const PickleValue callable = pop();
    if (callable.kind != PickleKind::global) fail(fmt::format("REDUCE calls {}", to_string(callable.kind)));
    switch (allowed(callable).role) {
      case Role::ordered_dict:
        expect(arguments, {}, "the argument of OrderedDict");
        return push_container(PickleKind::ordered_dict, {});
      case Role::rebuild_tensor:
        return push_tensor(arguments);
      case Role::rebuild_parameter:
        return push_parameter(arguments);
      case Role::storage:
        fail(fmt::format("REDUCE calls {}", allowed(callable).name));
    }
  }

  // (storage, offset, sizes, strides, requires_grad, backward hooks); hooks are code, so there must be none.
  void push_tensor(PickleValue arguments) {
    using enum PickleKind;
    const auto items = expect(arguments, {storage, integer, tuple, tuple, boolean, ordered_dict},
                              "the argument of _rebuild_tensor_v2");
    const auto sizes = pickle_.items(items[2]), strides = pickle_.items(items[3]);
    const auto is_integer = [](PickleValue value) { return value.kind == integer; };
    if (sizes.size() > kMaxRank || sizes.size() != strides.size() || !std::ranges::all_of(sizes, is_integer) ||
        !std::ranges::all_of(strides, is_integer))
      fail(fmt::format("a tensor of {} sizes and {} strides, or ones that are no integers", sizes.size(),
                       strides.size()));
    check_no_hooks(items[5]);
    if (pickle_.tensors_.size() == kMaxPickleTensors) fail(fmt::format("more than {} tensors", kMaxPickleTensors));
    const PickleStorage& source = pickle_.storages_[static_cast<size_t>(items[0].payload)];
    pickle_.tensors_.push_back({source, items[1].payload, items[2], items[3]});
    push({tensor, 0, static_cast<int64_t>(pickle_.tensors_.size() - 1)});
  }

  // (tensor, requires_grad, backward hooks): the tensor.
  void push_parameter(PickleValue arguments) {
    using enum PickleKind;
    const auto items = expect(arguments, {tensor, boolean, ordered_dict}, "the argument of _rebuild_parameter");
    check_no_hooks(items[2]);
    push(items[0]);
  }

  void check_no_hooks(PickleValue hooks) const {
    if (!pickle_.items(hooks).empty()) fail("a tensor with backward hooks");
  }

  // torch attaches {"_metadata": …} to a state dict; it does not concern the tensors. BUILD supports nothing else.
  void build() {
    const PickleValue state = pop();
    if (top().kind != PickleKind::ordered_dict || state.kind != PickleKind::dict)
      fail(fmt::format("BUILD of {} with {}", to_string(top().kind), to_string(state.kind)));
    const auto items = pickle_.items(state);
    if (items.size() != 2 || items[0].kind != PickleKind::text || pickle_.text(items[0]) != "_metadata")
      fail("BUILD sets another attribute than _metadata");
  }

  Pickle& pickle_;
  ByteCursor program_;
  uint64_t opcode_offset_ = 0;
  std::vector<PickleValue> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::vector<PickleValue> memo_;
  size_t values_ = 0;
};

Pickle::Pickle(std::span<const std::byte> file, uint64_t begin, uint64_t end, std::string where) : file_(file) {
  FRUGAL_CHECK(begin <= end && end <= file.size());
  root_ = Machine(*this, ByteCursor(file.first(end), begin, std::move(where))).run();
}

}  // namespace frugal
