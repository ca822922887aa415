#include "model/generate/prefix_cache.h"
#include "model/format/pack.h"

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/generate/generator.h"
#include "model/nn/kv_cache.h"
#include "support/backends.h"
#include "support/golden.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr int64_t kLayers = 2, kFeatures = 4;
constexpr uint64_t kFileBytes = 64 + 64 * kLayers * 2 * kFeatures * sizeof(float);

std::vector<TokenId> tokens(int64_t count, TokenId first = 0) {
  std::vector<TokenId> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

// A key-value cache whose rows identify their prompt: `mark` and their position.
struct Rows {
  ThreadPool threads{1};
  std::unique_ptr<Ops> ops = make_cpu_ops(threads, Budget::unlimited());
  KvCache cache{*ops, {kLayers, 1, kFeatures}, 4096, Budget::unlimited()};

  void fill(int64_t count, float mark) {
    cache.extend(count);
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      const KvCache::Fresh fresh = cache.fresh_rows(layer, count);
      for (int64_t row = 0; row < count; ++row)
        for (int64_t column = 0; column < kFeatures; ++column) {
          fresh.keys.row<float>(row)[column] = value(layer, row, column, mark);
          fresh.values.row<float>(row)[column] = -value(layer, row, column, mark);
        }
      cache.store(layer, fresh);
    }
    cache.advance(count);
  }
  bool holds(int64_t count, float mark) {
    if (cache.length() != count || count == 0) return cache.length() == count;
    Rows expected;
    expected.fill(count, mark);
    return bytes() == expected.bytes();
  }
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> rows(static_cast<size_t>(cache.length()) * cache.bytes_per_token());
    cache.save(0, cache.length(), rows);
    return rows;
  }
  static float value(int64_t layer, int64_t row, int64_t column, float mark) {
    return mark + static_cast<float>(layer * 10000 + row * 10 + column) / 8;
  }
};

void keep(const PrefixCache& prefixes, const std::vector<TokenId>& prompt, float mark, std::string_view model = "m") {
  Rows rows;
  rows.fill(static_cast<int64_t>(prompt.size()), mark);
  prefixes.keep(model, prompt, 0, rows.cache);
}

int64_t restored(const PrefixCache& prefixes, const std::vector<TokenId>& prompt, std::string_view model = "m") {
  Rows rows;
  return prefixes.restore(model, prompt, rows.cache);
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::exists(folder))
    for (const auto& file : std::filesystem::directory_iterator(folder)) files.push_back(file.path());
  return files;
}

void overwrite(const std::filesystem::path& file, uint64_t offset, std::string_view bytes) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream << bytes;
}

}  // namespace

TEST_CASE("a stored prompt is restored by whole blocks, and never its last token") {
  const TempFolder folder;
  const PrefixCache prefixes(folder.path(), 1 << 20, Budget::unlimited());
  keep(prefixes, tokens(200), 5);
  for (const int64_t prompt_tokens : {63, 64, 65, 128, 129, 192, 193, 200, 300}) {
    CAPTURE(prompt_tokens);
    const int64_t expected = std::min<int64_t>(192, (prompt_tokens - 1) / 64 * 64);
    Rows rows;
    CHECK(prefixes.restore("m", tokens(prompt_tokens), rows.cache) == expected);
    CHECK(rows.holds(expected, 5));
  }
}

TEST_CASE("a stored prompt is readable by its user alone, even in a folder that was open") {
  const TempFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  for (const std::filesystem::path& place : {folder.path(), folder.path() / "made/prefixes"}) {
    const PrefixCache prefixes(place, 1 << 20, Budget::unlimited());
    keep(prefixes, tokens(200), 5);
    CHECK(std::filesystem::status(place).permissions() == std::filesystem::perms(0700));
    for (const auto& entry : std::filesystem::directory_iterator(place))
      if (entry.is_regular_file()) CHECK(entry.status().permissions() == std::filesystem::perms(0600));
  }
}

TEST_CASE("a disk without room for a prompt is not written to, and nothing fails") {
  const TempFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    MESSAGE("SKIP: a small disk cannot be mounted here: ", std::strerror(errno));
    return;
  }
  const PrefixCache prefixes(folder.path() / "cache", 1 << 20, Budget::unlimited());
  CHECK_NOTHROW(keep(prefixes, tokens(64 * 10), 5));  // 40 KiB, of 64
  CHECK(files_in(folder.path() / "cache").empty());
  keep(prefixes, tokens(64 * 4), 5);
  CHECK(restored(prefixes, tokens(64 * 4)) == 64 * 3);
  REQUIRE(::umount(folder.path().c_str()) == 0);
}

