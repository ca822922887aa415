// Drives a tokenizer from scripts (compare_tokenizers.py, make_tokenizer_goldens.py). Not installed.
//
//   tokenize MODEL [--plain] [--pieces] < texts     texts end with NUL; MODEL is a folder, a .gguf file or a
//   tokenizer.json tokenize MODEL --decode [--plain] < ids         one line of ids a text
//
// Prints a line a text: its ids, or id:begin:end with --pieces, or the decoded text and NUL with --decode. --plain
// keeps special tokens from being parsed, or from being printed.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "model/tokenize/tokenizer.h"
#include "model/vocabulary/build_tokenizer.h"

namespace {

using namespace frugal;

TokenizerSource read_source(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path) && path.extension() != ".json") return open_checkpoint(path)->tokenizer();
  TokenizerSource source;
  const auto read_if_there = [](const std::filesystem::path& file) {
    return std::filesystem::exists(file) ? read_file(file) : std::string();
  };
  const bool folder = std::filesystem::is_directory(path);
  source.tokenizer_json = read_if_there(folder ? path / "tokenizer.json" : path);
  if (folder) {
    source.tokenizer_config = read_if_there(path / "tokenizer_config.json");
    source.vocab_txt = read_if_there(path / "vocab.txt");
    for (const char* name : {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model"})
      if (source.sentencepiece.empty() && !(source.sentencepiece = read_if_there(path / name)).empty())
        source.sentencepiece_file = path / name;
  }
  return source;
}

struct Options {
  bool plain = false, pieces = false, decode = false;
};

void print_encoded(const Tokenizer& tokenizer, const std::string& text, const Options& options) {
  std::string line;
  if (options.pieces) {
    for (const Tokenizer::Piece& piece : tokenizer.encode_pieces(text, !options.plain))
      line += fmt::format("{}:{}:{} ", piece.id, piece.begin, piece.end);
  } else {
    for (const TokenId id : tokenizer.encode(text, !options.plain)) line += fmt::format("{} ", id);
  }
  if (!line.empty()) line.pop_back();
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stdout);
}

void print_decoded(const Tokenizer& tokenizer, const std::string& line, const Options& options) {
  std::istringstream numbers(line);
  const std::vector<TokenId> ids{std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>()};
  const std::string text = tokenizer.decode(ids, !options.plain);
  std::fwrite(text.c_str(), 1, text.size() + 1, stdout);
}

int run(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 2; i < arguments.size(); ++i) {
    options.plain |= arguments[i] == "--plain";
    options.pieces |= arguments[i] == "--pieces";
    options.decode |= arguments[i] == "--decode";
  }
  const std::string blob = build_tokenizer_blob(read_source(arguments.at(1)));
  const auto tokenizer = Tokenizer::open(std::as_bytes(std::span(blob)));
  std::string text;
  while (std::getline(std::cin, text, options.decode ? '\n' : '\0'))
    options.decode ? print_decoded(*tokenizer, text, options) : print_encoded(*tokenizer, text, options);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv, argv + argc});
  } catch (const frugal::Error& error) {
    fmt::print(stderr, "error: {}\nhint: {}\n", error.message(), error.hint());
  } catch (const std::exception& error) {
    fmt::print(stderr, "usage: tokenize MODEL [--plain] [--pieces] [--decode] ({})\n", error.what());
  }
  return 2;
}