TEST_CASE("prompts share the blocks of their common start, and none after the first difference") {
  const TempFolder folder;
  const PrefixCache prefixes(folder.path(), 1 << 20, Budget::unlimited());
  std::vector<TokenId> other = tokens(256);
  keep(prefixes, other, 5);
  other[100] = 9999;
  CHECK(restored(prefixes, other) == 64);
  keep(prefixes, other, 6);
  CHECK(files_in(folder.path()).size() == 4 + 3);
  other[0] = 9999;
  CHECK(restored(prefixes, other) == 0);
}

TEST_CASE("another model, another instruction set, and rows of another shape or type find nothing") {
  const TempFolder folder;
  const PrefixCache prefixes(folder.path(), 1 << 20, Budget::unlimited());
  keep(prefixes, tokens(200), 5);
  CHECK(restored(prefixes, tokens(200), "another model") == 0);
  Rows rows;
  KvCache wider(*rows.ops, {kLayers, 1, kFeatures * 2}, 4096, Budget::unlimited());
  CHECK(prefixes.restore("m", tokens(200), wider) == 0);
  KvCache rounded(*rows.ops, {kLayers, 1, kFeatures, KvType::int8}, 4096, Budget::unlimited());
  CHECK(prefixes.restore("m", tokens(200), rounded) == 0);
  for (const Isa isa : supported_isas()) {
    const auto ops = make_cpu_ops(rows.threads, Budget::unlimited(), isa);
    KvCache cache(*ops, {kLayers, 1, kFeatures}, 4096, Budget::unlimited());
    CHECK(prefixes.restore("m", tokens(200), cache) == (isa == choose_isa() ? 192 : 0));
  }
}

TEST_CASE("nothing is stored for a backend that does not guarantee equal bits") {
  on_every_plugin([](Ops& ops) {
    const TempFolder folder;
    const PrefixCache prefixes(folder.path(), 1 << 20, Budget::unlimited());
    KvCache cache(ops, {kLayers, 1, kFeatures}, 4096, Budget::unlimited());
    cache.extend(128);
    cache.advance(128);
    prefixes.keep("m", tokens(128), 0, cache);
    CHECK(files_in(folder.path()).empty());
  });
}

TEST_CASE("short prompts are not stored") {
  const TempFolder folder;
  const PrefixCache prefixes(folder.path() / "prefixes", 1 << 20, Budget::unlimited());
  keep(prefixes, tokens(127), 5);
  CHECK(files_in(folder.path()).empty());
  keep(prefixes, tokens(128), 5);
  CHECK(files_in(folder.path() / "prefixes").size() == 2);
}

TEST_CASE("a file that is altered, truncated, extended, foreign or not regular is removed and never used") {
  const TempFolder folder;
  const PrefixCache prefixes(folder.path(), 1 << 20, Budget::unlimited());
  const std::vector<TokenId> prompt = tokens(129);
  using Damage = std::function<void(const std::filesystem::path&)>;
  std::vector<Damage> damages = {[](const auto& file) { std::filesystem::resize_file(file, 0); },
                                 [](const auto& file) { std::filesystem::resize_file(file, 63); },
                                 [](const auto& file) { std::filesystem::resize_file(file, kFileBytes - 1); },
                                 [](const auto& file) { std::filesystem::resize_file(file, kFileBytes + 1); },
                                 [](const auto& file) { std::filesystem::resize_file(file, uint64_t(1) << 40); },
                                 [&](const auto& file) {  // another block's content under this block's name
                                   for (const auto& other : files_in(folder.path()))
                                     if (other != file)
                                       std::filesystem::copy(other, file,
                                                             std::filesystem::copy_options::overwrite_existing);
                                 },
                                 [&](const auto& file) {
                                   std::filesystem::rename(file, file.native() + ".moved");
                                   std::filesystem::create_symlink(file.native() + ".moved", file);
                                 },
                                 [](const auto& file) {
                                   std::filesystem::remove(file);
                                   REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
                                 }};
  for (uint64_t offset = 0; offset < kFileBytes; offset += offset < 64 ? 1 : 61)
    damages.push_back([offset](const auto& file) {
      std::string byte = read_file(file).substr(offset, 1);
      byte[0] = static_cast<char>(byte[0] ^ 0x10);
      overwrite(file, offset, byte);
    });
  damages.push_back([](const auto& file) { overwrite(file, 8, std::string(8, '\xff')); });  // a size that wraps

  for (size_t i = 0; i < damages.size(); ++i) {
    CAPTURE(i);
    for (const auto& file : files_in(folder.path())) std::filesystem::remove(file);
    keep(prefixes, prompt, 5);
    std::vector<std::filesystem::path> files = files_in(folder.path());
    REQUIRE(files.size() == 2);
    damages[i](files[0]);
    Rows rows;
    const int64_t got = prefixes.restore("m", prompt, rows.cache);
    CHECK((got == 0 || got == 64));  // the damaged block was the first or the second
    CHECK(rows.holds(got, 5));
    CHECK(std::filesystem::symlink_status(files[0]).type() == std::filesystem::file_type::not_found);
    keep(prefixes, prompt, 5);
    CHECK(restored(prefixes, prompt) == 128);
  }
}

TEST_CASE("the folder keeps its limit by evicting the least recently used blocks, ends before starts") {
  const TempFolder folder;
  const PrefixCache prefixes(folder.path(), 6 * kFileBytes, Budget::unlimited());
  keep(prefixes, tokens(192, 0), 1);
  keep(prefixes, tokens(192, 1000), 2);
  CHECK(restored(prefixes, tokens(193, 0)) == 192);  // now the second prompt is the older one
  keep(prefixes, tokens(128, 2000), 3);
  CHECK(files_in(folder.path()).size() == 6);
  CHECK(restored(prefixes, tokens(193, 0)) == 192);
  CHECK(restored(prefixes, tokens(193, 1000)) == 64);
  CHECK(restored(prefixes, tokens(129, 2000)) == 128);
  keep(prefixes, tokens(64 * 10, 3000), 4);  // larger than the folder: as much of its start as fits
  CHECK(files_in(folder.path()).size() == 6);
  CHECK(restored(prefixes, tokens(64 * 10, 3000)) == 6 * 64);
}

TEST_CASE("old temporary files are removed, recent ones are not") {
  const TempFolder folder;
  const PrefixCache prefixes(folder.path(), 1 << 20, Budget::unlimited());
  const auto old = folder.path() / "aa.kv.tmp.123456", recent = folder.path() / "bb.kv.tmp.123456";
  std::ofstream(old) << "x";
  std::ofstream(recent) << "x";
  std::filesystem::last_write_time(old, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  keep(prefixes, tokens(128), 1);
  CHECK_FALSE(std::filesystem::exists(old));
  CHECK(std::filesystem::exists(recent));
}

TEST_CASE("neither a read-only folder nor a full budget fails a generation") {
  const TempFolder folder;
  std::ofstream(folder.path() / "file") << "not a folder";
  const PrefixCache nowhere(folder.path() / "file", 1 << 20, Budget::unlimited());
  keep(nowhere, tokens(128), 1);
  CHECK(restored(nowhere, tokens(129)) == 0);
  keep(PrefixCache(folder.path(), 1 << 20, Budget::unlimited()), tokens(128), 1);
  Budget budget(10);
  CHECK(restored(PrefixCache(folder.path(), 1 << 20, budget), tokens(129)) == 0);
  CHECK(restored(PrefixCache(folder.path(), 1 << 20, Budget::unlimited()), tokens(129)) == 128);
}

TEST_CASE("processes that write and read the same prompts at once all get the right rows") {
  const TempFolder folder;
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      const PrefixCache prefixes(folder.path(), 5 * kFileBytes,
                                 Budget::unlimited());  // too small for all: they evict each other's blocks
      bool right = true;
      for (int turn = 0; turn < 40; ++turn) {
        const int which = (turn + child) % 3;
        const std::vector<TokenId> prompt = tokens(193, which * 1000);
        Rows rows;
        const int64_t got = prefixes.restore("m", prompt, rows.cache);
        right = right && rows.holds(got, static_cast<float>(which));
        keep(prefixes, prompt, static_cast<float>(which));
      }
      ::_exit(right ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

TEST_CASE("tokens are the same with the prefix cache and without, greedy and sampled, with any number of threads") {
  const TempFolder folder;
  for (const Precision precision : {Precision::fp32, Precision::int8, Precision::int4}) {
    CAPTURE(int(precision));
    const TemporaryPack made(kRoot / "tests/golden/llama", precision);
    const Pack pack(made.path);
    const PrefixCache prefixes(folder.path(), 64 << 20, Budget::unlimited());
    std::map<std::string, std::string> first_texts;
    for (const int thread_count : {1, 3})
      for (const PrefixCache* used : {static_cast<const PrefixCache*>(nullptr), &prefixes, &prefixes}) {
        ThreadPool threads(thread_count);
        const auto ops = make_cpu_ops(threads, Budget::unlimited());
        const auto model = open_decoder(pack, *ops);
        const auto generator = make_local_generator(*model, Budget::unlimited(), {}, used);
        for (const float temperature : {0.0f, 1.5f})
          for (const std::string question : {"who?", "Which of them?"}) {
            const ChatMessage messages[] = {{"system", std::string(150, 's')}, {"user", question}};
            GenerateOptions options;
            options.max_new_tokens = 24;
            options.temperature = temperature;
            options.seed = 7;
            const Generation reply = generator->chat(messages, options);
            const auto [kept, is_first] = first_texts.emplace(question + std::to_string(temperature), reply.text);
            CHECK(reply.text == kept->second);
            if (!used) CHECK(reply.prefix_tokens_reused == 0);
            if (used && thread_count == 3) CHECK(reply.prefix_tokens_reused >= 128);
          }
      }
  }
}

TEST_CASE(
    "logits after a restored prefix equal those of a prompt computed whole, to the bit, on every instruction set") {
  const TemporaryPack made(kRoot / "tests/golden/llama", Precision::int8);
  const Pack pack(made.path);
  const auto logits_of = [&](Isa isa, KvType type, int thread_count, const PrefixCache* prefixes,
                             int64_t expected_restored) {
    ThreadPool threads(thread_count);
    const auto ops = make_cpu_ops(threads, Budget::unlimited(), isa);
    const auto model = open_decoder(pack, *ops);
    std::vector<TokenId> prompt(197);
    for (size_t i = 0; i < prompt.size(); ++i)
      prompt[i] = static_cast<TokenId>(i * 7919 % static_cast<size_t>(model->vocab_size()));
    KvCache cache = model->make_cache(200, Budget::unlimited(), type);
    const int64_t got = prefixes ? prefixes->restore(model->identity(), prompt, cache) : 0;
    CHECK(got == expected_restored);
    std::vector<float> logits(static_cast<size_t>(model->vocab_size()));
    for (auto rest = std::span<const TokenId>(prompt).subspan(static_cast<size_t>(got)); !rest.empty();) {
      const auto piece = rest.first(std::min(rest.size(), static_cast<size_t>(kPrefixBlockTokens)));
      model->forward(piece, cache, logits);
      rest = rest.subspan(piece.size());
    }
    if (prefixes) prefixes->keep(model->identity(), prompt, got, cache);
    return logits;
  };
  for (const Isa isa : supported_isas())
    for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
      CAPTURE(to_string(isa));
      CAPTURE(to_string(type));
      const TempFolder folder;
      const PrefixCache prefixes(folder.path(), 64 << 20, Budget::unlimited());
      const std::vector<float> expected = logits_of(isa, type, 1, nullptr, 0);
      CHECK(logits_of(isa, type, 1, &prefixes, 0) == expected);
      CHECK(logits_of(isa, type, 1, &prefixes, 192) == expected);
      CHECK(logits_of(isa, type, 3, &prefixes, 192) == expected);
    }
}

TEST_CASE("a deadline during the prefill ends the generation, without text") {
  // Needs longer for a piece of the prompt than the deadline allows.
  class SlowDecoder final : public Decoder {
   public:
    explicit SlowDecoder(Decoder& inner) : inner_(inner) {}
    int64_t vocab_size() const override { return inner_.vocab_size(); }
    int64_t context_tokens() const override { return inner_.context_tokens(); }
    const Tokenizer& tokenizer() const override { return inner_.tokenizer(); }
    ChatFamily chat_family() const override { return inner_.chat_family(); }
    std::string_view default_system() const override { return inner_.default_system(); }
    std::string identity() const override { return inner_.identity(); }
    KvCache make_cache(int64_t tokens, Budget& budget, KvType type) const override {
      return inner_.make_cache(tokens, budget, type);
    }
    void forward(std::span<const TokenId> piece, KvCache& cache, std::span<float> logits) override {
      ++pieces;
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      inner_.forward(piece, cache, logits);
    }
    void forward_all(std::span<const TokenId>, KvCache&, std::span<float>) override {}
    int pieces = 0;

   private:
    Decoder& inner_;
  };
  const TemporaryPack made(kRoot / "tests/golden/llama", Precision::fp32);
  const Pack pack(made.path);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto model = open_decoder(pack, *ops);
  SlowDecoder slow(*model);
  const ChatMessage question{"user", std::string(180, 'q')};
  GenerateOptions options;
  options.deadline_ms = 1;
  const TempFolder folder;
  const PrefixCache prefixes(folder.path(), 1 << 20, Budget::unlimited());
  const Generation reply =
      make_local_generator(slow, Budget::unlimited(), {}, &prefixes)->chat(std::span(&question, 1), options);
  CHECK(reply.prompt_tokens > 2 * kPrefixBlockTokens);
  CHECK(reply.finish == Finish::deadline);
  CHECK(reply.text.empty());
  CHECK(slow.pieces <= 1);
  CHECK(files_in(folder.path()).empty());
}
